"""DeleteTopics: checked case by case against Apache Kafka 4.3.1."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.wire.messages.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState

STRANGER = TopicId(b"\x07" * 16)


def delete(*asked: str | TopicId | tuple[str | None, TopicId], timeout_ms: int = 5000) -> DeleteTopicsRequest:
    states = []
    for each in asked:
        name, topic_id = each if isinstance(each, tuple) else (each, None) if isinstance(each, str) else (None, each)
        states.append(DeleteTopicState(name=name, topic_id=topic_id or ZERO_TOPIC_ID))
    names = [state.name for state in states if state.name]
    return DeleteTopicsRequest(topics=states, topic_names=names, timeout_ms=timeout_ms)


@pytest.fixture
async def rides(asker):
    return await asker.create_topic("rides", partitions=2)


@pytest.mark.parametrize("version", range(1, 7))
async def test_a_topic_is_deleted_by_name(see, broker, rides, version):
    (result,) = (await see(delete("rides"), version)).responses
    assert (result.name, result.error_code, result.error_message) == ("rides", 0, None)
    assert result.topic_id == (rides.topic_id if version >= 6 else ZERO_TOPIC_ID)
    assert broker.catalog.topic("rides") is None
    assert broker.logs.partition(rides.topic_id, 0) is None


async def test_a_topic_is_deleted_by_id_and_named_in_the_answer(see, broker, rides):
    """KIP-516."""
    (result,) = (await see(delete(rides.topic_id))).responses
    assert (result.name, result.topic_id, result.error_code) == ("rides", rides.topic_id, 0)
    assert broker.catalog.tombstones() == {rides.topic_id}


@pytest.mark.parametrize("timeout_ms", [0, -1])
async def test_without_any_time_nothing_is_deleted(see, broker, rides, timeout_ms):
    """Nor looked up: an unknown topic is told the same."""
    results = (await see(delete(rides.topic_id, "nope", timeout_ms=timeout_ms))).responses
    assert [result.error_code for result in results] == [ErrorCode.REQUEST_TIMED_OUT] * 2
    assert "rides" in broker.catalog.topics()


@pytest.mark.parametrize("name", ["nope", "a b"])
async def test_an_unknown_name_is_unknown(see, name):
    (result,) = (await see(delete(name))).responses
    assert (result.name, result.topic_id) == (name, ZERO_TOPIC_ID)
    assert result.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert result.error_message


async def test_an_unknown_id_is_unknown(see):
    (result,) = (await see(delete(STRANGER))).responses
    assert (result.name, result.topic_id, result.error_code) == (None, STRANGER, ErrorCode.UNKNOWN_TOPIC_ID)


async def test_a_name_and_an_id_together_or_neither_are_refused(see, broker, rides):
    for asked in (("rides", rides.topic_id), (None, ZERO_TOPIC_ID)):
        (result,) = (await see(delete(asked))).responses
        assert result.error_code == ErrorCode.INVALID_REQUEST
    assert "rides" in broker.catalog.topics()


async def test_a_topic_that_comes_twice_is_refused_and_stays(see, broker, asker, rides):
    await asker.create_topic("cars")
    results = (await see(delete("rides", "cars", "rides"))).responses
    assert {result.name: result.error_code for result in results} == {"rides": ErrorCode.INVALID_REQUEST, "cars": 0}
    assert len(results) == 2
    assert list(broker.catalog.topics()) == ["rides"]


async def test_a_name_and_an_id_that_mean_the_same_topic_are_refused(see, broker, rides):
    results = (await see(delete("rides", rides.topic_id))).responses
    assert {result.error_code for result in results} == {ErrorCode.INVALID_REQUEST}
    assert "rides" in broker.catalog.topics()


async def test_a_refused_mention_does_not_count(see, broker, rides):
    both, name = (await see(delete(("rides", rides.topic_id), "rides"))).responses
    assert both.error_code == ErrorCode.INVALID_REQUEST
    assert name.error_code == 0


async def test_of_two_who_delete_the_same_at_once_one_finds_it_gone(see, rides):
    answers = await asyncio.gather(see(delete("rides")), see(delete("rides")))
    assert sorted(answer.responses[0].error_code for answer in answers) == [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]


async def test_an_internal_topic_goes_like_any_other(see, broker):
    await broker.groups.ensure_topic()
    (result,) = (await see(delete("__consumer_offsets"))).responses
    assert result.error_code == 0
    assert not broker.catalog.topics()


async def test_nothing_asked_is_nothing_answered(see):
    assert (await see(delete())).responses == []


@pytest.mark.parametrize(
    ("version", "code"), [(1, ErrorCode.INVALID_REQUEST), (3, ErrorCode.TOPIC_DELETION_DISABLED), (6, 73)]
)
async def test_a_broker_may_delete_no_topics(see, broker, rides, version, code):
    broker.settings = dataclasses.replace(broker.settings, delete_topics=False)
    results = (await see(delete("rides", "nope"), version)).responses
    assert [result.error_code for result in results] == [code, code]
    assert "rides" in broker.catalog.topics()
