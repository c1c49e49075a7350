"""Requests whose form is right and whose content is not: each is refused with Kafka's code, and nothing is appended."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator

import pytest

from drave.model.errors import ErrorCode
from drave.records.batch import seal
from drave.testing import Broker
from drave.wire.api import ApiKey
from drave.wire.messages.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.net.raw import PRODUCE, Connection, good_batch, produce_request

LENGTH_AT, MAGIC_AT, CRC_AT, ATTRIBUTES_AT, LAST_DELTA_AT, COUNT_AT = 8, 16, 17, 21, 23, 57
_numbers = itertools.count()


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


@pytest.fixture
def connection(broker: Broker) -> Iterator[Connection]:
    with Connection(broker.port) as opened:
        yield opened


@pytest.fixture
def topic(connection: Connection) -> str:
    name = f"topic-{next(_numbers)}"
    assert connection.create(name) == ErrorCode.NONE
    return name


def _with(field: str, at: int, value: int) -> Callable[[bytearray], bytearray]:
    """Another value in the header, and a checksum that agrees with it."""

    def damage(batch: bytearray) -> bytearray:
        struct.pack_into(field, batch, at, value)
        if at >= ATTRIBUTES_AT:
            seal(batch)
        return batch

    return damage


def _flip(at: int) -> Callable[[bytearray], bytearray]:
    """One bit, and the old checksum."""

    def damage(batch: bytearray) -> bytearray:
        batch[at] ^= 1
        return batch

    return damage


BROKEN = {ErrorCode.CORRUPT_MESSAGE, ErrorCode.INVALID_RECORD}
DAMAGES: dict[str, tuple[Callable[[bytearray], bytearray], set[ErrorCode]]] = {
    "a bit of a record": (_flip(-3), {ErrorCode.CORRUPT_MESSAGE}),
    "a bit of the attributes": (_flip(ATTRIBUTES_AT + 1), {ErrorCode.CORRUPT_MESSAGE}),
    "a bit of the checksum": (_flip(CRC_AT), {ErrorCode.CORRUPT_MESSAGE}),
    "no records": (_with(">i", COUNT_AT, 0), {ErrorCode.INVALID_RECORD}),
    "a negative count": (_with(">i", COUNT_AT, -5), {ErrorCode.INVALID_RECORD}),
    "a count above the last offset": (_with(">i", COUNT_AT, 4), {ErrorCode.INVALID_RECORD}),
    "a last offset above the count": (_with(">i", LAST_DELTA_AT, 7), {ErrorCode.INVALID_RECORD}),
    "a negative last offset": (_with(">i", LAST_DELTA_AT, -2), {ErrorCode.INVALID_RECORD}),
    "a length beyond the batch": (_with(">i", LENGTH_AT, 10_000), BROKEN),
    "a length within the header": (_with(">i", LENGTH_AT, 10), {ErrorCode.CORRUPT_MESSAGE}),
    "a negative length": (_with(">i", LENGTH_AT, -1), {ErrorCode.CORRUPT_MESSAGE}),
    "magic 1": (_with(">b", MAGIC_AT, 1), {ErrorCode.INVALID_RECORD, ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT}),
    "magic 9": (_with(">b", MAGIC_AT, 9), BROKEN),
    "a codec nobody knows": (
        _with(">h", ATTRIBUTES_AT, 7),
        {ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, ErrorCode.INVALID_RECORD},
    ),
    "a control batch": (_with(">h", ATTRIBUTES_AT, 0x30), {ErrorCode.INVALID_RECORD}),
    "half of it": (lambda batch: batch[: len(batch) // 2], BROKEN),
    "nothing": (lambda batch: bytearray(), {ErrorCode.INVALID_RECORD}),
    "two batches": (lambda batch: batch + batch, BROKEN),
    "a batch and some bytes": (lambda batch: batch + b"more", BROKEN),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_batch_is_refused_and_leaves_no_trace(connection: Connection, topic: str, damage: str) -> None:
    change, codes = DAMAGES[damage]
    bad = bytes(change(bytearray(good_batch(b"one", b"two", b"three"))))
    assert connection.produce(topic, good_batch(b"before")) == (ErrorCode.NONE, 0)
    code, base_offset = connection.produce(topic, bad)
    assert code in codes
    assert base_offset == -1
    assert connection.end(topic) == (ErrorCode.NONE, 1)
    assert connection.produce(topic, good_batch(b"after")) == (ErrorCode.NONE, 1)


def test_offsets_are_the_brokers_to_give(connection: Connection, topic: str) -> None:
    """A producer writes base offset 0, as all do; another one is refused, as in Kafka."""
    assert connection.produce(topic, good_batch(b"one", base_offset=1_000_000)) == (ErrorCode.INVALID_RECORD, -1)
    for expected in range(3):
        assert connection.produce(topic, good_batch(b"value", leader_epoch=77)) == (ErrorCode.NONE, expected)
    code, batches = connection.fetch(topic)
    assert code == ErrorCode.NONE
    sizes = itertools.repeat(len(good_batch(b"value")), 3)
    starts = itertools.accumulate(sizes, initial=0)
    assert [struct.unpack_from(">qii", batches, at)[0] for at in list(starts)[:3]] == [0, 1, 2]


def test_a_refused_batch_leaves_its_neighbours_alone(connection: Connection, topic: str) -> None:
    """One answer for each partition of a request: the good ones are written."""
    other = f"{topic}-other"
    assert connection.create(other) == ErrorCode.NONE
    bad = bytes(_flip(-1)(bytearray(good_batch())))
    request = ProduceRequest(
        acks=-1,
        timeout_ms=1000,
        topic_data=[
            TopicProduceData(name=topic, partition_data=[PartitionProduceData(index=0, records=bad)]),
            TopicProduceData(name="not-there", partition_data=[PartitionProduceData(index=0, records=good_batch())]),
            TopicProduceData(name=other, partition_data=[PartitionProduceData(index=0, records=good_batch())]),
        ],
    )
    answer = connection.ask(ApiKey.PRODUCE, PRODUCE, request)
    assert {each.name: each.partition_responses[0].error_code for each in answer.responses} == {
        topic: ErrorCode.CORRUPT_MESSAGE,
        "not-there": ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        other: ErrorCode.NONE,
    }
    assert connection.end(other) == (ErrorCode.NONE, 1)


@pytest.mark.parametrize("partition", [1, 7, -1, 2**31 - 1])
def test_a_partition_that_does_not_exist_is_unknown_to_every_request(
    connection: Connection, topic: str, partition: int
) -> None:
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert connection.produce(topic, good_batch(), partition=partition) == (unknown, -1)
    assert connection.fetch(topic, partition=partition)[0] == unknown
    assert connection.end(topic, partition=partition) == (unknown, -1)


@pytest.mark.parametrize("offset", [1, 2, -1, 2**63 - 1])
def test_a_fetch_outside_the_log_says_so(connection: Connection, topic: str, offset: int) -> None:
    """The end itself is inside: it is where the next record will be."""
    assert connection.fetch(topic, start=0) == (ErrorCode.NONE, b"")
    assert connection.fetch(topic, start=offset)[0] == ErrorCode.OFFSET_OUT_OF_RANGE


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "../etc", "x" * 250, "\0", "été"])
def test_a_name_that_no_topic_may_have_is_not_created(connection: Connection, name: str) -> None:
    assert connection.create(name) == ErrorCode.INVALID_TOPIC_EXCEPTION
    assert connection.produce(name, good_batch())[0] in (
        ErrorCode.INVALID_TOPIC_EXCEPTION,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    )


@pytest.mark.parametrize("acks", [2, -2, 32767])
def test_acks_that_mean_nothing_are_refused(connection: Connection, topic: str, acks: int) -> None:
    assert connection.produce(topic, good_batch(), acks=acks) == (ErrorCode.INVALID_REQUIRED_ACKS, -1)
    assert connection.end(topic) == (ErrorCode.NONE, 0)


def test_without_acknowledgement_a_refusal_closes_the_connection(connection: Connection, broker: Broker) -> None:
    """acks=0 has no answer; a closed connection is the only way to tell the producer, as in Kafka."""
    connection.request(ApiKey.PRODUCE, PRODUCE, produce_request("not-there", good_batch(), acks=0))
    assert connection.rest() == b""


def test_a_sequence_that_leaves_a_gap_is_refused_and_a_repetition_is_answered_alike(
    connection: Connection, topic: str
) -> None:
    """KIP-98: what directly follows is taken, what was taken is answered with its first offset, the rest is refused."""

    def batch(sequence: int) -> bytes:
        return good_batch(b"x", b"y", producer_id=4242, producer_epoch=0, base_sequence=sequence)

    assert connection.produce(topic, batch(0)) == (ErrorCode.NONE, 0)
    assert connection.produce(topic, batch(2)) == (ErrorCode.NONE, 2)
    assert connection.produce(topic, batch(2)) == (ErrorCode.NONE, 2)
    assert connection.produce(topic, batch(6))[0] == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert connection.end(topic) == (ErrorCode.NONE, 4)
