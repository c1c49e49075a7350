"""A shard of groups with a log, a clock and timers that are lists and numbers, driven by hand or by a seed."""

from __future__ import annotations

from typing import Any, NamedTuple

from drave.broker.coordinator.classic.members import Joiner
from drave.broker.coordinator.group import GroupLimits, Surroundings
from drave.broker.coordinator.outcome import Outcome
from drave.broker.coordinator.shard import GroupShard
from drave.model.errors import ErrorCode
from drave.model.group_configs import GroupConfig
from drave.model.settings import BrokerSettings
from drave.schema import encoder
from drave.wire.messages.consumer_protocol import ConsumerProtocolSubscription
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from drave.wire.messages.k09_offset_fetch import OffsetFetchRequestGroup, OffsetFetchRequestTopics
from drave.wire.messages.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from drave.wire.messages.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from drave.wire.messages.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from drave.wire.messages.k15_describe_groups import DescribedGroup
from drave.wire.messages.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from tests.broker.coordinator.virtual_shard import VirtualShard
from tests.broker.coordinator.virtual_topics import VirtualTopics

SESSION_MS = 10_000
REBALANCE_MS = 60_000


def subscription(*topics: str) -> bytes:
    """A consumer's metadata, as clients write it."""
    message = ConsumerProtocolSubscription(topics=list(topics))
    return b"\0\0" + b"".join(encoder(ConsumerProtocolSubscription, 0)(message))


class Era(NamedTuple):
    """A stretch of the group's life in which its soft state was not lost."""

    deletions: int
    restarts: int


