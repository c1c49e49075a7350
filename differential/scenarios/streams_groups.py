"""Streams groups (KIP-1071): heartbeats, topologies and their topics, tasks, offsets, and what tools see of them.

Apache Kafka makes internal topics after it has answered, and Drave before: where they matter, it is waited until they
are there, or they are made beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from differential.calls import commit, committed, creatable, create_topics, delete_topics, join, metadata
from differential.scenario import scenario
from differential.stage import Stage, Topic
from differential.writers import new_writer
from drave.wire.api import ApiKey
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k16_list_groups import ListGroupsRequest
from drave.wire.messages.k32_describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from drave.wire.messages.k37_create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest
from drave.wire.messages.k44_incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from drave.wire.messages.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from drave.wire.messages.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from drave.wire.messages.k69_consumer_group_describe import ConsumerGroupDescribeRequest
from drave.wire.messages.k88_streams_group_heartbeat import (
    CopartitionGroup,
    Endpoint,
    KeyValue,
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    Subtopology,
    TaskIds,
    TaskOffset,
    TopicInfo,
    Topology,
)
from drave.wire.messages.k89_streams_group_describe import StreamsGroupDescribeRequest

HEARTBEAT = ApiKey.STREAMS_GROUP_HEARTBEAT
DESCRIBE = ApiKey.STREAMS_GROUP_DESCRIBE
COMMIT = ApiKey.OFFSET_COMMIT
FETCH = ApiKey.OFFSET_FETCH
TXN_COMMIT = ApiKey.TXN_OFFSET_COMMIT
LEAVE = -1
TOPIC, GROUP = 2, 32

Tasks = dict[str, list[int]]


@dataclass
class Member:
    """A member that does what it is told."""

    stage: Stage
    group: str
    id: str
    process: str = ""
    epoch: int = 0
    active: Tasks = field(default_factory=dict)
    standby: Tasks = field(default_factory=dict)

    def join(self, said: Topology, **more: Any) -> Any:
        self.epoch, self.active, self.standby = 0, {}, {}
        return self.send(**self.joining(said) | more)

    def joining(self, topology: Topology) -> dict[str, Any]:
        """What a join says."""
        return {
            "topology": topology,
            "rebalance_timeout_ms": 60_000,
            "process_id": self.process or f"process of {self.id}",
            "client_tags": [],
            **_owned({}, {}),
        }

    def beat(self, **more: Any) -> Any:
        """Say what it has, and do what the answer says."""
        return self.send(**_owned(self.active, self.standby) | more)

    def send(self, epoch: int | None = None, **more: Any) -> Any:
        answer = self.stage.ask(self.request(epoch, **more))
        if answer is not None and not answer.error_code:
            self.obey(answer)
        return answer

    def request(self, epoch: int | None = None, **more: Any) -> StreamsGroupHeartbeatRequest:
        given = {
            "group_id": self.group,
            "member_id": self.id,
            "member_epoch": self.epoch if epoch is None else epoch,
            "endpoint_information_epoch": 0,
        }
        return StreamsGroupHeartbeatRequest(**given | more)

    def enter(self, topology: Topology) -> None:
        """Join quietly, with all internal topics there at the end."""
        request = self.request(0, **self.joining(topology))
        self.obey(self.stage.wait(request, lambda answer: not answer.error_code and not answer.status))

    def obey(self, answer: StreamsGroupHeartbeatResponse) -> None:
        self.epoch = answer.member_epoch
        if answer.active_tasks is not None:
            self.active = {each.subtopology_id: each.partitions for each in answer.active_tasks}
            self.standby = {each.subtopology_id: each.partitions for each in answer.standby_tasks or []}


def _owned(active: Tasks, standby: Tasks) -> dict[str, list[TaskIds]]:
    return {
        "active_tasks": [TaskIds(subtopology_id=name, partitions=each) for name, each in active.items()],
        "standby_tasks": [TaskIds(subtopology_id=name, partitions=each) for name, each in standby.items()],
        "warmup_tasks": [],
    }


def _sub(
    name: str,
    *sources: Topic | str,
    writes: tuple[str, ...] = (),
    reads: tuple[TopicInfo, ...] = (),
    changelogs: tuple[TopicInfo, ...] = (),
    joined: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (),
) -> Subtopology:
    return Subtopology(
        subtopology_id=name,
        source_topics=[topic if isinstance(topic, str) else topic.name for topic in sources],
        source_topic_regex=[],
        state_changelog_topics=list(changelogs),
        repartition_sink_topics=list(writes),
        repartition_source_topics=list(reads),
        copartition_groups=[
            CopartitionGroup(source_topics=list(a), source_topic_regex=[], repartition_source_topics=list(b))
            for a, b in joined
        ],
    )


def _top(*subtopologies: Subtopology, epoch: int = 0) -> Topology:
    return Topology(epoch=epoch, subtopologies=list(subtopologies))


def _internal(name: str, partitions: int = 0, factor: int = 0, **configs: str) -> TopicInfo:
    return TopicInfo(
        name=name,
        partitions=partitions,
        replication_factor=factor,
        topic_configs=[KeyValue(key=key.replace("_", "."), value=value) for key, value in configs.items()],
    )


def _topic(stage: Stage, word: str = "a", *, partitions: int = 1) -> Topic:
    """A topic that the group coordinator knows of: the rest of Kafka's broker may know it a moment earlier."""
    topic = stage.topic(word, partitions=partitions)
    stage.settle()
    return topic


