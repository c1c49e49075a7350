"""DescribeProducers (KIP-664), as Apache Kafka 4.3.1 tells it."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.records import ControlKind
from drave.wire.messages.k61_describe_producers import DescribeProducersRequest, ProducerState, TopicRequest


def describe(*asked: tuple[str, list[int]]) -> DescribeProducersRequest:
    return DescribeProducersRequest(
        topics=[TopicRequest(name=name, partition_indexes=indexes) for name, indexes in asked]
    )


@pytest.fixture
async def rides(asker):
    return await asker.create_topic("rides", partitions=2)


async def described(see, partition: int = 0) -> list[ProducerState]:
    (answer,) = (await see(describe(("rides", [partition])))).topics[0].partitions
    assert (answer.partition_index, answer.error_code, answer.error_message) == (partition, 0, None)
    return answer.active_producers


async def test_a_producer_is_told_with_what_it_sent_last(see, rides, append):
    """The timestamp is the last batch's largest, not the time of its coming."""
    append(rides, 5, producer_id=7, producer_epoch=2, base_sequence=0, timestamp_ms=1000)
    append(rides, 3, producer_id=7, producer_epoch=2, base_sequence=5, timestamp_ms=2000)
    append(rides, 1, producer_id=9, producer_epoch=0, base_sequence=40, timestamp_ms=500)
    assert await described(see) == [
        ProducerState(producer_id=7, producer_epoch=2, last_sequence=7, last_timestamp=2000, coordinator_epoch=-1),
        ProducerState(producer_id=9, producer_epoch=0, last_sequence=40, last_timestamp=500, coordinator_epoch=-1),
    ]
    assert await described(see, 1) == []


async def test_who_is_not_idempotent_is_nobody(see, rides, append):
    append(rides, 5)
    assert await described(see) == []


async def test_an_open_transaction_is_told_with_its_first_offset(see, rides, append):
    append(rides, 5)
    append(rides, 2, producer_id=7, producer_epoch=0, base_sequence=0, transactional=True)
    (producer,) = await described(see)
    assert (producer.current_txn_start_offset, producer.coordinator_epoch) == (5, -1)


async def test_the_end_of_a_transaction_tells_its_coordinators_epoch(see, rides, append, broker):
    """A marker of transactions v2 takes the producer's epoch along, and what it sent under the one before is past."""
    append(rides, 2, producer_id=7, producer_epoch=0, base_sequence=0, transactional=True)
    append(rides, 2, producer_id=8, producer_epoch=0, base_sequence=0, transactional=True)
    log = broker.partition(rides, 0)
    log.append_marker(ControlKind.COMMIT, 7, 0, 3, now_ms=1000, transaction_version=1)
    log.append_marker(ControlKind.ABORT, 8, 1, 4, now_ms=1000, transaction_version=2)
    first, second = await described(see)
    assert (first.current_txn_start_offset, first.coordinator_epoch, first.last_sequence) == (-1, 3, 1)
    assert (second.producer_epoch, second.current_txn_start_offset, second.coordinator_epoch) == (1, -1, 4)
    assert second.last_sequence == -1


async def test_an_error_belongs_to_its_partition_alone(see, rides):
    response = await see(describe(("nope", [0]), ("rides", [7, 0, -1]), ("a b", [0]), ("", [0])))
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert [(topic.name, [each.error_code for each in topic.partitions]) for topic in response.topics] == [
        ("nope", [unknown]),
        ("rides", [unknown, 0, unknown]),
        ("a b", [ErrorCode.INVALID_TOPIC_EXCEPTION]),
        ("", [ErrorCode.INVALID_TOPIC_EXCEPTION]),
    ]
    assert all(
        bool(each.error_message) == bool(each.error_code) for topic in response.topics for each in topic.partitions
    )


async def test_what_comes_twice_is_answered_twice(see, rides):
    response = await see(describe(("rides", [1, 1]), ("rides", [1]), ("rides", [])))
    assert [len(topic.partitions) for topic in response.topics] == [2, 1, 0]
