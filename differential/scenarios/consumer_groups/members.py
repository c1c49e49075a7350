"""Members of consumer groups that do what they are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from differential.stage import Stage, Topic
from drave.wire.messages.k68_consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from drave.wire.messages.k69_consumer_group_describe import ConsumerGroupDescribeRequest

LEAVE, AWAY = -1, -2


@dataclass
class Member:
    """A member that does what it is told."""

    stage: Stage
    group: str
    id: str
    instance_id: str | None = None
    version: int = 1
    epoch: int = 0
    has: dict[Any, list[int]] = field(default_factory=dict)

    def join(self, *topics: Topic | str, **more: Any) -> Any:
        self.epoch, self.has = 0, {}
        names = [topic if isinstance(topic, str) else topic.name for topic in topics]
        given: dict[str, Any] = {
            "rebalance_timeout_ms": 60_000,
            "subscribed_topic_names": names,
            "topic_partitions": [],
        }
        return self.send(**given | more)

    def beat(self, **more: Any) -> Any:
        """Say what it has, and do what the answer says."""
        return self.send(topic_partitions=self.owned(), **more)

    def send(self, epoch: int | None = None, **more: Any) -> Any:
        answer = self.stage.ask(self.request(epoch, **more), self.version)
        if answer is not None and not answer.error_code:
            self._obey(answer)
        return answer

    def request(self, epoch: int | None = None, **more: Any) -> ConsumerGroupHeartbeatRequest:
        return ConsumerGroupHeartbeatRequest(
            group_id=self.group,
            member_id=self.id,
            member_epoch=self.epoch if epoch is None else epoch,
            instance_id=self.instance_id,
            **more,
        )

    def owned(self) -> list[TopicPartitions]:
        return [TopicPartitions(topic_id=topic, partitions=each) for topic, each in self.has.items()]

    def _obey(self, answer: ConsumerGroupHeartbeatResponse) -> None:
        self.id, self.epoch = answer.member_id or self.id, answer.member_epoch
        if answer.assignment is not None:
            self.has = {each.topic_id: each.partitions for each in answer.assignment.topic_partitions}


def describe(stage: Stage, group: str, version: int = 1) -> None:
    stage.ask(ConsumerGroupDescribeRequest(group_ids=[group], include_authorized_operations=False), version)


def new_members(stage: Stage, group: str, *words: str) -> list[Member]:
    return [Member(stage, group, word) for word in words]


def one_member(stage: Stage, *, partitions: int = 1) -> tuple[Topic, str, Member]:
    """A member that has joined and reads a topic."""
    topic, group = stage.topic(partitions=partitions), stage.group()
    member = Member(stage, group, "a")
    member.join(topic)
    return topic, group, member


def two_members(stage: Stage, *, partitions: int) -> tuple[Topic, str, Member, Member]:
    """Another one has joined too."""
    topic, group, first = one_member(stage, partitions=partitions)
    second = Member(stage, group, "b")
    second.join(topic)
    return topic, group, first, second