def _describe(stage: Stage, *groups: str) -> None:
    stage.ask(StreamsGroupDescribeRequest(group_ids=list(groups), include_authorized_operations=False))


def _grow(stage: Stage, topic: Topic, count: int) -> None:
    grown = CreatePartitionsTopic(name=topic.name, count=count, assignments=None)
    stage.quietly(CreatePartitionsRequest(topics=[grown], timeout_ms=10_000, validate_only=False))
    stage.ready(partitions=count)


def _set(stage: Stage, group: str, **configs: str) -> None:
    given = [
        AlterableConfig(name=name.replace("_", "."), config_operation=0, value=value) for name, value in configs.items()
    ]
    resource = AlterConfigsResource(resource_type=GROUP, resource_name=group, configs=given)
    stage.quietly(IncrementalAlterConfigsRequest(resources=[resource], validate_only=False))
    wanted = DescribeConfigsResource(resource_type=GROUP, resource_name=group, configuration_keys=[given[0].name])
    stage.wait(
        DescribeConfigsRequest(resources=[wanted], include_synonyms=False, include_documentation=False),
        lambda answer: answer.results[0].configs[0].value == given[0].value,
    )
    stage.settle()


# -- heartbeats


@scenario()
def a_member_comes_and_goes(stage: Stage) -> None:
    topic, group = _topic(stage, partitions=3), stage.group()
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    member.send()
    member.beat()
    _describe(stage, group)
    member.beat(rack_id="r", client_tags=[KeyValue(key="k", value="v")], user_endpoint=Endpoint(host="h", port=1))
    member.beat()
    _describe(stage, group)
    member.send(LEAVE)
    _describe(stage, group)
    member.beat()


@scenario()
def a_member_joins_again(stage: Stage) -> None:
    topic, group = _topic(stage, partitions=3), stage.group()
    said = _top(_sub("0", topic))
    member = Member(stage, group, "a")
    member.join(said)
    member.join(said)
    member.join(said, process_id="another")
    member.beat()
    _describe(stage, group)


@scenario()
def two_members_share(stage: Stage) -> None:
    topic, group = _topic(stage, partitions=4), stage.group()
    said = _top(_sub("0", topic))
    first, second = Member(stage, group, "a"), Member(stage, group, "b")
    first.join(said)
    second.join(said)
    _describe(stage, group)
    has = first.active
    first.beat()
    _describe(stage, group)
    second.beat()
    first.send(2, **_owned(has, {}))
    first.beat()
    _describe(stage, group)
    second.beat()
    second.beat()
    _describe(stage, group)
    first.send(LEAVE)
    second.beat()
    _describe(stage, group)