class VirtualGroups(VirtualShard[GroupShard]):
    """One shard of groups and its surroundings."""

    def __init__(self, **limits: int) -> None:
        self.topics = VirtualTopics()
        self.configs: dict[str, str] = {}
        """What groups are set to."""
        self.surroundings = Surroundings(GroupLimits(**limits), self.topics, self.config)
        super().__init__()
        self.era = Era(0, 0)
        self.answered_in: dict[int, Era] = {}

    def config(self, group_id: str) -> GroupConfig:
        return GroupConfig(self.configs, BrokerSettings())

    def fresh(self) -> GroupShard:
        return GroupShard(self.surroundings)

    def carry_out(self, outcome: Outcome) -> None:
        super().carry_out(outcome)
        for token, _ in outcome.replies:
            self.answered_in[token] = self.era

    def restart(self) -> None:
        self.era = self.era._replace(restarts=self.era.restarts + 1)
        super().restart()

    # -- requests

    def join(
        self,
        member_id: str = "",
        *,
        group: str = "g",
        instance_id: str | None = None,
        protocols: dict[str, bytes] | None = None,
        protocol_type: str = "consumer",
        version: int = 9,
        session_ms: int = SESSION_MS,
        rebalance_ms: int = REBALANCE_MS,
        client_id: str = "client",
    ) -> int:
        token = self.token()
        offered = {"range": subscription("t")} if protocols is None else protocols
        request = JoinGroupRequest(
            group_id=group,
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=rebalance_ms,
            member_id=member_id,
            group_instance_id=instance_id,
            protocol_type=protocol_type,
            protocols=[JoinGroupRequestProtocol(name=name, metadata=metadata) for name, metadata in offered.items()],
        )
        joiner = Joiner(client_id, "/127.0.0.1", version, f"{token:036d}")
        self.carry_out(self.shard.classic.join(request, joiner, token, self.now_ms))
        return token

    def sync(
        self,
        member_id: str,
        generation: int,
        assignments: dict[str, bytes] | None = None,
        *,
        group: str = "g",
        instance_id: str | None = None,
        protocol_type: str | None = "consumer",
        protocol_name: str | None = None,
    ) -> int:
        token = self.token()
        request = SyncGroupRequest(
            group_id=group,
            generation_id=generation,
            member_id=member_id,
            group_instance_id=instance_id,
            protocol_type=protocol_type,
            protocol_name=protocol_name,
            assignments=[
                SyncGroupRequestAssignment(member_id=each, assignment=assignment)
                for each, assignment in (assignments or {}).items()
            ],
        )
        self.carry_out(self.shard.classic.sync(request, token, self.now_ms))
        return token

    def heartbeat(
        self, member_id: str, generation: int, *, group: str = "g", instance_id: str | None = None
    ) -> ErrorCode:
        token = self.token()
        request = HeartbeatRequest(
            group_id=group, generation_id=generation, member_id=member_id, group_instance_id=instance_id
        )
        self.carry_out(self.shard.classic.heartbeat(request, token))
        return ErrorCode(self.answers[token].error_code)

    def leave(self, *members: str | tuple[str, str | None], group: str = "g", version: int = 5) -> LeaveGroupResponse:
        token = self.token()
        identities = [(each, None) if isinstance(each, str) else each for each in members]
        request = LeaveGroupRequest(
            group_id=group,
            member_id=identities[0][0] if version < 3 else "",
            members=[MemberIdentity(member_id=each, group_instance_id=instance) for each, instance in identities],
        )
        self.carry_out(self.shard.classic.leave(request, version, token, self.now_ms))
        response: LeaveGroupResponse = self.answers[token]
        return response

    def commit(
        self,
        offsets: dict[tuple[str, int], int],
        member_id: str = "",
        generation: int = -1,
        *,
        group: str = "g",
        instance_id: str | None = None,
        version: int = 9,
        metadata: str | None = None,
        retention_ms: int = -1,
        topic_id: bytes = bytes(16),
    ) -> list[ErrorCode]:
        token = self.token()
        request = OffsetCommitRequest(
            group_id=group,
            generation_id_or_member_epoch=generation,
            member_id=member_id,
            group_instance_id=instance_id,
            retention_time_ms=retention_ms,
            topics=[
                OffsetCommitRequestTopic(
                    name=topic,
                    topic_id=topic_id,
                    partitions=[
                        OffsetCommitRequestPartition(
                            partition_index=index, committed_offset=offset, committed_metadata=metadata
                        )
                    ],
                )
                for (topic, index), offset in offsets.items()
            ],
        )
        self.carry_out(self.shard.offsets.commit(request, version, token, self.now_ms))
        return [
            ErrorCode(partition.error_code) for topic in self.answers[token].topics for partition in topic.partitions
        ]

    def committed(self, *, group: str = "g") -> dict[tuple[str, int], int]:
        """All that the group has committed."""
        found = self.shard.offsets.fetch(OffsetFetchRequestGroup(group_id=group, topics=None), lambda *_: True)
        return {
            (topic.name, partition.partition_index): partition.committed_offset
            for topic in found.topics
            for partition in topic.partitions
        }

    def fetch(self, topic: str, index: int, *, group: str = "g", topic_id: bytes | None = None) -> Any:
        """What is committed in one partition, where the topic has this id now."""
        asked = OffsetFetchRequestTopics(name=topic, partition_indexes=[index])
        found = self.shard.offsets.fetch(
            OffsetFetchRequestGroup(group_id=group, topics=[asked]), lambda _, each: topic_id in (None, each)
        )
        return found.topics[0].partitions[0]

    def delete_offsets(self, topic: str, *indexes: int, group: str = "g") -> OffsetDeleteResponse:
        token = self.token()
        partitions = [OffsetDeleteRequestPartition(partition_index=index) for index in indexes]
        request = OffsetDeleteRequest(
            group_id=group, topics=[OffsetDeleteRequestTopic(name=topic, partitions=partitions)]
        )
        self.carry_out(self.shard.offsets.delete(request, token))
        response: OffsetDeleteResponse = self.answers[token]
        return response

    def delete(self, group: str = "g") -> ErrorCode:
        token = self.token()
        self.carry_out(self.shard.delete_group(group, token))
        code = ErrorCode(self.answers[token].results[0].error_code)
        if code == ErrorCode.NONE:
            self.era = self.era._replace(deletions=self.era.deletions + 1)
        return code

    def expire(self) -> None:
        self.carry_out(self.shard.expire(self.now_ms))

    def described(self, group: str = "g") -> DescribedGroup:
        found = self.shard.classic.describe(group)
        assert found is not None
        return found

    # -- whole rounds

    def new_member(self, **joining: Any) -> int:
        """Join as a client does that obeys KIP-394; the token of the second, real join."""
        first: JoinGroupResponse = self.answers[self.join(**joining)]
        assert first.error_code == ErrorCode.MEMBER_ID_REQUIRED
        return self.join(first.member_id, **joining)

    def joined(self, token: int) -> JoinGroupResponse:
        """The answer to a join that has succeeded."""
        response: JoinGroupResponse = self.answers[token]
        assert response.error_code == ErrorCode.NONE, ErrorCode(response.error_code)
        return response

    def stable_group(self, members: int = 1, **joining: Any) -> list[JoinGroupResponse]:
        """A stable group of dynamic members, the leader first; the assignment of each is its number."""
        tokens = [self.new_member(**joining)]
        if members > 1:
            leader = self.joined(tokens[0])
            tokens += [self.new_member(**joining) for _ in range(members - 1)]
            tokens[0] = self.join(leader.member_id, **joining)
        return self.settle(tokens)

    def settle(self, tokens: list[int]) -> list[JoinGroupResponse]:
        """Let all sync whose joins have been answered; who comes first leads."""
        answers = sorted((self.joined(token) for token in tokens), key=lambda answer: answer.member_id != answer.leader)
        plan = {answer.member_id: b"%d" % number for number, answer in enumerate(answers)}
        for answer in answers:
            part = plan if answer.member_id == answer.leader else {}
            self.sync(answer.member_id, answer.generation_id, part, protocol_type=answer.protocol_type)
        return answers
