"""CreateTopics, DeleteTopics and DescribeCluster."""

from __future__ import annotations

from collections.abc import Sequence

from differential.calls import creatable, create_topics, delete_topics
from differential.scenario import scenario
from differential.stage import Stage
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.wire.api import ApiKey
from drave.wire.messages.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from drave.wire.messages.k60_describe_cluster import DescribeClusterRequest

CREATE = ApiKey.CREATE_TOPICS
DELETE = ApiKey.DELETE_TOPICS
DESCRIBE_CLUSTER = ApiKey.DESCRIBE_CLUSTER
BY_ID_SINCE = 6


# -- CreateTopics


@scenario(CREATE, validate_only=(False, True))
def a_topic_is_made(stage: Stage, version: int, validate_only: bool) -> None:
    wanted = creatable(stage.name(), 3)
    stage.ask(create_topics(wanted, validate_only=validate_only), version)
    stage.ask(create_topics(wanted, validate_only=validate_only), version)


@scenario(CREATE, partitions=(-1, 0, -2, -(2**31)))
def how_many_partitions(stage: Stage, version: int, partitions: int) -> None:
    stage.ask(create_topics(creatable(stage.name(), partitions)), version)


@scenario(CREATE, replicas=(-1, 0, 2, 3, -2, 32767))
def how_many_replicas(stage: Stage, version: int, replicas: int) -> None:
    stage.ask(create_topics(creatable(stage.name(), 1, replicas)), version)


@scenario(version=(2, 7), partitions=(10_001, 2**31 - 1))
def too_many_partitions(stage: Stage, version: int, partitions: int) -> None:
    stage.ask(create_topics(creatable(stage.name(), partitions)), version)


@scenario(CREATE, name=("", ".", "..", "a b", "a/b", "a,b", "ü", "\0", "a" * 243))
def names_that_no_topic_can_have(stage: Stage, version: int, name: str) -> None:
    name = name if len(name) < 3 else stage.name(name)
    stage.ask(create_topics(creatable(name)), version)


@scenario(version=(2, 7), name=("a" * 242, "a-._Z9", "..."))
def names_that_a_topic_can_have(stage: Stage, version: int, name: str) -> None:
    stage.ask(create_topics(creatable(stage.name(name))), version)


@scenario(CREATE)
def dots_and_underscores_collide(stage: Stage, version: int) -> None:
    stage.topic("a.b")
    stage.ask(create_topics(creatable(stage.name("a_b"))), version)
    stage.ask(create_topics(creatable(stage.name("c.d")), creatable(stage.name("c_d"))), version)


@scenario(CREATE)
def several_at_once_each_by_itself(stage: Stage, version: int) -> None:
    names = [stage.name(word) for word in ("a", "b c", "d")]
    stage.ask(create_topics(*map(creatable, names)), version)
    stage.ask(create_topics(), version)


@scenario(CREATE)
def the_same_name_twice(stage: Stage, version: int) -> None:
    name = stage.name()
    stage.ask(create_topics(creatable(name), creatable(name), creatable(stage.name("b"))), version)


ASSIGNMENTS: dict[str, dict[int, Sequence[int]]] = {
    "two": {0: [1], 1: [1]},
    "one": {0: [1]},
    "not from 0": {1: [1], 2: [1]},
    "with a gap": {0: [1], 2: [1]},
    "negative": {-1: [1]},
    "unknown broker": {0: [9]},
    "negative broker": {0: [-1]},
    "same broker twice": {0: [1, 1]},
    "no broker": {0: []},
    "some without broker": {0: [1], 1: []},
    "of different sizes": {0: [1], 1: [1, 1]},
}


@scenario(CREATE, assigned=ASSIGNMENTS)
def assignments(stage: Stage, version: int, assigned: str) -> None:
    stage.ask(create_topics(creatable(stage.name(), -1, -1, assignments=ASSIGNMENTS[assigned])), version)


@scenario(CREATE, counts=((2, 1), (2, -1), (-1, 1), (1, 1)))
def assignments_beside_counts(stage: Stage, version: int, counts: tuple[int, int]) -> None:
    stage.ask(create_topics(creatable(stage.name(), *counts, assignments={0: [1], 1: [1]})), version)


@scenario(CREATE)
def configs_that_are_wrong(stage: Stage, version: int) -> None:
    wrong: list[dict[str, str | None]] = [
        {"no.such.config": "1"},
        {"retention.ms": "soon"},
        {"retention.ms": "-2"},
        {"retention.ms": None},
        {"cleanup.policy": "burn"},
        {"segment.bytes": "1"},
        {"compression.type": "rar"},
        {"": "x"},
    ]
    for number, configs in enumerate(wrong):
        stage.ask(create_topics(creatable(stage.name(f"t{number}"), configs=configs)), version)


@scenario(CREATE, since=5)
def configs_come_with_the_answer(stage: Stage, version: int) -> None:
    configs: dict[str, str | None] = {"retention.ms": " 1000 ", "cleanup.policy": "compact,delete"}
    answer = stage.connection.answer(stage.send(create_topics(creatable(stage.name(), configs=configs)), version))
    (topic,) = answer.topics
    given = {config.name: [config.value, config.config_source, config.read_only] for config in topic.configs}
    stage.see("given", {name: given.get(name) for name in configs})
    stage.see("default", given["max.message.bytes"])


# -- DeleteTopics


@scenario(DELETE)
def topics_are_deleted(stage: Stage, version: int) -> None:
    first, second = stage.topic("a"), stage.topic("b")
    stage.ask(delete_topics(first, second), version)
    stage.gone(first)
    stage.ask(delete_topics(first), version)


@scenario(DELETE)
def topics_that_are_not_there(stage: Stage, version: int) -> None:
    stage.ask(delete_topics(stage.name("nowhere"), stage.name("a b")), version)
    stage.ask(delete_topics(""), version)
    stage.ask(delete_topics(), version)


@scenario(DELETE)
def the_same_topic_twice(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(delete_topics(topic, topic), version)


@scenario(DELETE, since=BY_ID_SINCE)
def by_id(stage: Stage, version: int) -> None:
    topic = stage.topic()
    for name, id_ in ((None, TopicId(b"\7" * 16)), (None, ZERO_TOPIC_ID), (topic.name, topic.id), (None, topic.id)):
        request = DeleteTopicsRequest(topics=[DeleteTopicState(name=name, topic_id=id_)], timeout_ms=10_000)
        stage.ask(request, version)


@scenario(DELETE)
def made_again_under_the_same_name(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(delete_topics(topic), version)
    stage.gone(topic)
    stage.ask(create_topics(creatable(topic.name, 2)))
    stage.see("another id", stage.ready(partitions=2).id != topic.id)


# -- DescribeCluster


@scenario(DESCRIBE_CLUSTER, operations=(False, True))
def the_cluster(stage: Stage, version: int, operations: bool) -> None:
    stage.ask(DescribeClusterRequest(include_cluster_authorized_operations=operations), version)


@scenario(DESCRIBE_CLUSTER, since=1, kind=(0, 1, 2, 3))
def kinds_of_endpoints(stage: Stage, version: int, kind: int) -> None:
    request = DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=kind)
    stage.ask(request, version)