@scenario()
def two_threads_of_one_process(stage: Stage) -> None:
    topic, group = _topic(stage, partitions=2), stage.group()
    said = _top(_sub("0", topic))
    first, second = Member(stage, group, "a", "p"), Member(stage, group, "b", "p")
    first.join(said)
    second.join(said)
    first.beat()
    first.beat()
    second.beat()
    _describe(stage, group)


@scenario()
def a_member_comes_back_with_less_than_it_was_given(stage: Stage) -> None:
    topic, group = _topic(stage, partitions=4), stage.group()
    said = _top(_sub("0", topic))
    first, second = Member(stage, group, "a"), Member(stage, group, "b")
    first.join(said)
    second.join(said)
    first.beat()
    first.beat()
    first.send(2, **_owned({"0": first.active["0"][:1]}, {}))
    first.send(2, **_owned({}, {}))
    first.send(2)
    first.send(1, **_owned({}, {}))
    _describe(stage, group)


@scenario(epoch=(-3, -2, 1, 3, 99))
def an_epoch_that_is_not_the_members(stage: Stage, epoch: int) -> None:
    topic, group = _topic(stage, partitions=2), stage.group()
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    member.send(epoch)
    member.send(epoch, **_owned(member.active, {}))


@scenario()
def nobody_and_nothing(stage: Stage) -> None:
    topic, group = _topic(stage), stage.group()
    Member(stage, group, "a", epoch=1).send()
    Member(stage, group, "a").send(LEAVE)
    Member(stage, group, "a").join(_top(_sub("0", topic)))
    Member(stage, group, "b", epoch=1).send()
    Member(stage, group, "b").send(LEAVE)
    Member(stage, "", "b").join(_top(_sub("0", topic)))
    Member(stage, group, "").join(_top(_sub("0", topic)))
    Member(stage, " ", " ").send(LEAVE)


def _instance() -> dict[str, Any]:
    return {"instance_id": "i"}


def _rack() -> dict[str, Any]:
    return {"rack_id": ""}


def _offsets() -> dict[str, Any]:
    return {"task_offsets": [TaskOffset(subtopology_id="0", partition=0, offset=1)]}


def _end_offsets() -> dict[str, Any]:
    return {"task_end_offsets": []}


def _warmups() -> dict[str, Any]:
    return {"warmup_tasks": [TaskIds(subtopology_id="0", partitions=[0])]}


def _actives_only() -> dict[str, Any]:
    return {"active_tasks": [], "standby_tasks": None, "warmup_tasks": None}


def _no_timeout() -> dict[str, Any]:
    return {"rebalance_timeout_ms": -1}


def _no_topology() -> dict[str, Any]:
    return {"topology": None}


def _tasks() -> dict[str, Any]:
    return _owned({"0": [0]}, {})


def _standbys() -> dict[str, Any]:
    return _owned({}, {"0": [0]})


ODD = (
    _instance, _rack, _offsets, _end_offsets, _warmups, _actives_only, _no_timeout, _no_topology, _tasks, _standbys,
)  # fmt: skip


@scenario(odd=ODD)
def an_odd_join(stage: Stage, odd: Any) -> None:
    topic, group = _topic(stage), stage.group()
    Member(stage, group, "a").join(_top(_sub("0", topic)), **odd())
    _describe(stage, group)


@scenario(odd=(*ODD[:6],))
def an_odd_heartbeat(stage: Stage, odd: Any) -> None:
    topic, group = _topic(stage), stage.group()
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    member.beat(**odd())
    member.send(LEAVE, **odd())


@scenario(tasks=("9", "0"), partition=(-1, 0, 1, 7))
def tasks_that_it_cannot_have(stage: Stage, tasks: str, partition: int) -> None:
    topic, group = _topic(stage), stage.group()
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    member.send(**_owned({tasks: [partition]}, {}))
    member.send(topology=_top(_sub("0", topic)))
    member.send(**_owned({}, {tasks: [partition]}))


