"""Share groups in a virtual shard, and somebody who keeps their share-partitions' state in a dict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drave.broker.coordinator.group import Caller
from drave.broker.coordinator.outcome import Outcome
from drave.broker.coordinator.share.duties import Initialize, ShareDuty
from drave.broker.coordinator.share.state import SharePartition
from drave.model.errors import ErrorCode
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse
from drave.wire.messages.k77_share_group_describe import DescribedGroup
from drave.wire.messages.k91_alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
    AlterShareGroupOffsetsResponse,
)
from drave.wire.messages.k92_delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsRequestTopic,
    DeleteShareGroupOffsetsResponse,
)
from tests.broker.coordinator.virtual import VirtualGroups


class VirtualShares(VirtualGroups):
    """One shard. Duties are done at once, unless a test keeps their worker `away`."""

    def __init__(self, **limits: int) -> None:
        self.starts: dict[tuple[str, SharePartition], int] = {}
        """The start offset of each share-partition that has a state."""
        self.state_refuses_with = ErrorCode.NONE
        self.duties: list[ShareDuty] = []
        self._is_away = False
        super().__init__(**limits)

    def carry_out(self, outcome: Outcome) -> None:
        super().carry_out(outcome)
        self.duties += outcome.duties
        self.work()

    def restart(self) -> None:
        self.duties.clear()
        super().restart()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody works on duties meanwhile."""
        self._is_away = True
        yield
        self._is_away = False
        self.work()

    def work(self) -> None:
        while self.duties and not self._is_away:
            self.do_one()

    def do_one(self) -> None:
        """What the group coordinator does with one duty."""
        duty, code = self.duties.pop(0), self.state_refuses_with
        partitions = list(duty.starts) if isinstance(duty, Initialize) else sorted(duty.partitions)
        if code is ErrorCode.NONE:
            for partition in partitions:
                if isinstance(duty, Initialize):
                    self.starts[duty.group_id, partition] = duty.starts[partition]
                else:
                    self.starts.pop((duty.group_id, partition), None)
        self.carry_out(self.shard.shares.ended(duty, dict.fromkeys(partitions, code)))
        may_wait = code is ErrorCode.NONE
        for waiting in self.shard.shares.resumed(duty.group_id):
            self.carry_out(self.shard.shares.heartbeat(*waiting, self.now_ms, may_wait=may_wait))

    # -- requests

    def ask(
        self,
        member: str,
        epoch: int,
        topics: list[str] | None = None,
        *,
        group: str = "s",
        rack: str | None = None,
        client_id: str = "client",
    ) -> int:
        token = self.token()
        request = ShareGroupHeartbeatRequest(
            group_id=group, member_id=member, member_epoch=epoch, rack_id=rack, subscribed_topic_names=topics
        )
        self.carry_out(self.shard.shares.heartbeat(request, Caller(client_id, "/127.0.0.1"), token, self.now_ms))
        return token

    def beat(
        self, member: str, epoch: int, topics: list[str] | None = None, **more: Any
    ) -> ShareGroupHeartbeatResponse:
        """A heartbeat, and its answer."""
        response: ShareGroupHeartbeatResponse = self.answers[self.ask(member, epoch, topics, **more)]
        return response

    def enter(self, member: str, *topics: str, **more: Any) -> int:
        """Join; the epoch that the member has come to."""
        response = self.beat(member, 0, list(topics), **more)
        assert response.error_code == ErrorCode.NONE, response.error_message
        return response.member_epoch

    def alter(self, *starts: tuple[str, int, int], group: str = "s") -> AlterShareGroupOffsetsResponse:
        """Set the start in each (topic, partition) to an offset."""
        token = self.token()
        request = AlterShareGroupOffsetsRequest(
            group_id=group,
            topics=[
                AlterShareGroupOffsetsRequestTopic(
                    topic_name=topic,
                    partitions=[AlterShareGroupOffsetsRequestPartition(partition_index=index, start_offset=start)],
                )
                for topic, index, start in starts
            ],
        )
        self.carry_out(self.shard.shares.administration.alter(request, token))
        response: AlterShareGroupOffsetsResponse = self.answers[token]
        return response

    def delete_share_offsets(self, *topics: str, group: str = "s") -> DeleteShareGroupOffsetsResponse:
        token = self.token()
        request = DeleteShareGroupOffsetsRequest(
            group_id=group, topics=[DeleteShareGroupOffsetsRequestTopic(topic_name=topic) for topic in topics]
        )
        self.carry_out(self.shard.shares.administration.delete_offsets(request, token))
        response: DeleteShareGroupOffsetsResponse = self.answers[token]
        return response

    def delete_topic(self, name: str) -> None:
        topic = self.topics.topic(name)
        assert topic is not None
        self.topics.delete(name)
        self.starts = {key: start for key, start in self.starts.items() if key[1].topic_id != topic.topic_id}
        self.carry_out(self.shard.shares.topic_deleted(topic.topic_id))

    # -- what is there

    def group(self, group: str = "s") -> DescribedGroup:
        found = self.shard.shares.describe(group)
        assert found is not None
        return found

    def assigned(self, member: str, group: str = "s") -> dict[str, list[int]]:
        """What a member has been given, by topic."""
        found = next(each for each in self.group(group).members if each.member_id == member)
        return {topic.topic_name: topic.partitions for topic in found.assignment.topic_partitions}


def given(response: ShareGroupHeartbeatResponse) -> list[list[int]] | None:
    """The partitions that an answer names, by topic; None where it names none."""
    if response.assignment is None:
        return None
    return [topic.partitions for topic in response.assignment.topic_partitions]
