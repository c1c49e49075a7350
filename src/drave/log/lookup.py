"""Finding records by their timestamps.

    segments     the first whose largest timestamp is not too old
    .timeindex   the last entry that is still too old: start there
    batches      the first whose maximum timestamp is not too old
    records      the first with timestamp >= the one asked for: only this batch is parsed

Everything here may wait for the disk; it runs beside the loop on a list of segments that nobody changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from drave import records
from drave.records import BatchHeader, Record
from drave.store.disk import File
from drave.store.segment import NO_TIMESTAMP, Segment, peek


@dataclass(frozen=True, slots=True)
class TimestampOffset:
    """A record, by its timestamp in milliseconds since 1970 and its offset."""

    timestamp: int
    offset: int
    leader_epoch: int


def first_since(segments: Sequence[Segment], timestamp_ms: int, start: int, limit: int) -> TimestampOffset | None:
    """The first record from `start` to below `limit` whose timestamp is at least `timestamp_ms`."""
    for number, segment in enumerate(segments):
        ends_before = number + 1 < len(segments) and segments[number + 1].base <= start
        if ends_before or segment.largest_timestamp()[0] < timestamp_ms:
            continue
        file = segment.open()
        for at, header in peek(file, _begin(segment, file, timestamp_ms, start), segment.size):
            if header.base_offset >= limit:
                return None
            if header.max_timestamp < timestamp_ms or header.last_offset < start:
                continue
            for record in _records(file, at, header):
                if record.timestamp >= timestamp_ms and start <= record.offset < limit:
                    return TimestampOffset(record.timestamp, record.offset, header.leader_epoch)
    return None


def _begin(segment: Segment, file: File, timestamp_ms: int, start: int) -> int:
    """Where in the segment to begin."""
    entry = segment.time_index.floor(timestamp_ms, now=False)
    offset = segment.base + entry[1] if entry is not None else segment.base
    return segment.locate(file, max(offset, start), now=False)


def latest(segments: Sequence[Segment], start: int, limit: int) -> TimestampOffset | None:
    """The first of the records from `start` to below `limit` that have the largest timestamp (KIP-734)."""
    best: TimestampOffset | None = None
    for number, segment in enumerate(segments):
        ends_before = number + 1 < len(segments) and segments[number + 1].base <= start
        timestamp, _ = segment.largest_timestamp()
        if ends_before or timestamp < 0 or (best is not None and timestamp <= best.timestamp):
            continue
        found = _latest_of(segment, start, limit)
        if found is not None and (best is None or found.timestamp > best.timestamp):
            best = found
    return best


def _latest_of(segment: Segment, start: int, limit: int) -> TimestampOffset | None:
    """The same in one segment: in the batch that promises it, unless the record that it means has been deleted."""
    timestamp, offset = segment.largest_timestamp()
    file = segment.open()
    if start <= offset < limit:
        promising = islice(peek(file, segment.locate(file, offset, now=False), segment.size), 1)
        found = _latest_in(file, promising, start, limit)
        if found is not None and found.timestamp == timestamp:
            return found
    begin = segment.locate(file, max(start, segment.base), now=False)
    return _latest_in(file, peek(file, begin, segment.size), start, limit)


def _latest_in(
    file: File, batches: Iterable[tuple[int, BatchHeader]], start: int, limit: int
) -> TimestampOffset | None:
    """The same among some batches. One is parsed only if its maximum promises more than what was found."""
    best: TimestampOffset | None = None
    for at, header in batches:
        if header.base_offset >= limit:
            break
        if header.last_offset >= start and header.max_timestamp > (best.timestamp if best is not None else -1):
            for record in _records(file, at, header):
                better = record.timestamp > (best.timestamp if best is not None else -1)
                if better and start <= record.offset < limit:
                    best = TimestampOffset(record.timestamp, record.offset, header.leader_epoch)
    return best


class NotDue(NamedTuple):
    """A batch whose time has not come: its largest timestamp, and the offset after it."""

    timestamp: int
    end: int


def not_due(segments: Sequence[Segment], after_ms: int, start: int, limit: int, count: int) -> tuple[int, list[NotDue]]:
    """The first batch from `start` to below `limit` that is younger than `after_ms`, and those behind it.

    Returns where it begins, `limit` when there is none, and at most `count` batches from it on.
    """
    due, found = start, list[NotDue]()
    for number, segment in enumerate(segments):
        ends_before = number + 1 < len(segments) and segments[number + 1].base <= start
        if ends_before or (not found and segment.largest_timestamp()[0] <= after_ms):
            continue
        file = segment.open()
        begin = segment.locate(file, segment.base, now=False) if found else _begin(segment, file, after_ms, start)
        for _, header in peek(file, begin, segment.size):
            if header.base_offset >= limit or len(found) == count:
                return (due, found) if found else (limit, found)
            timestamp = header.max_timestamp if header.count else NO_TIMESTAMP
            if header.last_offset >= start and (found or timestamp > after_ms):
                due = due if found else max(start, header.base_offset)
                found.append(NotDue(timestamp, header.last_offset + 1))
    return (due, found) if found else (limit, found)


def _records(file: File, at: int, header: BatchHeader) -> Iterable[Record]:
    return records.read_records(file.pread(header.size, at), header)