# -- topologies


@scenario()
def another_topology(stage: Stage) -> None:
    topic, group = _topic(stage), stage.group()
    other = _topic(stage, "b")
    first, second = Member(stage, group, "a"), Member(stage, group, "b")
    first.join(_top(_sub("0", topic), epoch=3))
    second.join(_top(_sub("0", other), epoch=3))
    second.join(_top(_sub("0", topic), epoch=4))
    second.join(_top(_sub("0", other), epoch=2))
    second.beat()
    first.beat()
    _describe(stage, group)
    first.send(LEAVE)
    second.send(LEAVE)
    first.join(_top(_sub("0", other), epoch=4))


def _named_twice(topic: Topic) -> Topology:
    return _top(_sub("0", topic), _sub("0", topic))


def _no_inputs(topic: Topic) -> Topology:
    return _top(_sub("0", topic), _sub("1"))


def _nothing_at_all(_: Topic) -> Topology:
    return _top()


def _a_circle(_: Topic) -> Topology:
    return _top(_sub("0", reads=(_internal("x"),), writes=("x",)))


def _nobody_writes_it(topic: Topic) -> Topology:
    return _top(_sub("0", topic, reads=(_internal("x"),)))


def _a_changelog_that_counts(topic: Topic) -> Topology:
    return _top(_sub("0", topic, changelogs=(_internal("x", 2),)))


def _an_internal_name(_: Topic) -> Topology:
    return _top(_sub("0", "__consumer_offsets"))


def _no_name(topic: Topic) -> Topology:
    return _top(_sub("0", topic, changelogs=(_internal("a/b"),)))


def _an_odd_place(topic: Topic) -> Topology:
    return _top(_sub("0", topic, joined=(((1,), ()),)))


def _an_odd_epoch(topic: Topic) -> Topology:
    return _top(_sub("0", topic), epoch=-1)


@scenario(
    odd=(
        _named_twice, _no_inputs, _nothing_at_all, _a_circle, _nobody_writes_it, _a_changelog_that_counts,
        _an_internal_name, _no_name, _an_odd_place, _an_odd_epoch,
    )
)  # fmt: skip
def an_odd_topology(stage: Stage, odd: Any) -> None:
    topic, group = _topic(stage), stage.group()
    Member(stage, group, "a").join(odd(topic))
    _describe(stage, group)


# -- topics


def _one_after_the_other(stage: Stage, topic: Topic) -> tuple[Topology, list[str]]:
    names = [stage.name(word) for word in ("r", "s", "c")]
    r, s, c = names
    said = _top(
        _sub("0", topic, writes=(r,)),
        _sub("1", reads=(_internal(r),), writes=(s,)),
        _sub("2", reads=(_internal(s, 5),), changelogs=(_internal(c, cleanup_policy="compact"),)),
    )
    return said, names


def _joined_with_a_source(stage: Stage, topic: Topic) -> tuple[Topology, list[str]]:
    table, r = _topic(stage, "table", partitions=2), stage.name("r")
    return _top(_sub("0", topic, writes=(r,)), _sub("1", table, reads=(_internal(r),), joined=(((0,), (0,)),))), [r]


def _joined_with_one_another(stage: Stage, topic: Topic) -> tuple[Topology, list[str]]:
    wide, r, s = _topic(stage, "wide", partitions=4), stage.name("r"), stage.name("s")
    said = _top(
        _sub("0", topic, writes=(r,)),
        _sub("1", wide, writes=(s,)),
        _sub("2", reads=(_internal(r), _internal(s)), joined=(((), (0, 1)),)),
    )
    return said, [r, s]


def _joined_with_a_fixed_one(stage: Stage, topic: Topic) -> tuple[Topology, list[str]]:
    r, s = stage.name("r"), stage.name("s")
    said = _top(
        _sub("0", topic, writes=(r, s)),
        _sub("1", reads=(_internal(r, 6), _internal(s)), joined=(((), (0, 1)),)),
    )
    return said, [r, s]


