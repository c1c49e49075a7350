"""A second look at what a driver wrote, without any client library: raw Fetch, batch by batch.

A driver reads what it wrote itself, and two mistakes may agree. The witness knows from the contract what must be there:
every record, the codec of every batch, and for idempotent producers their ids and sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from conformance.contract import CODECS, CUT, RECORDS, Outcome, Shape
from drave.model.errors import ErrorCode
from drave.records import read_records
from drave.records.batch import BatchHeader, split
from tests.net.raw import Connection

Batches = Sequence[tuple[BatchHeader, memoryview]]

GROWN_BY: Final = 2
"""Partitions that `partitions` adds."""
WRITTEN: Final = frozenset(
    {"records", *CODECS, "acks", "idempotent", "time", "group", "rebalance", "cooperative", "static"}
    | {"new-groups", "share-groups"}
    | {"offsets", "partitions", "delete-records", "log-dirs"}
)
"""Who leaves exactly the records of the contract behind."""


class Otherwise(Exception):
    """What is on the broker is not what the driver says."""


def look(connection: Connection, name: str, shape: Shape, outcome: Outcome) -> Outcome:
    """The outcome, or what is wrong with it."""
    if outcome.ok is not True or outcome.scenario not in WRITTEN - shape.otherwise:
        return outcome
    topic = f"{name}-{outcome.scenario}"
    partitions = shape.partitions + (GROWN_BY if outcome.scenario == "partitions" else 0)
    try:
        for partition in range(partitions):
            _look_at(connection, topic, partition, shape, outcome.scenario)
    except Otherwise as otherwise:
        return outcome._replace(ok=False, detail=f"the witness: {otherwise}")
    return outcome


def _look_at(connection: Connection, topic: str, partition: int, shape: Shape, scenario: str) -> None:
    start = CUT if scenario == "delete-records" else 0
    batches = list(_batches(connection, topic, partition, start))
    where = f"{topic}-{partition}"
    got = [record for header, batch in batches for record in read_records(batch, header) if record.offset >= start]
    wanted = shape.records(topic, partition, start=start, large=scenario == "records")
    if len(got) != len(wanted):
        raise Otherwise(f"{where} has {len(got)} records instead of {len(wanted)}")
    for record, written in zip(got, wanted, strict=True):
        timestamp = record.timestamp if shape.timestamps else -1
        its = (record.key, record.value, record.headers, timestamp)
        if its != tuple(written):
            raise Otherwise(f"{where} has {str(its)[:200]} at {record.offset} instead of {str(written)[:200]}")
    if scenario in CODECS:
        check_codec(batches, scenario, where)
    if scenario == "idempotent":
        check_sequences(batches, where)


def _batches(
    connection: Connection, topic: str, partition: int, start: int
) -> Iterator[tuple[BatchHeader, memoryview]]:
    code, end = connection.end(topic, partition=partition)
    if code != ErrorCode.NONE or end != RECORDS:
        raise Otherwise(f"{topic}-{partition} ends at {end} instead of {RECORDS} ({code.name})")
    while start < end:
        code, data = connection.fetch(topic, partition=partition, start=start)
        if code != ErrorCode.NONE or not data:
            raise Otherwise(f"{topic}-{partition} gives nothing at {start} ({code.name})")
        for header, batch in split(data):
            yield header, batch
            start = header.last_offset + 1


def check_codec(batches: Batches, codec: str, where: str) -> None:
    """That what is worth compressing was. A batch of one record may come as it is: librdkafka sends it so when it
    would grow. Raises Otherwise."""
    codecs = {header.codec.name.lower() for header, _ in batches if header.count > 1}
    if codecs != {codec}:
        raise Otherwise(f"{where} has batches of {sorted(codecs)}")


def check_sequences(batches: Batches, where: str) -> None:
    """That every batch has a producer id, and that each one's sequences follow each other. Raises Otherwise."""
    following: dict[int, int] = {}
    for header, _ in batches:
        if header.producer_id < 0:
            raise Otherwise(f"{where} has a batch without a producer id at {header.base_offset}")
        if header.base_sequence != following.get(header.producer_id, 0):
            raise Otherwise(f"{where} has sequence {header.base_sequence} at {header.base_offset}")
        following[header.producer_id] = header.base_sequence + header.count
