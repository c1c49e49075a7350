"""One share group: its members, what each is to read, and whose state there is.

    a member joins, goes, wants something else ┐                     ┌ target for every member
    a topic comes, goes, grows                 ├▶ group epoch + 1 ──▶┤ each goes there with its next heartbeat
    partitions have got their state            ┘                     └

Several members may read one partition, so nobody has to give it back before another gets it: a member goes to its
target in one step. Nothing here says who holds which record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

import msgspec

from drave.broker.coordinator.group import SESSION, Commit, GroupState, GroupType, Surroundings
from drave.broker.coordinator.modern import FIRST_EPOCH, ModernGroup
from drave.broker.coordinator.outcome import KeyValue, Outcome
from drave.broker.coordinator.schemas.modern_groups import TargetEpochValue, TargetPartitionsValue, TopicPartitions
from drave.broker.coordinator.schemas.offsets_topic import GroupKey, GroupRecord, parse_value, record_key, record_value
from drave.broker.coordinator.schemas.share_groups import (
    ShareCurrentValue,
    ShareGroupValue,
    ShareMemberValue,
    SharePartitionsValue,
)
from drave.broker.coordinator.share.assignor import NOTHING, Partitions, assign
from drave.broker.coordinator.share.partitions import StatePlaces, by_topic
from drave.broker.coordinator.share.state import SharePartition
from drave.model.errors import ErrorCode
from drave.model.group_configs import GroupConfig
from drave.schema import Struct

_STABLE: Final = 0
"""Kafka's number of the only state that a member of a share group is ever in."""