@scenario(shape=(_one_after_the_other, _joined_with_a_source, _joined_with_one_another, _joined_with_a_fixed_one))
def internal_topics_are_made(stage: Stage, shape: Any) -> None:
    topic, group = _topic(stage, partitions=3), stage.group()
    said, names = shape(stage, topic)
    member = Member(stage, group, "a")
    member.enter(said)
    for name in sorted(names):
        made = stage.quietly(metadata(name)).topics[0]
        stage.see(f"partitions of {name.removeprefix(stage.mark)}", len(made.partitions))
    described = stage.quietly(StreamsGroupDescribeRequest(group_ids=[group], include_authorized_operations=False))
    (shown,) = described.groups
    stage.see("state", shown.group_state)
    stage.see("tasks", [[each.subtopology_id, each.partitions] for each in shown.members[0].assignment.active_tasks])
    changelogs = [each for sub in shown.topology.subtopologies for each in sub.state_changelog_topics]
    stage.see("changelogs", [[each.partitions, each.replication_factor] for each in changelogs])


@scenario()
def configs_of_internal_topics(stage: Stage) -> None:
    topic, group, name = _topic(stage, partitions=2), stage.group(), stage.name("c")
    changelog = _internal(name, cleanup_policy="compact", segment_ms="60000")
    Member(stage, group, "a").enter(_top(_sub("0", topic, changelogs=(changelog,))))
    wanted = DescribeConfigsResource(
        resource_type=TOPIC, resource_name=name, configuration_keys=["cleanup.policy", "segment.ms"]
    )
    stage.ask(DescribeConfigsRequest(resources=[wanted], include_synonyms=False, include_documentation=False))


def _copies(name: str) -> TopicInfo:
    return _internal(name, factor=3)


def _bad_config(name: str) -> TopicInfo:
    return _internal(name, cleanup_policy="nonsense")


@scenario(odd=(_copies, _bad_config))
def internal_topics_that_cannot_be_made(stage: Stage, odd: Any) -> None:
    topic, group, name = _topic(stage, partitions=2), stage.group(), stage.name("c")
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic, changelogs=(odd(name),))))
    member.beat()
    _describe(stage, group)


@scenario()
def source_topics_that_are_missing(stage: Stage) -> None:
    group, name = stage.group(), stage.name("late")
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", name, changelogs=(_internal(stage.name("c")),))))
    member.beat()
    _describe(stage, group)
    stage.quietly(create_topics(creatable(name, 2), creatable(stage.name("c"), 2)))
    stage.ready("late", 2)
    stage.ready("c", 2)
    member.obey(stage.wait(member.request(**_owned({}, {})), lambda answer: not answer.status))
    _describe(stage, group)


@scenario(changelog=(1, 2, 3))
def a_changelog_that_is_there(stage: Stage, changelog: int) -> None:
    topic, group = _topic(stage, partitions=2), stage.group()
    there = _topic(stage, "c", partitions=changelog)
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic, changelogs=(_internal(there.name),))))
    member.beat()
    _describe(stage, group)


@scenario(other=(1, 2))
def sources_that_are_joined(stage: Stage, other: int) -> None:
    topic, group = _topic(stage, partitions=2), stage.group()
    table = _topic(stage, "b", partitions=other)
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic, table, joined=(((0, 1), ()),))))
    member.beat()
    _describe(stage, group)


@scenario()
def a_source_topic_grows_and_goes(stage: Stage) -> None:
    topic, group = _topic(stage, partitions=1), stage.group()
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    _grow(stage, topic, 3)
    wanted = member.request(**_owned(member.active, {}))
    member.obey(stage.wait(wanted, lambda answer: answer.member_epoch > 2))
    _describe(stage, group)
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    wanted = member.request(**_owned(member.active, {}))
    member.obey(stage.wait(wanted, lambda answer: bool(answer.status)))
    member.beat()
    _describe(stage, group)


# -- tasks


