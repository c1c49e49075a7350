"""CreatePartitions: checked case by case against Apache Kafka 4.3.1; where Drave differs, the test says so."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k03_metadata import MetadataRequest, MetadataRequestTopic
from drave.wire.messages.k37_create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)


def grow(*asked: tuple, validate_only: bool = False, timeout_ms: int = 5000) -> CreatePartitionsRequest:
    """Pairs of a topic and its new number of partitions; a third item is an assignment."""
    topics = []
    for name, count, *assignment in asked:
        brokers = [CreatePartitionsAssignment(broker_ids=each) for each in assignment[0]] if assignment else None
        topics.append(CreatePartitionsTopic(name=name, count=count, assignments=brokers))
    return CreatePartitionsRequest(topics=topics, timeout_ms=timeout_ms, validate_only=validate_only)


def codes(response) -> dict[str, int]:
    found = {result.name: result.error_code for result in response.results}
    assert len(found) == len(response.results), "each topic is answered once"
    assert all(bool(result.error_message) == bool(result.error_code) for result in response.results)
    return found


@pytest.fixture
async def rides(asker):
    return await asker.create_topic("rides", partitions=2)


def count(broker, name: str = "rides") -> int:
    return broker.catalog.topic(name).partitions


@pytest.mark.parametrize("version", range(4))
async def test_a_topic_grows(see, broker, rides, version):
    assert codes(await see(grow(("rides", 5)), version)) == {"rides": 0}
    assert count(broker) == 5


async def test_everybody_sees_the_new_partitions_when_it_is_answered(see, broker, rides, append):
    await see(grow(("rides", 3)))
    asked = [MetadataRequestTopic(topic_id=bytes(16), name="rides")]
    (topic,) = (await see(MetadataRequest(topics=asked, allow_auto_topic_creation=False))).topics
    assert [each.partition_index for each in topic.partitions] == [0, 1, 2]
    append(broker.catalog.topic("rides"), 4, partition=2)
    assert broker.logs.partition(rides.topic_id, 2).high_watermark == 4


async def test_old_partitions_keep_their_records(see, broker, rides, append):
    append(rides, 3)
    log = broker.logs.partition(rides.topic_id, 0)
    await see(grow(("rides", 3)))
    assert broker.logs.partition(rides.topic_id, 0) is log
    assert log.high_watermark == 3


@pytest.mark.parametrize("asked", [2, 1, 0, -1])
async def test_a_topic_can_only_grow(see, broker, rides, asked):
    for validate_only in (False, True):
        assert codes(await see(grow(("rides", asked), validate_only=validate_only))) == {
            "rides": ErrorCode.INVALID_PARTITIONS
        }
    assert count(broker) == 2


async def test_a_fault_belongs_to_its_topic_alone(see, broker, rides, asker):
    await asker.create_topic("cars")
    assert codes(await see(grow(("rides", 1), ("nope", 2), ("a b", 2), ("", 2), ("cars", 2)))) == {
        "rides": ErrorCode.INVALID_PARTITIONS,
        "nope": ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        "a b": ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        "": ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        "cars": 0,
    }
    assert (count(broker), count(broker, "cars")) == (2, 2)


async def test_a_topic_that_comes_twice_is_refused_once_and_the_others_grow(see, broker, rides, asker):
    await asker.create_topic("cars")
    response = await see(grow(("rides", 3), ("cars", 3), ("rides", 4)))
    assert codes(response) == {"rides": ErrorCode.INVALID_REQUEST, "cars": 0}
    assert (count(broker), count(broker, "cars")) == (2, 3)


async def test_validating_grows_nothing(see, broker, rides):
    assert codes(await see(grow(("rides", 5), validate_only=True))) == {"rides": 0}
    assert count(broker) == 2


@pytest.mark.parametrize("timeout_ms", [0, -1])
async def test_without_any_time_nothing_is_done(see, broker, rides, timeout_ms):
    assert codes(await see(grow(("rides", 5), timeout_ms=timeout_ms))) == {"rides": ErrorCode.REQUEST_TIMED_OUT}
    assert count(broker) == 2


async def test_nothing_asked_is_nothing_answered(see):
    assert (await see(grow())).results == []


async def test_an_assignment_names_this_broker_for_each_new_partition(see, broker, rides):
    assert codes(await see(grow(("rides", 4, [[1], [1]])))) == {"rides": 0}
    assert count(broker) == 4


@pytest.mark.parametrize("assignment", [[], [[1]], [[1], [1], [1]], [[1], [2]], [[1], [1, 1]], [[1], []], [[-1], [1]]])
async def test_what_is_no_assignment_is_refused(see, broker, rides, assignment):
    assert codes(await see(grow(("rides", 4, assignment)))) == {"rides": ErrorCode.INVALID_REPLICA_ASSIGNMENT}
    assert count(broker) == 2


async def test_a_count_that_cannot_be_is_told_before_an_assignment(see, rides):
    assert codes(await see(grow(("rides", 2, [[9]])))) == {"rides": ErrorCode.INVALID_PARTITIONS}


async def test_coordinators_keep_their_number_of_partitions(see, broker):
    """Kafka lets them grow, and looks for what they hold where it is not."""
    topic = await broker.groups.ensure_topic()
    assert codes(await see(grow((topic.name, topic.partitions + 1)))) == {topic.name: ErrorCode.INVALID_REQUEST}
    assert count(broker, topic.name) == topic.partitions


async def test_one_request_may_add_so_many_partitions_over_all_its_topics(see, broker, rides, asker):
    """Kafka has the same bound, and answers UNKNOWN_SERVER_ERROR."""
    await asker.create_topic("cars")
    broker.settings = dataclasses.replace(broker.settings, partitions_per_request_max=10)
    asked = grow(("rides", 10), ("cars", 4), validate_only=True)
    assert codes(await see(asked)) == {"rides": 0, "cars": ErrorCode.POLICY_VIOLATION}
    assert codes(await see(grow(("rides", 2**31 - 1), ("cars", 11)))) == {
        "rides": ErrorCode.POLICY_VIOLATION,
        "cars": 0,
    }
    assert (count(broker), count(broker, "cars")) == (2, 11)


async def test_of_two_who_ask_for_the_same_at_once_one_is_refused(see, broker, rides):
    answers = await asyncio.gather(see(grow(("rides", 3))), see(grow(("rides", 3))))
    assert sorted(codes(answer)["rides"] for answer in answers) == [0, ErrorCode.INVALID_PARTITIONS]


async def test_a_topic_that_is_deleted_meanwhile_is_unknown(see, broker, rides, monkeypatch):
    change = broker.catalog.set_partitions

    async def too_late(topic_id, partitions):
        await broker.catalog.delete_topic(topic_id)
        return await change(topic_id, partitions)

    monkeypatch.setattr(broker.catalog, "set_partitions", too_late)
    assert codes(await see(grow(("rides", 3)))) == {"rides": ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}
