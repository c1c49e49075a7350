"""Members of streams groups that do what they are told, and the topologies that they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from differential.calls import GROUP, SET, alter_configs, describe_configs
from differential.stage import Stage, Topic
from drave.wire.messages.k88_streams_group_heartbeat import (
    CopartitionGroup,
    KeyValue,
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    Subtopology,
    TaskIds,
    TopicInfo,
    Topology,
)
from drave.wire.messages.k89_streams_group_describe import StreamsGroupDescribeRequest

LEAVE = -1

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
            **owned({}, {}),
        }

    def beat(self, **more: Any) -> Any:
        """Say what it has, and do what the answer says."""
        return self.send(**owned(self.active, self.standby) | more)

    def send(self, epoch: int | None = None, **more: Any) -> Any:
        answer = self.stage.ask(self.request(epoch, **more))
        if answer is not None and not answer.error_code:
            self.obey(answer)
        return answer

    def wait(self, until: Callable[[Any], bool]) -> None:
        """Say quietly what it has until the answer is that, and do what it says."""
        self.obey(self.stage.wait(self.request(**owned(self.active, self.standby)), until))

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


def owned(active: Tasks, standby: Tasks) -> dict[str, list[TaskIds]]:
    """What a member says that it has."""
    return {
        "active_tasks": [TaskIds(subtopology_id=name, partitions=each) for name, each in active.items()],
        "standby_tasks": [TaskIds(subtopology_id=name, partitions=each) for name, each in standby.items()],
        "warmup_tasks": [],
    }


def subtopology(
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


def topology(*subtopologies: Subtopology, epoch: int = 0) -> Topology:
    return Topology(epoch=epoch, subtopologies=list(subtopologies))


def reading(*topics: Topic) -> Topology:
    """A topology that only reads, each topic by itself."""
    return topology(*(subtopology(str(number), topic) for number, topic in enumerate(topics)))


def internal(name: str, partitions: int = 0, factor: int = 0, **configs: str) -> TopicInfo:
    """A topic that the group is to have made."""
    return TopicInfo(
        name=name,
        partitions=partitions,
        replication_factor=factor,
        topic_configs=[KeyValue(key=key.replace("_", "."), value=value) for key, value in configs.items()],
    )


def known_topic(stage: Stage, word: str = "a", *, partitions: int = 1) -> Topic:
    """A topic that the group coordinator knows of: the rest of Kafka's broker may know it a moment earlier."""
    topic = stage.topic(word, partitions=partitions)
    stage.settle()
    return topic


def one_member(stage: Stage, *, partitions: int = 1) -> tuple[Topic, str, Member]:
    """A member that has joined and reads a topic."""
    topic, group = known_topic(stage, partitions=partitions), stage.group()
    member = Member(stage, group, "a")
    member.join(reading(topic))
    return topic, group, member


def two_members(stage: Stage, *, partitions: int, process: str = "") -> tuple[Topic, Member, Member]:
    """Another one has joined too, perhaps of the same process."""
    topic, group = known_topic(stage, partitions=partitions), stage.group()
    first, second = (Member(stage, group, name, process) for name in "ab")
    first.join(reading(topic))
    second.join(reading(topic))
    return topic, first, second


def describe(stage: Stage, *groups: str) -> None:
    stage.ask(StreamsGroupDescribeRequest(group_ids=list(groups), include_authorized_operations=False))


def configure_group(stage: Stage, group: str, **configs: str) -> None:
    given = {name.replace("_", "."): value for name, value in configs.items()}
    stage.quietly(alter_configs((GROUP, group, [(name, SET, value) for name, value in given.items()])))
    name, value = next(iter(given.items()))
    stage.wait(
        describe_configs(GROUP, group, [name], include_synonyms=False),
        lambda answer: answer.results[0].configs[0].value == value,
    )
    stage.settle()