@scenario(replicas=("0", "1", "2"))
def standbys(stage: Stage, replicas: str) -> None:
    topic, group = _topic(stage, partitions=1), stage.group()
    _topic(stage, "c", partitions=1)
    _set(stage, group, streams_num_standby_replicas=replicas)
    said = _top(_sub("0", topic, changelogs=(_internal(stage.name("c")),)))
    members = [Member(stage, group, name) for name in "ab"]
    for member in (*members, *members, *members):
        member.beat() if member.epoch else member.join(said)
    _describe(stage, group)
    members[0].send(LEAVE)
    for _ in range(3):
        members[1].beat()
    _describe(stage, group)


@scenario()
def another_number_of_standbys(stage: Stage) -> None:
    topic, group = _topic(stage, partitions=1), stage.group()
    _topic(stage, "c", partitions=1)
    said = _top(_sub("0", topic, changelogs=(_internal(stage.name("c")),)))
    members = [Member(stage, group, name) for name in "ab"]
    for member in (*members, *members):
        member.beat() if member.epoch else member.join(said)
    _describe(stage, group)
    _set(stage, group, streams_num_standby_replicas="1")
    for member in (*members, *members):
        member.beat()
    _describe(stage, group)


# -- interactive queries, and the end


@scenario()
def endpoints(stage: Stage) -> None:
    topic, group = _topic(stage, partitions=2), stage.group()
    said = _top(_sub("0", topic))
    first, second = Member(stage, group, "a"), Member(stage, group, "b")
    first.join(said, user_endpoint=Endpoint(host="first", port=1), endpoint_information_epoch=-1)
    second.join(said, user_endpoint=Endpoint(host="second", port=65_535))
    first.beat(endpoint_information_epoch=9)
    first.beat()
    second.beat(endpoint_information_epoch=9)
    told = second.beat(endpoint_information_epoch=9)
    second.beat(endpoint_information_epoch=told.endpoint_information_epoch)


@scenario(leaving=(False, True))
def the_end_of_an_application(stage: Stage, leaving: bool) -> None:
    topic, group = _topic(stage, partitions=2), stage.group()
    said = _top(_sub("0", topic))
    first, second = Member(stage, group, "a"), Member(stage, group, "b")
    first.join(said)
    second.join(said)
    first.send(LEAVE if leaving else None, shutdown_application=True)
    second.beat()
    second.send(shutdown_application=True)
    second.send(LEAVE)
    if not leaving:
        first.send(LEAVE)
    first.join(said)


# -- offsets


@scenario(COMMIT)
def members_commit_and_fetch(stage: Stage, version: int) -> None:
    topic, group = _topic(stage, partitions=2), stage.group()
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    for name, epoch in ("a", 2), ("a", 1), ("a", 3), ("a", -1), ("b", 2), ("", -1):
        stage.ask(commit(group, topic, {0: epoch + 10}, generation=epoch, member=name), version)
    stage.ask(committed(group, topic, 0, 1), min(version, 9))


@scenario()
def commits_of_an_epoch_that_has_passed(stage: Stage) -> None:
    topic, group = _topic(stage, partitions=2), stage.group()
    other = _topic(stage, "b")
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    member.beat(rack_id="r")
    for place, index, epoch in (topic, 0, 2), (topic, 0, 1), (other, 0, 2), (topic, 1, 3):
        stage.ask(commit(group, place, {index: 5}, generation=epoch, member="a"), 9)


@scenario(FETCH, since=9)
def members_fetch(stage: Stage, version: int) -> None:
    topic, group = _topic(stage), stage.group()
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    for name, epoch in (None, -1), ("a", 2), ("a", 1), ("a", 3), ("b", 2), ("", -1):
        request = committed(group, topic, 0)
        request.groups[0].member_id, request.groups[0].member_epoch = name, epoch
        stage.ask(request, version)


@scenario(TXN_COMMIT, since=3)
def commits_in_a_transaction(stage: Stage, version: int) -> None:
    topic, group, writer = _topic(stage), stage.group(), new_writer(stage)
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    writer.add_offsets(group)
    for name, epoch in ("", -1), ("a", 2), ("a", 1), ("a", 3), ("b", 2):
        request = writer.offsets(group, topic, {0: 7}, generation_id_or_member_epoch=epoch, member_id=name)
        stage.ask(request, version)


