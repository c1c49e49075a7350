"""Streams groups in a virtual shard, and topologies to run in them."""

from __future__ import annotations

from typing import Any

from drave.broker.coordinator.group import Caller
from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.streams.group import StreamsGroup
from drave.broker.coordinator.streams.heartbeats import MissingTopics
from drave.broker.coordinator.streams.tasks import TaskId, Tasks, task_ids, task_set
from drave.model.errors import ErrorCode
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from drave.wire.messages.k88_streams_group_heartbeat import (
    CopartitionGroup,
    KeyValue,
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    Subtopology,
    TopicInfo,
    Topology,
)
from tests.broker.coordinator.virtual import VirtualGroups

REBALANCE_MS = 60_000


def internal(name: str, partitions: int = 0, replication_factor: int = 0, **configs: str) -> TopicInfo:
    """A repartition topic or a changelog, as a topology tells it."""
    return TopicInfo(
        name=name,
        partitions=partitions,
        replication_factor=replication_factor,
        topic_configs=[KeyValue(key=key.replace("_", "."), value=value) for key, value in configs.items()],
    )


def subtopology(
    subtopology_id: str,
    *sources: str,
    writes: tuple[str, ...] = (),
    reads: tuple[TopicInfo, ...] = (),
    changelogs: tuple[TopicInfo, ...] = (),
    joined: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (),
    patterns: tuple[str, ...] = (),
) -> Subtopology:
    """`joined`: of each copartition group, the places of its source topics, and of its repartition topics."""
    return Subtopology(
        subtopology_id=subtopology_id,
        source_topics=list(sources),
        source_topic_regex=list(patterns),
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


WORDS = topology(
    subtopology("0", "lines", writes=("by-word",)),
    subtopology("1", reads=(internal("by-word"),), changelogs=(internal("counts", cleanup_policy="compact"),)),
)
"""Lines are split, and words counted."""

SIMPLE = topology(subtopology("0", "lines"))
"""As many tasks as there are partitions of `lines`, and no state."""


def tasks(**partitions: list[int]) -> frozenset[TaskId]:
    """`tasks(s0=[0, 1])`: tasks 0 and 1 of subtopology "0"."""
    return frozenset(TaskId(name[1:], partition) for name, found in partitions.items() for partition in found)


class VirtualStreams(VirtualGroups):
    """Members speak for themselves; what is answered is the response itself."""

    def __init__(self, **limits: int) -> None:
        super().__init__(**limits)
        self.creation_failures: str | None = ""
        """How making missing topics went; None where nobody has tried yet."""

    def beat(
        self,
        member_id: str,
        epoch: int,
        owned: Tasks | None = None,
        *,
        group: str = "g",
        **said: Any,
    ) -> StreamsGroupHeartbeatResponse:
        """One heartbeat."""
        if owned is not None:
            said |= {
                "active_tasks": task_ids(owned.active),
                "standby_tasks": task_ids(owned.standby),
                "warmup_tasks": task_ids(owned.warmup),
            }
        said.setdefault("endpoint_information_epoch", 0)
        request = StreamsGroupHeartbeatRequest(group_id=group, member_id=member_id, member_epoch=epoch, **said)
        token = self.token()
        self.carry_out(
            self.shard.streams.heartbeat(
                request, Caller("client", "/127.0.0.1"), token, self.now_ms, self.creation_failures
            )
        )
        answer = self.answers[token]
        assert isinstance(answer, StreamsGroupHeartbeatResponse), answer
        return answer

    def enter(self, member_id: str, topology: Topology = SIMPLE, **said: Any) -> StreamsGroupHeartbeatResponse:
        """Join, as Kafka Streams does."""
        said.setdefault("process_id", f"process of {member_id}")
        said.setdefault("rebalance_timeout_ms", REBALANCE_MS)
        return self.beat(member_id, 0, Tasks(), topology=topology, **said)

    def missing(self, member_id: str, topology: Topology) -> set[str]:
        """The topics that are missed when this member joins."""
        request = StreamsGroupHeartbeatRequest(
            group_id="g",
            member_id=member_id,
            member_epoch=0,
            endpoint_information_epoch=0,
            rebalance_timeout_ms=REBALANCE_MS,
            topology=topology,
        )
        token = self.token()
        outcome = self.shard.streams.heartbeat(request, Caller("client", "/127.0.0.1"), token, self.now_ms)
        assert not outcome.records
        self.carry_out(outcome)
        answer = self.answers[token]
        return set(answer.topics) if isinstance(answer, MissingTopics) else set()

    def group(self, group: str = "g") -> StreamsGroup:
        """To be looked at only."""
        found = self.shard._table.get(group, StreamsGroup)
        assert found is not None
        return found

    def commit_as(
        self, member_id: str, epoch: int, topic: str, partition: int, *, version: int = 9, writer: Writer | None = None
    ) -> ErrorCode:
        """Commit an offset in a topic that is there, as this member of this epoch."""
        found = self.topics.topic(topic)
        assert found is not None
        place = OffsetCommitRequestPartition(partition_index=partition, committed_offset=1, committed_metadata=None)
        request = OffsetCommitRequest(
            group_id="g",
            member_id=member_id,
            generation_id_or_member_epoch=epoch,
            topics=[OffsetCommitRequestTopic(name=topic, topic_id=found.topic_id, partitions=[place])],
        )
        token = self.token()
        outcome = self.shard.offsets.commit(request, version, token, self.now_ms, writer)
        if writer is not None:
            outcome.records.clear()  # they would wait for the end of the transaction
        self.carry_out(outcome)
        return ErrorCode(self.answers[token].topics[0].partitions[0].error_code)


def given(response: StreamsGroupHeartbeatResponse) -> Tasks:
    """The tasks that a response gives."""
    assert response.active_tasks is not None, response
    assert response.standby_tasks is not None
    assert response.warmup_tasks is not None
    return Tasks(task_set(response.active_tasks), task_set(response.standby_tasks), task_set(response.warmup_tasks))


def statuses(response: StreamsGroupHeartbeatResponse) -> list[int]:
    """The statuses that a response tells."""
    return [each.status_code for each in response.status or []]
