"""Records on their way: what clients put into batches, and what readers find in them.

    SentRecord ─▶ key, value, header "mark" ─▶ batch ─▶ … ─▶ batch ─▶ SeenRecord

The mark travels in a header, for a tombstone has no value. The value is a function of the mark, so that one that was
changed on its way shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from drave.records import (
    BatchHeader,
    Buffer,
    Codec,
    ControlKind,
    NewRecord,
    Record,
    build_batch,
    parse_control,
    read_records,
)
from drave.records import split as split_batches
from drave.wire.messages.k01_fetch import AbortedTransaction
from simulation.history import Letter, Mark, SeenBatch, SeenRecord, SentRecord

MARK: Final = "mark"
LETTER_CONTEXT: Final = frozenset(
    f"__dlq.errors.{name}" for name in ("topic", "partition", "offset", "group", "delivery.count", "message")
)
"""The headers of a dead letter (KIP-1191); a record that lacks one of them is none."""
NO_PRODUCER: Final = (-1, -1)


def value_of(mark: Mark, size: int) -> bytes:
    """What a record holds."""
    text = str(mark).encode()
    return (text * (size // len(text) + 1))[:size]


def batch_of(
    records: Sequence[SentRecord],
    *,
    codec: Codec,
    producer: tuple[int, int] = NO_PRODUCER,
    base_sequence: int = -1,
    transactional: bool = False,
) -> bytes:
    """One batch, as a producer sends it."""
    news = [NewRecord(each.key, each.value, each.timestamp_ms, ((MARK, str(each.mark).encode()),)) for each in records]
    return build_batch(
        news,
        codec=codec,
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=base_sequence,
        transactional=transactional,
    )


def seen_batches(data: Buffer, aborted: Iterable[AbortedTransaction], position: int) -> list[SeenBatch]:
    """What a Fetch brought from a position on; which of it is committed, a reader finds as Kafka's clients do."""
    pending = sorted(aborted, key=lambda each: each.first_offset, reverse=True)
    aborting: set[int] = set()
    found = []
    for header, batch in split_batches(data):
        while pending and pending[-1].first_offset <= header.last_offset:
            aborting.add(pending.pop().producer_id)
        records = list(read_records(batch, header))
        committed = not header.is_control and not (header.is_transactional and header.producer_id in aborting)
        if header.is_control and records and parse_control(records[0]).kind is ControlKind.ABORT:  # or compacted away
            aborting.discard(header.producer_id)
        found.append(_seen(header, committed, [each for each in records if each.offset >= position]))
    return found


def _seen(header: BatchHeader, committed: bool, records: Iterable[Record]) -> SeenBatch:
    return SeenBatch(
        header.base_offset,
        header.last_offset,
        header.producer_id,
        header.producer_epoch,
        header.is_transactional,
        header.is_control,
        committed,
        [_seen_record(each) for each in records],
    )


def _seen_record(record: Record) -> SeenRecord:
    headers = {name: value.decode() for name, value in record.headers if value is not None}
    mark, letter = _mark(headers), None
    if headers.keys() >= LETTER_CONTEXT:
        letter, mark = _letter(headers, mark), None
    return SeenRecord(record.offset, mark, record.key, record.value, record.timestamp, letter)


def _mark(headers: Mapping[str, str]) -> Mark | None:
    if MARK not in headers:
        return None
    writer, _, number = headers[MARK].rpartition("#")
    return Mark(writer, int(number))


def _letter(headers: Mapping[str, str], mark: Mark | None) -> Letter:
    return Letter(
        topic=headers["__dlq.errors.topic"],
        partition=int(headers["__dlq.errors.partition"]),
        offset=int(headers["__dlq.errors.offset"]),
        group=headers["__dlq.errors.group"],
        count=int(headers["__dlq.errors.delivery.count"]),
        message=headers["__dlq.errors.message"],
        mark=mark,
    )