# -- from outside


@scenario()
def what_is_described(stage: Stage) -> None:
    topic, group, classic = _topic(stage, partitions=2), stage.group(), stage.group("classic")
    Member(stage, group, "a").join(_top(_sub("0", topic)), rack_id="r", user_endpoint=Endpoint(host="h", port=7))
    stage.quietly(commit(classic, topic, {0: 1}))
    groups = [group, classic, stage.name("nobody"), ""]
    stage.ask(StreamsGroupDescribeRequest(group_ids=groups, include_authorized_operations=True))


@scenario()
def other_requests_about_a_streams_group(stage: Stage) -> None:
    topic, group = _topic(stage), stage.group()
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    stage.ask(DescribeGroupsRequest(groups=[group]), 5)
    stage.ask(DescribeGroupsRequest(groups=[group]), 6)
    stage.ask(ConsumerGroupDescribeRequest(group_ids=[group], include_authorized_operations=False))
    for states, types in ([], []), ([], ["streams"]), ([], ["Consumer"]), (["stable"], []), (["Empty"], ["streams"]):
        stage.ask(ListGroupsRequest(states_filter=states, types_filter=types), 5, mine=True)
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    stage.ask(join(group), 3)
    stage.ask(_consumer(group, topic))
    member.send(LEAVE)
    stage.ask(ListGroupsRequest(states_filter=["Empty"], types_filter=["streams"]), 5, mine=True)
    stage.ask(_consumer(group, topic))
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    _describe(stage, group)


def _consumer(group: str, topic: Topic) -> ConsumerGroupHeartbeatRequest:
    return ConsumerGroupHeartbeatRequest(
        group_id=group,
        member_id="c",
        member_epoch=0,
        rebalance_timeout_ms=60_000,
        subscribed_topic_names=[topic.name],
        topic_partitions=[],
    )


@scenario()
def groups_of_other_kinds(stage: Stage) -> None:
    topic, simple, classic, consumer = _topic(stage), stage.group("s"), stage.group("k"), stage.group("c")
    said = _top(_sub("0", topic))
    stage.quietly(commit(simple, topic, {0: 1}))
    Member(stage, simple, "a").join(said)
    stage.ask(committed(simple, topic, 0))
    stage.quietly(join(classic), 3)
    Member(stage, classic, "a").join(said)
    stage.quietly(_consumer(consumer, topic))
    Member(stage, consumer, "a").join(said)
    stage.quietly(_consumer(consumer, topic).__class__(group_id=consumer, member_id="c", member_epoch=-1))
    Member(stage, consumer, "a").join(said)
    stage.ask(ListGroupsRequest(states_filter=[], types_filter=["streams"]), 5, mine=True)


@scenario()
def an_empty_streams_group_becomes_a_classic_one(stage: Stage) -> None:
    topic, group = _topic(stage), stage.group()
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    member.send(LEAVE)
    stage.quietly(join(group), 3)
    stage.ask(ListGroupsRequest(states_filter=[], types_filter=["classic"]), 5, mine=True)
    _describe(stage, group)


@scenario()
def offsets_are_deleted(stage: Stage) -> None:
    topic, group, other = _topic(stage), stage.group(), _topic(stage, "b")
    stage.quietly(commit(group, topic, {0: 1}))
    stage.quietly(commit(group, other, {0: 1}))
    member = Member(stage, group, "a")
    member.join(_top(_sub("0", topic)))
    topics = [
        OffsetDeleteRequestTopic(name=each.name, partitions=[OffsetDeleteRequestPartition(partition_index=0)])
        for each in (topic, other)
    ]
    stage.ask(OffsetDeleteRequest(group_id=group, topics=topics))
    member.send(LEAVE)
    stage.ask(OffsetDeleteRequest(group_id=group, topics=topics))
