"""The witness sees what is on the broker, whatever the driver says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from conformance import witness
from conformance.clients import WHOLE
from conformance.contract import CUT, PARTITIONS, Outcome, Written
from drave.model.errors import ErrorCode
from drave.records import build_batch
from drave.records.compression import Codec
from drave.records.record import NewRecord
from drave.testing import Broker
from tests.net.raw import Connection

Change = Callable[[list[Written]], list[Written]]


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with Broker(num_partitions=PARTITIONS) as broker, Connection(broker.port) as one:
        yield one


def write(connection: Connection, topic: str, change: Change = lambda written: written, **how: Any) -> None:
    """All partitions as the contract has them; the last one with a change."""
    assert connection.create(topic) == ErrorCode.NONE
    for partition in range(PARTITIONS):
        written = WHOLE.records(topic, partition)
        produce(connection, topic, partition, change(written) if partition == PARTITIONS - 1 else written, **how)


def produce(connection: Connection, topic: str, partition: int, written: Sequence[Written], **how: Any) -> None:
    records = [NewRecord(each.key, each.value, each.timestamp, each.headers) for each in written]
    code, _ = connection.produce(
        topic, build_batch(records, timestamp_ms=records[0].timestamp, **how), partition=partition
    )
    assert code == ErrorCode.NONE


def seen(connection: Connection, name: str, scenario: str) -> Outcome:
    return witness.look(connection, name, WHOLE, Outcome(scenario, True))


def test_what_is_as_the_contract_has_it_stays_a_tick(connection: Connection) -> None:
    write(connection, "good-time")
    assert seen(connection, "good", "time") == Outcome("time", True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda written: written[:-1], "ends at 99"),
        (lambda written: [*written, written[0]], "ends at 101"),
        (lambda written: [written[1], written[0], *written[2:]], "at 0 instead of"),
        (lambda written: [*written[:99], written[99]._replace(value=b"else")], "at 99 instead of"),
        (lambda written: [*written[:98], written[98]._replace(headers=(("x", b""),)), written[99]], "at 98 instead of"),
        (lambda written: [written[0]._replace(key=b""), *written[1:]], "at 0 instead of"),
        (lambda written: [*written[:99], written[99]._replace(timestamp=1)], "at 99 instead of"),
    ],
    ids=["one lost", "one twice", "two reordered", "a value", "a header", "null made empty", "a timestamp"],
)
def test_one_record_that_is_otherwise_is_seen(
    connection: Connection, request: pytest.FixtureRequest, change: Change, words: str
) -> None:
    name = request.node.callspec.id.replace(" ", "-")
    write(connection, f"{name}-time", change)
    outcome = seen(connection, name, "time")
    assert outcome.ok is False
    assert words in outcome.detail


def test_a_codec_that_was_not_used_is_seen(connection: Connection) -> None:
    """The records are right, but a client that quietly leaves them as they are has not shown its codec."""
    write(connection, "plain-zstd")
    assert seen(connection, "plain", "zstd").detail == "the witness: plain-zstd-0 has batches of ['none']"
    write(connection, "packed-zstd", codec=Codec.ZSTD)
    assert seen(connection, "packed", "zstd").ok


@pytest.mark.parametrize(
    ("producer_id", "ok"), [(-1, False), (4711, True)], ids=["without a producer id", "with a producer id"]
)
def test_idempotence_that_was_not_used_is_seen(connection: Connection, producer_id: int, ok: bool) -> None:
    name = f"of{producer_id}"
    own = {"producer_id": producer_id, "producer_epoch": 0, "base_sequence": 0} if ok else {}
    write(connection, f"{name}-idempotent", **own)
    assert seen(connection, name, "idempotent").ok is ok


def test_records_before_a_cut_are_not_asked_for(connection: Connection) -> None:
    """Whether they are gone is the driver's to see: a batch may begin before the start of the log."""
    write(connection, "cut-delete-records")
    assert seen(connection, "cut", "delete-records").ok
    assert CUT > 0


def test_a_failure_and_a_gap_are_left_as_they_are(connection: Connection) -> None:
    for outcome in (Outcome("gzip", False, "why"), Outcome("gzip", None, "why"), Outcome("topics", True)):
        assert witness.look(connection, "nobody", WHOLE, outcome) is outcome
