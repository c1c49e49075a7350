"""CreateTopics: checked case by case against Apache Kafka 4.3.1; where Drave differs, the test says so."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from drave.model.dynamic_settings import SettingLayers
from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID
from drave.model.topic_configs import TOPIC_CONFIGS
from drave.wire.messages.k19_create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)

SHOWN = sum(not key.hidden for key in TOPIC_CONFIGS.values())


def topic(name="rides", partitions=1, factor=1, assignment=None, configs=None) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=factor,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=brokers) for index, brokers in assignment or []
        ],
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in (configs or {}).items()],
    )


def create(*topics: CreatableTopic, validate_only=False, timeout_ms=5000) -> CreateTopicsRequest:
    return CreateTopicsRequest(topics=list(topics), validate_only=validate_only, timeout_ms=timeout_ms)


async def code_for(see, broker, asked: CreatableTopic) -> ErrorCode:
    """The code that a topic is refused with, and nothing was created."""
    (result,) = (await see(create(asked))).topics
    assert result.error_code != 0
    assert result.error_message
    assert (result.num_partitions, result.replication_factor, result.configs) == (-1, -1, [])
    assert result.topic_id == ZERO_TOPIC_ID
    assert asked.name not in broker.catalog.topics()
    return ErrorCode(result.error_code)


@pytest.mark.parametrize("version", range(2, 8))
async def test_a_topic_is_created_and_durable_when_answered(see, broker, version):
    (result,) = (await see(create(topic(partitions=3)), version)).topics
    created = broker.catalog.topic("rides")
    assert (result.name, result.error_code, result.error_message) == ("rides", 0, None)
    assert created.partitions == 3
    assert broker.partition(created, 2) is not None
    assert result.topic_id == (created.topic_id if version >= 7 else ZERO_TOPIC_ID)
    assert (result.num_partitions, result.replication_factor) == ((3, 1) if version >= 5 else (-1, -1))


async def test_minus_one_asks_for_the_brokers_own_numbers(see, broker):
    broker.settings = dataclasses.replace(broker.settings, num_partitions=4)
    (result,) = (await see(create(topic(partitions=-1, factor=-1)))).topics
    assert (result.num_partitions, result.replication_factor) == (4, 1)


async def test_the_answer_has_every_config_and_where_it_comes_from(see, broker):
    """KIP-525. Values are as they were written."""
    broker.layers = SettingLayers.of(dataclasses.replace(broker.settings, topic_defaults={"segment.ms": "7"}))
    (result,) = (await see(create(topic(configs={"retention.ms": " 5 "})))).topics
    configs = {config.name: (config.value, config.config_source) for config in result.configs}
    assert len(configs) == SHOWN
    assert list(configs) == sorted(configs)
    assert configs["retention.ms"] == (" 5 ", 1)
    assert configs["segment.ms"] == ("7", 4)
    assert configs["retention.bytes"] == ("-1", 5)
    assert not any(config.read_only or config.is_sensitive for config in result.configs)


@pytest.mark.parametrize("timeout_ms", [0, -1])
async def test_without_any_time_nothing_is_created(see, broker, timeout_ms):
    """Whatever else is wrong; Kafka's controller does not even look."""
    asked = create(topic(), topic("a b"), timeout_ms=timeout_ms)
    assert {each.name: each.error_code for each in (await see(asked)).topics} == {
        "rides": ErrorCode.REQUEST_TIMED_OUT,
        "a b": ErrorCode.REQUEST_TIMED_OUT,
    }
    assert not broker.catalog.topics()


async def test_validating_creates_nothing_and_answers_as_creating_would(see, broker):
    (result,) = (await see(create(topic(partitions=3, configs={"retention.ms": "5"}), validate_only=True))).topics
    assert (result.error_code, result.num_partitions, len(result.configs)) == (0, 3, SHOWN)
    assert not broker.catalog.topics()
    (refused,) = (await see(create(topic("a b"), validate_only=True))).topics
    assert refused.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION


@pytest.mark.parametrize("name", ["", ".", "..", "x" * 250, "a b", "é"])
async def test_an_illegal_name_is_refused(see, broker, name):
    assert await code_for(see, broker, topic(name)) is ErrorCode.INVALID_TOPIC_EXCEPTION


@pytest.mark.parametrize("name", ["__cluster_metadata", "__consumer_offsets", "__transaction_state"])
async def test_the_brokers_own_topics_are_not_for_clients_to_create(see, broker, name):
    """Kafka refuses only the first; see the handler for why not."""
    assert await code_for(see, broker, topic(name)) is ErrorCode.INVALID_REQUEST


async def test_a_name_that_is_taken_or_collides_is_refused(see, asker):
    await asker.create_topic("a.b")
    first, second = (await see(create(topic("a.b"), topic("a_b")))).topics
    assert first.error_code == ErrorCode.TOPIC_ALREADY_EXISTS
    assert second.error_code == ErrorCode.INVALID_TOPIC_EXCEPTION


