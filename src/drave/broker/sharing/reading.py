"""What a share fetch does with the batches that it has read: which offsets they have, and which of them are sent.

read       │ batch │ batch │ batch │ batch │      from the first available offset on, as far as the bounds go
acquired           └── 12..57 ──┘                 by this member
sent               │ batch │ batch │              whole batches, as they lie in the log
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from drave.broker.coordinator.share.acquiring import Acquired, Span
from drave.log import Batches
from drave.records import BatchHeader, ControlKind, parse_control, parse_header, read_records


class Found:
    """Batches in a row, by their headers."""

    __slots__ = ("_headers", "_parts", "_starts", "_transactions", "size", "spans")

    def __init__(self) -> None:
        self.size = 0
        """In bytes."""
        self.spans: list[Span] = []
        self._parts: list[memoryview] = []
        self._headers: list[BatchHeader] = []
        self._starts: list[tuple[memoryview, int]] = []
        """In which part each begins, and where."""
        self._transactions: set[tuple[int, int]] = set()
        """Of those that were aborted: first offset and producer id."""

    def add(self, batches: Batches) -> None:
        """What was read behind those that there are."""
        self.size += batches.size
        self._transactions.update((each.first_offset, each.producer_id) for each in batches.aborted)
        for part in batches.parts:
            self._parts.append(part)
            at = 0
            while at < len(part):
                header = parse_header(part, at)
                self._headers.append(header)
                self._starts.append((part, at))
                self.spans.append(Span(header.base_offset, header.last_offset))
                at += header.size

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

    def aborted(self) -> list[Span]:
        """The batches of aborted transactions, in order."""
        if not self._transactions:
            return []
        waiting = deque(sorted(self._transactions))
        producers: set[int] = set()
        found = []
        for header, span, (part, at) in zip(self._headers, self.spans, self._starts, strict=True):
            while waiting and waiting[0][0] <= span.last:
                producers.add(waiting.popleft()[1])
            if header.is_control:
                if header.producer_id in producers and _is_abort(header, part[at : at + header.size]):
                    producers.discard(header.producer_id)
            elif header.is_transactional and header.producer_id in producers:
                found.append(span)
        return found


def _is_abort(header: BatchHeader, batch: memoryview) -> bool:
    marker = next(iter(read_records(batch, header)), None)
    return marker is not None and parse_control(marker).kind is ControlKind.ABORT
