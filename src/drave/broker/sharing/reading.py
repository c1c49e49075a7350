"""What a share fetch does with the batches that it has read: which offsets they have, and which of them are sent.

read       │ batch │ batch │ batch │ batch │      from the first available offset on, as far as the bounds go
acquired           └── 12..57 ──┘                 by this member
sent               │ batch │ batch │              whole batches, as they lie in the log
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from drave.broker.coordinator.share.acquiring import Acquired, Span
from drave.log import Batches
from drave.records import BatchHeader, ControlKind, parse_control, parse_header, read_records


class Found:
    """The batches of one read, by their headers."""

    __slots__ = ("_headers", "_parts", "_starts", "spans")

    def __init__(self, batches: Batches) -> None:
        self._parts = batches.parts
        self._headers: list[BatchHeader] = []
        self._starts: list[tuple[memoryview, int]] = []
        """In which part each begins, and where."""
        for part in batches.parts:
            at = 0
            while at < len(part):
                header = parse_header(part, at)
                self._headers.append(header)
                self._starts.append((part, at))
                at += header.size
        self.spans = [Span(header.base_offset, header.last_offset) for header in self._headers]

    def records_of(self, acquired: Sequence[Acquired]) -> list[memoryview]:
        """The batches that have any of these, and those between them."""
        first, last = acquired[0].first, acquired[-1].last
        if self.spans[0].last >= first and self.spans[-1].first <= last:
            return self._parts
        chosen = [index for index, span in enumerate(self.spans) if span.last >= first and span.first <= last]
        sent: list[memoryview] = []
        for part in self._parts:
            places = [index for index in chosen if self._starts[index][0] is part]
            if places:
                end = self._starts[places[-1]][1] + self._headers[places[-1]].size
                sent.append(part[self._starts[places[0]][1] : end])
        return sent

    def aborted(self, transactions: Iterable[tuple[int, int]]) -> list[Span]:
        """The batches of aborted transactions, which are given as Fetch tells them: producer ids and first offsets."""
        waiting = deque(sorted(transactions, key=lambda each: each[1]))
        producers: set[int] = set()
        found = []
        for header, span, (part, at) in zip(self._headers, self.spans, self._starts, strict=True):
            while waiting and waiting[0][1] <= span.last:
                producers.add(waiting.popleft()[0])
            if header.is_control:
                if header.producer_id in producers and _is_abort(header, part[at : at + header.size]):
                    producers.discard(header.producer_id)
            elif header.is_transactional and header.producer_id in producers:
                found.append(span)
        return found


def _is_abort(header: BatchHeader, batch: memoryview) -> bool:
    marker = next(iter(read_records(batch, header)), None)
    return marker is not None and parse_control(marker).kind is ControlKind.ABORT