async def test_of_two_who_create_the_same_at_once_one_is_refused(see):
    answers = await asyncio.gather(see(create(topic())), see(create(topic())))
    assert sorted(answer.topics[0].error_code for answer in answers) == [0, ErrorCode.TOPIC_ALREADY_EXISTS]


async def test_a_name_that_comes_twice_is_refused_once_and_the_others_are_created(see, broker):
    results = (await see(create(topic("a"), topic("b"), topic("a")))).topics
    assert {result.name: result.error_code for result in results} == {"a": ErrorCode.INVALID_REQUEST, "b": 0}
    assert len(results) == 2
    assert list(broker.catalog.topics()) == ["b"]


async def test_a_fault_belongs_to_its_topic_alone(see, broker):
    results = (await see(create(topic("a"), topic("b", partitions=0), topic("c")))).topics
    assert [result.error_code for result in results] == [0, ErrorCode.INVALID_PARTITIONS, 0]
    assert list(broker.catalog.topics()) == ["a", "c"]


@pytest.mark.parametrize("partitions", [0, -2])
async def test_a_number_of_partitions_is_positive(see, broker, partitions):
    assert await code_for(see, broker, topic(partitions=partitions)) is ErrorCode.INVALID_PARTITIONS


@pytest.mark.parametrize("factor", [0, -2, 2, 3])
async def test_a_replication_factor_is_one(see, broker, factor):
    assert await code_for(see, broker, topic(factor=factor)) is ErrorCode.INVALID_REPLICATION_FACTOR


async def test_a_replication_factor_above_one_is_refused_with_the_remedy(see):
    (result,) = (await see(create(topic(factor=3)))).topics
    assert "ask for 1, or for -1" in result.error_message


async def test_more_partitions_than_one_request_may_ask_for_are_refused_as_a_whole(see, broker):
    results = (await see(create(topic("a", partitions=9_999), topic("b", -1), topic("c", -1), topic("d", -2)))).topics
    assert {result.error_code for result in results} == {ErrorCode.POLICY_VIOLATION}
    assert not broker.catalog.topics()


@pytest.mark.parametrize(
    ("configs", "says"),
    [
        ({"retention.ms": "x"}, "retention.ms"),
        ({"no.such": "x"}, "no.such"),
        ({"retention.ms": None}, "retention.ms"),
        ({"remote.storage.enable": "true"}, "tiered"),
        ({"flush.messages": "1"}, "durability"),
    ],
)
async def test_a_config_that_cannot_be_is_refused_and_named(see, broker, configs, says):
    """The broker under test runs with durability = os."""
    assert await code_for(see, broker, topic(configs=configs)) is ErrorCode.INVALID_CONFIG
    (result,) = (await see(create(topic(configs=configs)))).topics
    assert says in result.error_message


async def test_the_last_of_two_values_for_a_config_counts(see, broker):
    asked = topic()
    asked.configs = [CreatableTopicConfig(name="retention.ms", value=value) for value in ("1", "2")]
    await see(create(asked))
    assert broker.catalog.topic("rides").config.retention_ms == 2


async def test_faults_are_found_in_kafkas_order(see, asker, broker):
    await asker.create_topic("taken")
    wrong = {"no.such": "x"}
    results = (
        await see(create(topic("taken", 0, 0, None, wrong), topic("a", 0, 0, None, wrong), topic("b", 0, 0)))
    ).topics
    assert [result.error_code for result in results] == [
        ErrorCode.TOPIC_ALREADY_EXISTS,
        ErrorCode.INVALID_CONFIG,
        ErrorCode.INVALID_REPLICATION_FACTOR,
    ]
    (both,) = (await see(create(topic("b", 0, 2)))).topics
    assert both.error_code == ErrorCode.INVALID_PARTITIONS


class TestAssignments:
    """A client may say which broker holds which partition."""

    async def test_it_gives_the_number_of_partitions(self, see, broker):
        (result,) = (await see(create(topic(partitions=-1, factor=-1, assignment=[(1, [1]), (0, [1])])))).topics
        assert (result.error_code, result.num_partitions, result.replication_factor) == (0, 2, 1)
        assert broker.catalog.topic("rides").partitions == 2

    @pytest.mark.parametrize(("partitions", "factor"), [(1, -1), (-1, 1), (1, 1)])
    async def test_counts_beside_it_are_refused(self, see, broker, partitions, factor):
        asked = topic(partitions=partitions, factor=factor, assignment=[(0, [1])])
        assert await code_for(see, broker, asked) is ErrorCode.INVALID_REQUEST

    @pytest.mark.parametrize(
        "assignment",
        [
            [(0, [2])],
            [(0, [1, 1])],
            [(0, [])],
            [(1, [1])],
            [(0, [1]), (2, [1])],
            [(0, [1]), (0, [1])],
            [(-1, [1])],
            [(0, [1]), (1, [1, 2])],
        ],
    )
    async def test_what_is_no_assignment_is_refused(self, see, broker, assignment):
        asked = topic(partitions=-1, factor=-1, assignment=assignment)
        assert await code_for(see, broker, asked) is ErrorCode.INVALID_REPLICA_ASSIGNMENT
