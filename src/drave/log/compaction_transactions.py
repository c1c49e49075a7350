"""Which batches belong to an aborted transaction: compaction drops their records.

    producer 7   | data | data | abort 41 |      | data | commit 90 |
                 └── aborted: 12..41 ──┘

Everything that compaction touches lies below the last stable offset, so each transaction is decided; but its marker may
lie beyond. The survey goes on until every transaction that it has met is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final

from drave import records
from drave.records import BatchHeader, ControlKind
from drave.store.disk import File
from drave.store.segment import Segment, peek

BATCHES_A_STEP: Final = 1000


class Aborted:
    """The aborted transactions of a stretch of log."""

    def __init__(self) -> None:
        self._spans: dict[int, list[tuple[int, int]]] = {}
        self._open: dict[int, int] = {}

    def has(self, header: BatchHeader) -> bool:
        """Whether a data batch is part of one."""
        if not header.is_transactional:
            return False
        spans = self._spans.get(header.producer_id)
        if spans is None:
            return False
        number = bisect_left(spans, header.base_offset, key=itemgetter(1))
        return number < len(spans) and spans[number][0] <= header.base_offset

    def survey(self, segments: Sequence[Segment], start: int, end: int, limit: int) -> Iterator[bool]:
        """Look at all batches from `start` to `end`, and on towards `limit` for markers. Yields now and then."""
        for number, segment in enumerate(segments):
            ends_before = number + 1 < len(segments) and segments[number + 1].base <= start
            if ends_before or (segment.base >= end and not self._open):
                continue
            file = segment.open()
            at = segment.locate(file, start, now=False)
            for count, (position, header) in enumerate(peek(file, at, segment.size)):
                if header.base_offset >= limit:
                    return
                if header.is_transactional and header.last_offset >= start:
                    self._take(header, file, position, is_past=header.base_offset >= end)
                if count % BATCHES_A_STEP == BATCHES_A_STEP - 1:
                    yield True

    def _take(self, header: BatchHeader, file: File, position: int, *, is_past: bool) -> None:
        producer_id = header.producer_id
        if not header.is_control:
            if not is_past:
                self._open.setdefault(producer_id, header.base_offset)
            return
        first = self._open.pop(producer_id, None)
        if first is not None and _is_abort(header, file.pread(header.size, position)):
            self._spans.setdefault(producer_id, []).append((first, header.base_offset))


def _is_abort(header: BatchHeader, batch: records.Buffer) -> bool:
    return any(records.parse_control(each).kind is ControlKind.ABORT for each in records.read_records(batch, header))
