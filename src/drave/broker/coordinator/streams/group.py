"""One streams group: its members, the topology that they run, and the epochs by which they agree on who runs what.

    group epoch        rises when a member comes, goes or changes, and when topics or configs do
    target epoch       the group epoch that the target was made for: at the next heartbeat, whoever's it is
    a member's epoch   the target epoch that it has reached

All of that is in the log, and changes by replay alone. Soft is what a restart can do without:
how the topology stands to the topics of now, who asked for the end of the application, and the epoch of the endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, Final, NamedTuple

from drave.broker.coordinator.exclusive import ExclusiveGroup
from drave.broker.coordinator.group import REBALANCE, SESSION, GroupType, Surroundings
from drave.broker.coordinator.modern import FIRST_EPOCH, metadata_hash
from drave.broker.coordinator.outcome import KeyValue, Outcome
from drave.broker.coordinator.schemas.modern_groups import TargetEpochValue
from drave.broker.coordinator.schemas.offsets_topic import GroupKey, GroupRecord, parse_value, record_key, record_value
from drave.broker.coordinator.schemas.streams_groups import (
    StreamsCurrentValue,
    StreamsGroupValue,
    StreamsMemberValue,
    StreamsTargetValue,
    StreamsTopologyValue,
)
from drave.broker.coordinator.streams.assignor import Candidate, assign
from drave.broker.coordinator.streams.configuring import Configuration, configure
from drave.broker.coordinator.streams.limits import StreamsLimits
from drave.broker.coordinator.streams.member import Holders, StreamsMember
from drave.broker.coordinator.streams.tasks import NOTHING, TaskId, Tasks, target_of, target_value
from drave.broker.coordinator.streams.topology import Topology
from drave.model.ids import TopicId
from drave.schema import Struct
from drave.wire.messages.k88_streams_group_heartbeat import KeyValue as Config

NOT_VALIDATED: Final = -1
INITIAL_DELAY: Final = "initial-delay"


class Configured(NamedTuple):
    """How a topology stands to the topics of now, and their hash."""

    configuration: Configuration
    metadata_hash: int


class StreamsGroup(ExclusiveGroup[StreamsMember, Tasks]):
    """One group. What members ask of it is in `heartbeats`."""

    __slots__ = (
        "_configured",
        "_written",
        "assignment_configs",
        "endpoints_epoch",
        "holders",
        "is_delayed",
        "shutdown_asked_by",
        "topology",
        "validated_topology_epoch",
    )

    type: ClassVar[GroupType] = GroupType.STREAMS
    records: ClassVar[frozenset[GroupRecord]] = frozenset(
        {
            GroupRecord.STREAMS,
            GroupRecord.STREAMS_MEMBER,
            GroupRecord.STREAMS_TARGET,
            GroupRecord.STREAMS_TARGET_MEMBER,
            GroupRecord.STREAMS_CURRENT,
            GroupRecord.STREAMS_TOPOLOGY,
        }
    )

    def __init__(self, group_id: str, surroundings: Surroundings) -> None:
        super().__init__(group_id, surroundings)
        self.epoch = self.target_epoch = FIRST_EPOCH
        self.topology: Topology | None = None
        self.validated_topology_epoch = NOT_VALIDATED
        self.assignment_configs: dict[str, str] = {}
        """Those that the last epoch was raised for."""
        self.holders = Holders()
        self.is_delayed = False
        """Whether the first assignment waits for more members."""
        self.shutdown_asked_by: str | None = None
        self.endpoints_epoch = 0
        """Rises when who can be queried where has changed."""
        self._configured: tuple[int, Topology, Configured] | None = None
        """By the topics' version, and the topology."""
        self._written: dict[bytes, bytes] = {}
        """The group's records, as they are in the log."""

    @property
    def limits(self) -> StreamsLimits:
        return StreamsLimits.of(self.group_id, self.surroundings)

    # -- what others ask of a group

    @property
    def is_ready(self) -> bool:
        """Whether somebody has said what it runs, and that it can run on the topics that there are."""
        return self.topology is not None and self.topology.epoch == self.validated_topology_epoch

    def configured(self, topology: Topology) -> Configured:
        """How this topology stands to the topics of now. Raises InvalidTopology."""
        topics = self.surroundings.topics
        known = self._configured
        if known is not None and known[0] == topics.version and known[1] == topology:
            return known[2]
        found = Configured(configure(topology, self._partitions_of), metadata_hash(topics, topology.topics))
        self._configured = topics.version, topology, found
        return found

    def _partitions_of(self, name: str) -> int | None:
        topic = self.surroundings.topics.topic(name)
        return None if topic is None else topic.partitions

    # -- offsets

    def owned_since(self, member: StreamsMember, topic_id: TopicId, partition: int) -> int | None:
        topic = self.surroundings.topics.topic_by_id(topic_id)
        if topic is None or self.topology is None:
            return None
        subtopology_id = self.topology.inputs.get(topic.name)
        return None if subtopology_id is None else member.active_epoch(TaskId(subtopology_id, partition))

    def is_subscribed_to(self, topic: str) -> bool:
        return bool(self.members) and self.topology is not None and topic in self.topology.inputs

    # -- deadlines

    def session_timeout_ms(self, member: StreamsMember) -> int:
        return self.limits.session_timeout_ms

    def timer_fired(self, kind: str, member_id: str, now_ms: int, out: Outcome) -> None:
        member = self.members.get(member_id)
        if kind == INITIAL_DELAY:
            self._delay_is_over(now_ms, out)
        elif member is None:
            return
        elif kind == SESSION or (kind == REBALANCE and member.must_give_back):
            self.fence(member, out)

    def _delay_is_over(self, now_ms: int, out: Outcome) -> None:
        self.is_delayed = False
        if self.members and self.topology is not None and self.epoch > self.target_epoch:
            self.write_targets(out, self.epoch, self.members, self.configured(self.topology).configuration, now_ms)

    # -- what becomes records

    def write(self, out: Outcome, record: GroupRecord, value: Struct | None, member_id: str = "") -> None:
        """A record of this group; None takes it back."""
        encoded = None if value is None else record_value(value)
        out.records.append((record_key(record, self.group_id, member_id), encoded))

    def write_epoch(
        self, out: Outcome, epoch: int, metadata_hash: int, validated: int, configs: dict[str, str]
    ) -> None:
        value = StreamsGroupValue(
            epoch=epoch,
            metadata_hash=metadata_hash,
            validated_topology_epoch=validated,
            last_assignment_configs=[Config(key=name, value=configs[name]) for name in sorted(configs)],
        )
        self.write(out, GroupRecord.STREAMS, value)

    def write_targets(
        self,
        out: Outcome,
        epoch: int,
        members: Mapping[str, StreamsMember],
        configuration: Configuration,
        now_ms: int,
    ) -> dict[str, Tasks]:
        """Compute who is to have which tasks, and write down what is new of it."""
        candidates = {
            member_id: Candidate(member.process_id, self.targets.get(member_id, NOTHING))
            for member_id, member in members.items()
        }
        targets = dict.fromkeys(members, NOTHING)
        if configuration.is_ready:
            subtopologies = configuration.subtopologies.values()
            targets = assign(candidates, subtopologies, standby_replicas=self.limits.standby_replicas)
        for member_id, target in targets.items():
            if target != self.targets.get(member_id):
                self.write(out, GroupRecord.STREAMS_TARGET_MEMBER, target_value(target), member_id)
        stamp = TargetEpochValue(assignment_epoch=epoch, assignment_timestamp=now_ms)
        self.write(out, GroupRecord.STREAMS_TARGET, stamp)
        return targets

    def fence(self, member: StreamsMember, out: Outcome) -> None:
        """Take a member out; the others have its tasks after their next heartbeat."""
        member_id = member.member_id
        self.write(out, GroupRecord.STREAMS_CURRENT, None, member_id)
        self.write(out, GroupRecord.STREAMS_TARGET_MEMBER, None, member_id)
        self.write(out, GroupRecord.STREAMS_MEMBER, None, member_id)
        self.write_epoch(
            out, self.epoch + 1, self.metadata_hash, self.validated_topology_epoch, self.assignment_configs
        )
        self.forget_deadlines(member_id, out)

    # -- the log

    def replay(self, key: GroupKey, value: bytes | None) -> None:
        """Records come in any order: of each key a load gives the last one, wherever it was."""
        match key.record:
            case GroupRecord.STREAMS:
                self._replay_epoch(value)
            case GroupRecord.STREAMS_TOPOLOGY:
                said = None if value is None else parse_value(StreamsTopologyValue, value)
                self.topology = None if said is None else Topology(said.epoch, said.subtopologies)
            case GroupRecord.STREAMS_TARGET:
                self._replay_target_epoch(value)
            case GroupRecord.STREAMS_TARGET_MEMBER:
                self.targets.pop(key.part, None)
                if value is not None:
                    self.targets[key.part] = target_of(parse_value(StreamsTargetValue, value))
            case _:
                self._replay_member(key.record, key.part, value)
        written = record_key(*key)
        if value is None:
            self._written.pop(written, None)
        else:
            self._written[written] = value

    def _replay_member(self, record: GroupRecord, member_id: str, value: bytes | None) -> None:
        before = self.members.get(member_id)
        member = before or StreamsMember(member_id)
        if before is not None:
            self.holders.remove(before)
        if record is GroupRecord.STREAMS_CURRENT:
            member = (
                member.without_tasks() if value is None else member.with_record(parse_value(StreamsCurrentValue, value))
            )
        elif value is not None:
            member = replace(member, said=parse_value(StreamsMemberValue, value))
        if value is None and (before is None or record is GroupRecord.STREAMS_MEMBER):
            self.members.pop(member_id, None)
        else:
            self.members[member_id] = member
            self.holders.add(member)
        if not self.members:
            self.shutdown_asked_by = None

    def _replay_epoch(self, value: bytes | None) -> None:
        self.is_written = value is not None
        if value is not None:
            said = parse_value(StreamsGroupValue, value)
            self.epoch = said.epoch
            self.metadata_hash = said.metadata_hash
            self.validated_topology_epoch = said.validated_topology_epoch
            self.assignment_configs = {config.key: config.value for config in said.last_assignment_configs or ()}

    def _replay_target_epoch(self, value: bytes | None) -> None:
        said = None if value is None else parse_value(TargetEpochValue, value)
        self.target_epoch = FIRST_EPOCH if said is None else said.assignment_epoch
        self.targeted_ms = 0 if said is None else said.assignment_timestamp

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        for key in list(self._written):
            value = self._written.get(key)
            if value is not None:
                yield key, value

    def tombstones(self) -> Iterator[KeyValue]:
        for key in self._written:
            yield key, None