class ShareMember(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One member, as the log has it."""

    member_id: str
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topics: frozenset[str] = frozenset()
    member_epoch: int = 0
    previous_epoch: int = -1
    """Good too: the answer with the newer one may have been lost."""
    assigned: Partitions = NOTHING


class Change:
    """What a step is about to write: records, and what the group is once they count."""

    __slots__ = ("epoch", "group", "members", "out", "target_epoch", "targets")

    def __init__(self, group: ShareGroup, out: Outcome) -> None:
        self.group = group
        self.out = out
        self.epoch = group.epoch
        self.target_epoch = group.target_epoch
        self.targets: Mapping[str, Partitions] = group.targets
        self.members = dict(group.members)

    def write(self, record: GroupRecord, value: Struct | None, member_id: str = "") -> None:
        key = record_key(record, self.group.group_id, member_id)
        self.out.records.append((key, None if value is None else record_value(value)))

    def member(self, member: ShareMember) -> None:
        """A member says something new of itself."""
        self.members[member.member_id] = member
        self.write(GroupRecord.SHARE_MEMBER, member_value(member), member.member_id)

    def remove(self, member_id: str) -> None:
        """A member is no more."""
        del self.members[member_id]
        for record in (GroupRecord.SHARE_CURRENT, GroupRecord.SHARE_TARGET_MEMBER, GroupRecord.SHARE_MEMBER):
            self.write(record, None, member_id)

    def places(self, places: StatePlaces) -> None:
        """The state of some share-partitions is asked for, is there, or is not to be."""
        self.write(GroupRecord.SHARE_PARTITIONS, places.value(self.group.surroundings.topics))

    def next_epoch(self) -> None:
        """What matters to the group has changed."""
        self.epoch += 1
        self.write(
            GroupRecord.SHARE, ShareGroupValue(epoch=self.epoch, metadata_hash=self.group.hash_of(self.topic_names))
        )

    @property
    def topic_names(self) -> frozenset[str]:
        """All that somebody subscribes to."""
        return frozenset().union(*(member.topics for member in self.members.values()))

    def aim(self, now_ms: int) -> None:
        """A new target for every member, of the partitions that have a state."""
        group, topics = self.group, self.group.surroundings.topics
        subscriptions = {
            member_id: frozenset(topic.topic_id for name in member.topics if (topic := topics.topic(name)) is not None)
            for member_id, member in self.members.items()
        }
        targets = assign(subscriptions, self.targets, group.places.initialized)
        for member_id, target in targets.items():
            if target != self.targets.get(member_id):
                part = TargetPartitionsValue(topic_partitions=written(target))
                self.write(GroupRecord.SHARE_TARGET_MEMBER, part, member_id)
        self.target_epoch, self.targets = self.epoch, targets
        # A target of nothing has kept nobody busy, so the next one need not wait.
        self.aimed(now_ms if any(targets.values()) else 0)

    def aimed(self, at_ms: int) -> None:
        """When the target was computed; 0 lets the next one come at any time."""
        value = TargetEpochValue(assignment_epoch=self.target_epoch, assignment_timestamp=at_ms)
        self.write(GroupRecord.SHARE_TARGET, value)

    def lead(self, member: ShareMember) -> ShareMember:
        """Take a member to its target."""
        topics = self.group.surroundings.topics
        wanted = {topic.topic_id for name in member.topics if (topic := topics.topic(name)) is not None}
        target = self.targets.get(member.member_id, NOTHING)
        after = msgspec.structs.replace(member, assigned=frozenset(each for each in target if each.topic_id in wanted))
        if self.target_epoch != member.member_epoch:
            after = msgspec.structs.replace(after, member_epoch=self.target_epoch, previous_epoch=member.member_epoch)
        if after != member:
            self.members[member.member_id] = after
            self.write(GroupRecord.SHARE_CURRENT, current_value(after), member.member_id)
        return after


class ShareGroup(ModernGroup[ShareMember]):
    """What the log says of the group."""

    __slots__ = ("_has_places", "places", "targets")

    type: ClassVar[GroupType] = GroupType.SHARE
    records: ClassVar[frozenset[GroupRecord]] = frozenset(
        {
            GroupRecord.SHARE,
            GroupRecord.SHARE_MEMBER,
            GroupRecord.SHARE_TARGET,
            GroupRecord.SHARE_TARGET_MEMBER,
            GroupRecord.SHARE_CURRENT,
            GroupRecord.SHARE_PARTITIONS,
        }
    )

    def __init__(self, group_id: str, surroundings: Surroundings) -> None:
        super().__init__(group_id, surroundings)
        self.epoch = self.target_epoch = FIRST_EPOCH
        self.targets: dict[str, Partitions] = {}
        self.places = StatePlaces()
        self._has_places = False
        """Whether their record is in the log: an administrator's is the first of a group that nobody has joined."""

    # -- what others ask

    @property
    def state(self) -> GroupState:
        return GroupState.EMPTY if self.is_empty else GroupState.STABLE

    @property
    def expires(self) -> bool:
        """How far it has come is worth keeping, however long nobody reads on."""
        return False

    @property
    def is_gone(self) -> bool:
        return not (self.is_written or self._has_places or self.members)

    @property
    def is_forgettable(self) -> bool:
        return self.is_gone

    def may_commit(self, commit: Commit, out: Outcome) -> ErrorCode:
        """It has no offsets of this kind, and to who works with those it is no group."""
        return ErrorCode.GROUP_ID_NOT_FOUND

    def may_delete_offsets(self) -> ErrorCode:
        return ErrorCode.GROUP_ID_NOT_FOUND

    def is_subscribed_to(self, topic: str) -> bool:
        return any(topic in member.topics for member in self.members.values())

    def session_timeout_ms(self, member: ShareMember) -> int:
        return self._config.number("share.session.timeout.ms")

    @property
    def heartbeat_interval_ms(self) -> int:
        return self._config.number("share.heartbeat.interval.ms")

    @property
    def _config(self) -> GroupConfig:
        return self.surroundings.config(self.group_id)

    # -- members

    def heartbeat(self, member: ShareMember, change: Change) -> None:
        """A member is here, and says this of itself."""
        known = self.members.get(member.member_id)
        self.heard_from(member, change.out)
        if member != known:
            change.member(member)
        changed = known is None or member.topics != known.topics
        if changed or (self.topics_have_changed and self.hash_of(change.topic_names) != self.metadata_hash):
            change.next_epoch()

    def may_aim(self, now_ms: int) -> bool:
        """Whether it is time for another target: many who come at once share one."""
        interval_ms = self._config.number("share.assignment.interval.ms")
        return not (self.targeted_ms and interval_ms) or now_ms >= self.targeted_ms + interval_ms

    def remove(self, member_id: str, out: Outcome) -> None:
        """A member leaves, or was silent for too long. The others hear of it with their next heartbeats."""
        change = Change(self, out)
        change.remove(member_id)
        change.next_epoch()
        if not change.members:
            change.aimed(0)
        self.forget_deadlines(member_id, out)

    def timer_fired(self, kind: str, member_id: str, now_ms: int, out: Outcome) -> None:
        if kind == SESSION and member_id in self.members:
            self.remove(member_id, out)

    # -- the log

    def replay(self, key: GroupKey, value: bytes | None) -> None:
        if value is None:
            self._take_back(key)
            return
        member_id = key.part
        match key.record:
            case GroupRecord.SHARE:
                group = parse_value(ShareGroupValue, value)
                self.epoch, self.metadata_hash, self.is_written = group.epoch, group.metadata_hash, True
            case GroupRecord.SHARE_PARTITIONS:
                self.places, self._has_places = StatePlaces.of(parse_value(SharePartitionsValue, value)), True
            case GroupRecord.SHARE_TARGET:
                target = parse_value(TargetEpochValue, value)
                self.target_epoch, self.targeted_ms = target.assignment_epoch, target.assignment_timestamp
            case GroupRecord.SHARE_TARGET_MEMBER:
                self.targets[member_id] = read(parse_value(TargetPartitionsValue, value).topic_partitions)
            case GroupRecord.SHARE_MEMBER:
                said = parse_value(ShareMemberValue, value)
                self.members[member_id] = msgspec.structs.replace(
                    self._member(member_id),
                    rack_id=said.rack_id,
                    client_id=said.client_id,
                    client_host=said.client_host,
                    topics=frozenset(said.subscribed_topic_names),
                )
            case _:
                current = parse_value(ShareCurrentValue, value)
                self.members[member_id] = msgspec.structs.replace(
                    self._member(member_id),
                    member_epoch=current.member_epoch,
                    previous_epoch=current.previous_member_epoch,
                    assigned=read(current.assigned_partitions),
                )

    def _member(self, member_id: str) -> ShareMember:
        return self.members.get(member_id) or ShareMember(member_id=member_id)

    def _take_back(self, key: GroupKey) -> None:
        fresh = ShareMember(member_id=key.part)
        match key.record:
            case GroupRecord.SHARE:
                self.is_written = False
            case GroupRecord.SHARE_PARTITIONS:
                self.places, self._has_places = StatePlaces(), False
            case GroupRecord.SHARE_TARGET:
                self.target_epoch, self.targeted_ms = FIRST_EPOCH, 0
            case GroupRecord.SHARE_TARGET_MEMBER:
                self.targets.pop(key.part, None)
            case GroupRecord.SHARE_MEMBER:
                self.members.pop(key.part, None)
            case _:
                if (member := self.members.get(key.part)) is not None:
                    self.members[key.part] = msgspec.structs.replace(
                        member, member_epoch=fresh.member_epoch, previous_epoch=fresh.previous_epoch, assigned=NOTHING
                    )

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        group_id, topics = self.group_id, self.surroundings.topics
        if self.is_written:
            value: Struct = ShareGroupValue(epoch=self.epoch, metadata_hash=self.metadata_hash)
            yield record_key(GroupRecord.SHARE, group_id), record_value(value)
        if self._has_places:
            yield record_key(GroupRecord.SHARE_PARTITIONS, group_id), record_value(self.places.value(topics))
        for member in list(self.members.values()):
            yield record_key(GroupRecord.SHARE_MEMBER, group_id, member.member_id), record_value(member_value(member))
            yield record_key(GroupRecord.SHARE_CURRENT, group_id, member.member_id), record_value(current_value(member))
        for member_id, target in list(self.targets.items()):
            value = TargetPartitionsValue(topic_partitions=written(target))
            yield record_key(GroupRecord.SHARE_TARGET_MEMBER, group_id, member_id), record_value(value)
        if self.target_epoch > FIRST_EPOCH:
            value = TargetEpochValue(assignment_epoch=self.target_epoch, assignment_timestamp=self.targeted_ms)
            yield record_key(GroupRecord.SHARE_TARGET, group_id), record_value(value)

    def tombstones(self) -> Iterator[KeyValue]:
        group_id = self.group_id
        for member_id in self.members | self.targets:
            for record in (GroupRecord.SHARE_CURRENT, GroupRecord.SHARE_TARGET_MEMBER, GroupRecord.SHARE_MEMBER):
                yield record_key(record, group_id, member_id), None
        for record in (GroupRecord.SHARE_TARGET, GroupRecord.SHARE_PARTITIONS, GroupRecord.SHARE):
            yield record_key(record, group_id), None


def member_value(member: ShareMember) -> ShareMemberValue:
    """What a member says of itself, as it is written down."""
    return ShareMemberValue(
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topics),
    )


def current_value(member: ShareMember) -> ShareCurrentValue:
    """What a member has, as it is written down."""
    return ShareCurrentValue(
        member_epoch=member.member_epoch,
        previous_member_epoch=member.previous_epoch,
        state=_STABLE,
        assigned_partitions=written(member.assigned),
    )


def written(partitions: Partitions) -> list[TopicPartitions]:
    """Partitions as records name them."""
    return [
        TopicPartitions(topic_id=topic_id, partitions=indexes) for topic_id, indexes in by_topic(partitions).items()
    ]


def read(topics: list[TopicPartitions]) -> Partitions:
    """The reverse of `written`."""
    return frozenset(SharePartition(topic.topic_id, index) for topic in topics for index in topic.partitions)
