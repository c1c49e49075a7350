"""The administration of partitions: more of them, fewer records, where they lie, who writes, moves and elections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from differential.calls import (
    batch,
    commit,
    create_partitions,
    delete_records,
    fetch,
    fetch_partition,
    list_offsets,
    metadata,
    produce,
)
from differential.scenario import scenario
from differential.stage import Stage
from drave.wire.api import ApiKey
from drave.wire.messages import k61_describe_producers, k75_describe_topic_partitions
from drave.wire.messages.k21_delete_records import DeleteRecordsRequest
from drave.wire.messages.k34_alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from drave.wire.messages.k35_describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from drave.wire.messages.k43_elect_leaders import ElectLeadersRequest, TopicPartitions
from drave.wire.messages.k45_alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from drave.wire.messages.k46_list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)
from drave.wire.messages.k57_update_features import FeatureUpdateKey, UpdateFeaturesRequest

OFFSETS: Final = "__consumer_offsets"


# -- CreatePartitions


@scenario(ApiKey.CREATE_PARTITIONS, count=(-1, 0, 1, 2, 3, 7), validate_only=(False, True))
def numbers_of_partitions(stage: Stage, version: int, count: int, validate_only: bool) -> None:
    topic = stage.topic(partitions=2)
    stage.ask(create_partitions((topic.name, count, None), validate_only=validate_only), version)
    stage.settle()
    grown = stage.ready(partitions=count if count > 2 and not validate_only else 2)
    stage.ask(metadata(grown))
    stage.ask(produce(grown, {0: batch("a"), 2: batch("b")}))
    stage.ask(list_offsets(grown, -1, -1, -1))


@scenario(
    ApiKey.CREATE_PARTITIONS,
    assigned=([], [[1]], [[1], [1]], [[1], [1], [1]], [[1], [2]], [[1], [1, 1]], [[1], []], [[-1], [1]], [[1], [1, 2]]),
)
def assignments_of_new_partitions(stage: Stage, version: int, assigned: Sequence[Sequence[int]]) -> None:
    topic = stage.topic(partitions=2)
    stage.ask(create_partitions((topic.name, 4, assigned)), version)
    stage.ask(create_partitions((topic.name, 2, assigned)), version)


@scenario(ApiKey.CREATE_PARTITIONS, name=("nowhere", "a b", "", "__cluster_metadata"))
def topics_that_cannot_grow(stage: Stage, version: int, name: str) -> None:
    stage.ask(create_partitions((stage.name(name) if name == "nowhere" else name, 3, None)), version)


@scenario(ApiKey.CREATE_PARTITIONS)
def several_topics_at_once(stage: Stage, version: int) -> None:
    first, second = stage.topic("a"), stage.topic("b")
    stage.ask(create_partitions((first.name, 2, None), (second.name, 1, None), (stage.name("c"), 2, None)), version)
    stage.ask(create_partitions((first.name, 3, None), (second.name, 3, None), (first.name, 4, None)), version)
    stage.ask(create_partitions(), version)


@scenario(ApiKey.CREATE_PARTITIONS, timeout_ms=(0, -1))
def growing_without_any_time(stage: Stage, version: int, timeout_ms: int) -> None:
    topic = stage.topic()
    stage.ask(create_partitions((topic.name, 2, None), timeout_ms=timeout_ms), version)
    stage.settle()
    stage.ask(metadata(topic))


@scenario(ApiKey.CREATE_PARTITIONS)
def more_partitions_than_one_request_may_add(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(create_partitions((topic.name, 10_002, None), validate_only=True), version)


@scenario(ApiKey.CREATE_PARTITIONS)
def coordinators_that_are_to_grow(stage: Stage, version: int) -> None:
    stage.quietly(commit(stage.group(), stage.topic(), {0: 0}))
    stage.ask(create_partitions((OFFSETS, 99, None), validate_only=True), version)


@scenario(ApiKey.FETCH, until=12)
def a_session_knows_a_partition_before_it_is_there(stage: Stage, version: int) -> None:
    topic = stage.topic()
    both = [fetch_partition(0, partition) for partition in range(2)]
    first = stage.ask(fetch(topic, *both, session_epoch=0), version)
    stage.quietly(create_partitions((topic.name, 2, None)))
    grown = stage.ready(partitions=2)
    stage.quietly(produce(grown, {1: batch("a")}))
    stage.ask(fetch(None, session_id=first.session_id, session_epoch=1), version)


# -- DeleteRecords


@scenario(ApiKey.DELETE_RECORDS, offset=(-2, -1, 0, 2, 5, 6, 1 << 40))
def offsets_to_delete_before(stage: Stage, version: int, offset: int) -> None:
    topic = stage.topic(partitions=2)
    stage.quietly(produce(topic, batch("a", "b", "c")))
    stage.quietly(produce(topic, batch("d", "e")))
    stage.ask(delete_records(topic, {0: offset}), version)
    stage.ask(list_offsets(topic, -2))
    for start in (0, 1, 2, 5):
        stage.ask(fetch(topic, start))
    stage.ask(delete_records(topic, {0: 1}), version)
    stage.ask(delete_records(topic, {1: offset}), version)


@scenario(ApiKey.DELETE_RECORDS)
def records_of_nobody(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(delete_records(topic, {0: 0, 1: 0, -1: 0}), version)
    for name in (stage.name("nowhere"), "a b", "", "__cluster_metadata"):
        stage.ask(delete_records(name, {0: 0}), version)
    stage.ask(delete_records(topic, {}), version)
    stage.ask(DeleteRecordsRequest(topics=[], timeout_ms=1000), version)


@scenario(ApiKey.DELETE_RECORDS, policy=("delete", "compact", "compact,delete"))
def records_under_a_policy(stage: Stage, version: int, policy: str) -> None:
    topic = stage.topic(cleanup_policy=policy)
    stage.quietly(produce(topic, batch("a", "b", key=b"k")))
    stage.ask(delete_records(topic, {0: 1}), version)


@scenario(ApiKey.DELETE_RECORDS)
def records_of_coordinators(stage: Stage, version: int) -> None:
    stage.quietly(commit(stage.group(), stage.topic(), {0: 0}))
    stage.ask(delete_records(OFFSETS, {0: 0, 99: 0}), version)


@scenario(ApiKey.DELETE_RECORDS)
def a_partition_named_twice(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.quietly(produce(topic, batch("a", "b", "c")))
    once, again = delete_records(topic, {0: 2}), delete_records(topic, {0: 1})
    stage.ask(DeleteRecordsRequest(topics=once.topics + again.topics, timeout_ms=0), version)


# -- log directories


def _log_dirs(*asked: tuple[str, Sequence[int]]) -> DescribeLogDirsRequest:
    return DescribeLogDirsRequest(
        topics=[DescribableLogDirTopic(topic=name, partitions=list(indexes)) for name, indexes in asked]
    )


@scenario(ApiKey.DESCRIBE_LOG_DIRS)
def sizes_of_partitions(stage: Stage, version: int) -> None:
    topic = stage.topic(partitions=3)
    stage.quietly(produce(topic, {1: batch("a", "b")}))
    stage.ask(_log_dirs((topic.name, (0, 1, 2))), version)
    stage.ask(_log_dirs((topic.name, (1, 1, 7, -1)), (topic.name, (0,)), (stage.name("nowhere"), (0,))), version)
    stage.ask(_log_dirs((topic.name, ())), version)
    stage.ask(_log_dirs(), version)
    stage.ask(DescribeLogDirsRequest(topics=None), version, mine=True)


@scenario(ApiKey.ALTER_REPLICA_LOG_DIRS, elsewhere=("", "/nowhere", "data", None))
def replicas_to_be_moved(stage: Stage, version: int, elsewhere: str | None) -> None:
    """None is where they are."""
    topic = stage.topic(partitions=2)
    path = stage.quietly(_log_dirs()).results[0].log_dir if elsewhere is None else elsewhere
    for name, indexes in (
        (topic.name, [0, 1]),
        (topic.name, [2, -1, 0, 0]),
        (stage.name("nowhere"), [0]),
        ("a b", [0]),
    ):
        moved = AlterReplicaLogDir(path=path, topics=[AlterReplicaLogDirTopic(name=name, partitions=indexes)])
        stage.ask(AlterReplicaLogDirsRequest(dirs=[moved]), version)
    stage.ask(AlterReplicaLogDirsRequest(dirs=[AlterReplicaLogDir(path=path, topics=[])]), version)


# -- moves and elections


def _elect(*asked: tuple[str, Sequence[int]], kind: int = 0, timeout_ms: int = 10_000) -> ElectLeadersRequest:
    partitions = [TopicPartitions(topic=name, partitions=list(indexes)) for name, indexes in asked]
    return ElectLeadersRequest(election_type=kind, topic_partitions=partitions, timeout_ms=timeout_ms)


@scenario(ApiKey.ELECT_LEADERS, kind=(0, 1, 2, -1), timeout_ms=(10_000, 0))
def elections(stage: Stage, version: int, kind: int, timeout_ms: int) -> None:
    topic = stage.topic(partitions=2)
    kind = kind if version else 0
    asked = ((topic.name, (0, 1, 2, -1)), (stage.name("nowhere"), (0,)), ("a b", (0,)), (topic.name, (0, 0)))
    stage.ask(_elect(*asked, kind=kind, timeout_ms=timeout_ms), version)
    stage.ask(_elect(kind=kind, timeout_ms=timeout_ms), version)
    everywhere = ElectLeadersRequest(election_type=kind, topic_partitions=None, timeout_ms=timeout_ms)
    stage.ask(everywhere, version, mine=True)


def _reassign(*asked: tuple[str, int, Sequence[int] | None], **more: Any) -> AlterPartitionReassignmentsRequest:
    topics = [
        ReassignableTopic(
            name=name,
            partitions=[
                ReassignablePartition(partition_index=index, replicas=None if brokers is None else list(brokers))
            ],
        )
        for name, index, brokers in asked
    ]
    return AlterPartitionReassignmentsRequest(**{"topics": topics, "timeout_ms": 10_000} | more)


@scenario(
    ApiKey.ALTER_PARTITION_REASSIGNMENTS,
    brokers=([1], [2], [1, 2], [1, 1], [], [-1], None),
    may_change_factor=(True, False),
)
def moves(stage: Stage, version: int, brokers: Sequence[int] | None, may_change_factor: bool) -> None:
    topic = stage.topic()
    factor = {"allow_replication_factor_change": may_change_factor} if version else {}
    for name, index in ((topic.name, 0), (topic.name, 1), (topic.name, -1), (stage.name("nowhere"), 0), ("a b", 0)):
        stage.ask(_reassign((name, index, brokers), **factor), version)


@scenario(ApiKey.ALTER_PARTITION_REASSIGNMENTS, timeout_ms=(0, -1))
def moving_without_any_time(stage: Stage, version: int, timeout_ms: int) -> None:
    stage.ask(_reassign((stage.topic().name, 0, [1]), timeout_ms=timeout_ms), version)


@scenario(ApiKey.LIST_PARTITION_REASSIGNMENTS)
def what_is_on_the_move(stage: Stage, version: int) -> None:
    for name in (stage.topic().name, stage.name("nowhere"), "a b"):
        wanted = [ListPartitionReassignmentsTopics(name=name, partition_indexes=[0, 7])]
        stage.ask(ListPartitionReassignmentsRequest(topics=wanted), version)
    stage.ask(ListPartitionReassignmentsRequest(topics=None), version)
    stage.ask(ListPartitionReassignmentsRequest(topics=[]), version)


# -- features


@scenario(ApiKey.UPDATE_FEATURES, level=(-1, 0, 1), kind=(0, 1, 2, 3, 9))
def features_that_nobody_has(stage: Stage, version: int, level: int, kind: int) -> None:
    update = FeatureUpdateKey(feature="x", max_version_level=level)
    if version:
        update.upgrade_type = kind
    stage.ask(UpdateFeaturesRequest(feature_updates=[update, update]), version)
    stage.ask(UpdateFeaturesRequest(feature_updates=[]), version)


@scenario(ApiKey.UPDATE_FEATURES, timeout_ms=(-1, 0))
def features_when_no_time_is_left(stage: Stage, version: int, timeout_ms: int) -> None:
    """The one change to the cluster that does not look at it."""
    update = FeatureUpdateKey(feature="x", max_version_level=1)
    stage.ask(UpdateFeaturesRequest(timeout_ms=timeout_ms, feature_updates=[update]), version)
    stage.ask(UpdateFeaturesRequest(timeout_ms=timeout_ms, feature_updates=[]), version)


# -- producers


def _producers(*asked: tuple[str, Sequence[int]]) -> k61_describe_producers.DescribeProducersRequest:
    return k61_describe_producers.DescribeProducersRequest(
        topics=[k61_describe_producers.TopicRequest(name=name, partition_indexes=list(each)) for name, each in asked]
    )


@scenario(ApiKey.DESCRIBE_PRODUCERS)
def who_has_written(stage: Stage, version: int) -> None:
    topic = stage.topic(partitions=2)
    stage.quietly(produce(topic, batch("a", "b", producer=(1_000_007, 2, 0))))
    stage.quietly(produce(topic, batch("c", producer=(1_000_007, 2, 2), time_ms=1_500_000_000_000)))
    stage.quietly(produce(topic, batch("d", producer=(1_000_009, 0, 40))))
    stage.quietly(produce(topic, batch("e")))
    stage.ask(_producers((topic.name, (0, 1))), version)
    stage.ask(_producers((topic.name, (7, -1, 1)), (stage.name("nowhere"), (0,)), ("a b", (0,)), ("", (0,))), version)
    stage.ask(_producers((topic.name, ())), version)
    stage.ask(_producers(), version)


# -- DescribeTopicPartitions


def _pages(*names: str, limit: int = 2000, cursor: tuple[str, int] | None = None) -> Any:
    return k75_describe_topic_partitions.DescribeTopicPartitionsRequest(
        topics=[k75_describe_topic_partitions.TopicRequest(name=name) for name in names],
        response_partition_limit=limit,
        cursor=None
        if cursor is None
        else k75_describe_topic_partitions.Cursor(topic_name=cursor[0], partition_index=cursor[1]),
    )


def _three(stage: Stage) -> list[str]:
    return [stage.topic(word, partitions=count).name for word, count in (("a", 3), ("b", 2), ("c", 1))]


@scenario(ApiKey.DESCRIBE_TOPIC_PARTITIONS, limit=(-1, 0, 1, 2, 3, 4, 5, 6, 7))
def pages(stage: Stage, version: int, limit: int) -> None:
    names = _three(stage)
    stage.ask(_pages(*reversed(names), limit=limit), version)
    stage.ask(_pages(*names, stage.name("aa"), stage.name("d"), "a b", names[0], limit=limit), version)


@scenario(
    ApiKey.DESCRIBE_TOPIC_PARTITIONS,
    cursor=(("a", -1), ("a", 0), ("a", 1), ("a", 3), ("a", 9), ("b", 1), ("c", 0), ("c", 1), ("aa", 0), ("d", 0)),
)
def cursors(stage: Stage, version: int, cursor: tuple[str, int]) -> None:
    names = _three(stage)
    where = stage.name(cursor[0]), cursor[1]
    stage.ask(_pages(*names, limit=3, cursor=where), version)
    stage.ask(_pages(*names, stage.name("aa"), limit=3, cursor=where), version)
