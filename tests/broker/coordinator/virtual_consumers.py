"""Members of consumer groups, driven by hand: each sends heartbeats, and does what it is told."""

from __future__ import annotations

from typing import Any

from drave.broker.coordinator.classic.members import Joiner
from drave.broker.coordinator.consumer.group import ConsumerGroup
from drave.model.ids import TopicId
from drave.wire.messages.k68_consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from drave.wire.messages.k69_consumer_group_describe import DescribedGroup
from tests.broker.coordinator.virtual import VirtualGroups

Place = tuple[str, int]


class VirtualConsumers(VirtualGroups):
    """One shard, and the topics that its groups read."""

    def __init__(self, topics: dict[str, int] | None = None, **limits: int | str) -> None:
        super().__init__(**limits)
        for name, partitions in (topics or {}).items():
            self.topics.create(name, partitions)
        self.configs = {"consumer.assignment.interval.ms": "0"}

    def heartbeat_of(
        self, member_id: str, epoch: int, *, group: str = "g", version: int = 1, **fields: Any
    ) -> ConsumerGroupHeartbeatResponse:
        """The answer to a heartbeat with these fields, which is there at once."""
        request = ConsumerGroupHeartbeatRequest(group_id=group, member_id=member_id, member_epoch=epoch, **fields)
        by = Joiner(client_id="client", client_host="/127.0.0.1", api_version=version, fresh_id=f"fresh-{self.now_ms}")
        token = self.token()
        self.carry_out(self.shard.consumers.heartbeat(request, by, token, self.now_ms))
        response: ConsumerGroupHeartbeatResponse = self.answers[token]
        return response

    def member(self, member_id: str, *topics: str, **fields: Any) -> VirtualMember:
        """A member that wants to read these topics, and has yet to join."""
        return VirtualMember(self, member_id, topics, **fields)

    def group_of(self, group: str = "g") -> ConsumerGroup:
        found = self.shard._table.groups[group]
        assert isinstance(found, ConsumerGroup)
        return found

    def described_consumers(self, group: str = "g") -> DescribedGroup:
        return self.shard.consumers.describe(group)

    def named(self, places: dict[TopicId, set[int]]) -> set[Place]:
        names = {topic.topic_id: topic.name for topic in self.topics.topics().values()}
        return {(names.get(topic_id, "?"), partition) for topic_id, each in places.items() for partition in each}


class VirtualMember:
    """A client of the consumer protocol: it gives back what it is no longer given, and says so."""

    def __init__(
        self,
        groups: VirtualConsumers,
        member_id: str,
        topics: tuple[str, ...],
        *,
        instance_id: str | None = None,
        regex: str | None = None,
        assignor: str | None = None,
        group: str = "g",
        timeout_ms: int = 60_000,
    ) -> None:
        self.groups, self.group = groups, group
        self.member_id, self.instance_id = member_id, instance_id
        self.topics, self.regex, self.assignor = topics, regex, assignor
        self.timeout_ms = timeout_ms
        self.epoch = 0
        self.has: dict[TopicId, set[int]] = {}
        self.last: ConsumerGroupHeartbeatResponse | None = None

    @property
    def reads(self) -> set[Place]:
        return self.groups.named(self.has)

    def join(self) -> ConsumerGroupHeartbeatResponse:
        """Join, or join again with nothing."""
        self.epoch, self.has = 0, {}
        return self.says_everything()

    def says_everything(self) -> ConsumerGroupHeartbeatResponse:
        return self._send(
            rebalance_timeout_ms=self.timeout_ms,
            subscribed_topic_names=list(self.topics),
            subscribed_topic_regex=self.regex,
            server_assignor=self.assignor,
            topic_partitions=self._owned(),
        )

    def beat(self) -> ConsumerGroupHeartbeatResponse:
        """A heartbeat that says nothing new but what it has."""
        return self._send(topic_partitions=self._owned())

    def silent_beat(self) -> ConsumerGroupHeartbeatResponse:
        """A heartbeat that does not even say that: it has not given anything back yet."""
        return self._send()

    def subscribe(self, *topics: str, regex: str | None = None) -> ConsumerGroupHeartbeatResponse:
        self.topics, self.regex = topics, regex
        return self._send(
            subscribed_topic_names=list(topics), subscribed_topic_regex=regex, topic_partitions=self._owned()
        )

    def leave(self, epoch: int = -1) -> ConsumerGroupHeartbeatResponse:
        response = self.groups.heartbeat_of(self.member_id, epoch, group=self.group, instance_id=self.instance_id)
        self.has = {}
        return response

    def _owned(self) -> list[TopicPartitions]:
        return [TopicPartitions(topic_id=topic, partitions=sorted(each)) for topic, each in self.has.items() if each]

    def _send(self, **fields: Any) -> ConsumerGroupHeartbeatResponse:
        response = self.groups.heartbeat_of(
            self.member_id, self.epoch, group=self.group, instance_id=self.instance_id, **fields
        )
        self.last = response
        if not response.error_code:
            self.epoch = response.member_epoch
            if response.assignment is not None:
                self.has = {each.topic_id: set(each.partitions) for each in response.assignment.topic_partitions}
        return response


def settle(*members: VirtualMember, rounds: int = 10) -> int:
    """Let all send heartbeats until nothing changes; how many rounds that took."""
    for number in range(rounds):
        before = [(member.epoch, member.reads) for member in members]
        for member in members:
            assert not member.beat().error_code, member.last
        if before == [(member.epoch, member.reads) for member in members]:
            return number
    raise AssertionError(f"not settled after {rounds} rounds")
