"""One consumer group: who is in it, what each is to have, and what each has.

    members    what they want and have (member.py)
    targets    what the assignor wants each to have, as of `target_epoch`
    patterns   the topics that the members' regular expressions stand for

All of it is durable, and changes only by replay; `changing.py` works out which records to write. Beside it there are
indexes: which member an instance id belongs to, how many members want the same, and who has each partition. A partition
has one owner, whatever is replayed: a record that gives it to a second one is refused here.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar, Final

from drave.broker.coordinator.consumer.leaving import remove_members
from drave.broker.coordinator.consumer.member import Assignment, ConsumerMember, MemberState, Subscription
from drave.broker.coordinator.consumer.records import (
    Pattern,
    current_record,
    group_record,
    member_record,
    pattern_record,
    target_epoch_record,
    target_record,
    topics_of,
)
from drave.broker.coordinator.group import (
    JOIN,
    REBALANCE,
    SESSION,
    SYNC,
    Commit,
    GroupType,
    PartitionCheck,
    Surroundings,
)
from drave.broker.coordinator.modern import ModernGroup, rebalance_timer
from drave.broker.coordinator.outcome import KeyValue, Outcome
from drave.broker.coordinator.schemas.consumer_groups import (
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataValue,
    ConsumerGroupMetadataValue,
    ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataValue,
)
from drave.broker.coordinator.schemas.offsets_topic import (
    OFFSETS_TOPIC,
    GroupKey,
    GroupRecord,
    parse_value,
    record_key,
)
from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.schema import SchemaError

PROTOCOL_TYPE: Final = "consumer"
NEW_PROTOCOL_COMMITS_SINCE: Final = 9
"""OffsetCommit versions whose epoch a member of the consumer protocol can mean."""


class ConsumerGroupState(enum.StrEnum):
    """Kafka's names, as tools show them."""

    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"
    STABLE = "Stable"


class ConsumerGroup(ModernGroup[ConsumerMember]):
    """One group."""

    __slots__ = ("asked_to_join", "has_old_metadata", "instances", "owners", "patterns", "subscriptions", "targets")

    type: ClassVar[GroupType] = GroupType.CONSUMER
    records: ClassVar[frozenset[GroupRecord]] = frozenset(
        {
            GroupRecord.CONSUMER,
            GroupRecord.CONSUMER_PARTITIONS,
            GroupRecord.CONSUMER_MEMBER,
            GroupRecord.CONSUMER_TARGET,
            GroupRecord.CONSUMER_TARGET_MEMBER,
            GroupRecord.CONSUMER_CURRENT,
            GroupRecord.CONSUMER_REGEX,
        }
    )

    def __init__(self, group_id: str, surroundings: Surroundings) -> None:
        super().__init__(group_id, surroundings)
        self.targets: dict[str, Assignment] = {}
        self.patterns: dict[str, Pattern] = {}
        self.instances: dict[str, str] = {}
        """The member that each instance id belongs to."""
        self.subscriptions: Counter[Subscription] = Counter()
        self.owners: dict[tuple[TopicId, int], str] = {}
        """Who has each partition that somebody has."""
        self.asked_to_join: set[str] = set()
        """Members of the classic protocol that have been told to join again, and have yet to do so."""
        self.has_old_metadata = False
        """Whether the log has a record of the kind that Kafka wrote before 4.1 in place of the hash."""

    # -- what others ask of a group

    @property
    def state_name(self) -> str:
        if not self.members:
            return ConsumerGroupState.EMPTY
        if self.epoch > self.target_epoch:
            return ConsumerGroupState.ASSIGNING
        if all(member.is_reconciled_to(self.target_epoch) for member in self.members.values()):
            return ConsumerGroupState.STABLE
        return ConsumerGroupState.RECONCILING

    @property
    def listed_protocol(self) -> str:
        return PROTOCOL_TYPE

    @property
    def gives_way(self) -> bool:
        return True

    def static_member(self, instance_id: str) -> ConsumerMember | None:
        """The member that the instance id belongs to."""
        member_id = self.instances.get(instance_id)
        return None if member_id is None else self.members[member_id]

    def waits(self, member: ConsumerMember) -> bool:
        """Whether others have yet to give back something that the member is to have."""
        return any(
            self.owners.get((topic_id, partition), member.member_id) != member.member_id
            for topic_id, partitions in self.targets.get(member.member_id, {}).items()
            for partition in partitions
        )

    def is_subscribed_to(self, topic: str) -> bool:
        return topic in topics_of(self.subscriptions, self.patterns)

    def may_commit(self, commit: Commit, out: Outcome) -> ErrorCode | PartitionCheck:
        """A member that is behind may still commit where it has been reading since then (KIP-1251)."""
        if commit.generation < 0 and not self.members:
            return ErrorCode.NONE
        if commit.in_transaction and (commit.generation, commit.member_id, commit.instance_id) == (-1, "", None):
            return ErrorCode.NONE
        member = self.members.get(commit.member_id)
        if member is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        is_new = member.classic is None
        if not commit.in_transaction and is_new and commit.api_version < NEW_PROTOCOL_COMMITS_SINCE:
            return ErrorCode.UNSUPPORTED_VERSION
        if commit.generation == member.member_epoch:
            return ErrorCode.NONE
        stale = ErrorCode.STALE_MEMBER_EPOCH
        if commit.in_transaction or not is_new:
            stale = ErrorCode.ILLEGAL_GENERATION
        if commit.generation > member.member_epoch:
            return stale

        def check(topic_id: TopicId, partition: int) -> ErrorCode:
            given_at = member.given_at(topic_id, partition)
            return stale if given_at is None or commit.generation < given_at else ErrorCode.NONE

        return check

    def may_fetch(self, member_id: str | None, member_epoch: int) -> ErrorCode:
        if member_id is None and member_epoch < 0:
            return ErrorCode.NONE
        member = self.members.get(member_id or "")
        if member is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        if member.member_epoch == member_epoch:
            return ErrorCode.NONE
        return ErrorCode.STALE_MEMBER_EPOCH if member.classic is None else ErrorCode.ILLEGAL_GENERATION

    # -- deadlines

    def session_timeout_ms(self, member: ConsumerMember) -> int:
        if member.classic is not None:
            return member.classic.session_timeout_ms
        return self.surroundings.config(self.group_id).number("consumer.session.timeout.ms")

    def forget_deadlines(self, member_id: str, out: Outcome) -> None:
        super().forget_deadlines(member_id, out)
        self.asked_to_join.discard(member_id)
        for kind in (JOIN, SYNC):
            out.timer((kind, self.group_id, member_id), None)

    def is_overdue(self, kind: str, member_id: str) -> bool:
        """Whether a deadline that has come is still one: the member may have moved on since it was set."""
        member = self.members.get(member_id)
        if member is None or (kind == SESSION and member.member_epoch < 0):
            return member is not None
        return kind != REBALANCE or member.state is MemberState.UNREVOKED_PARTITIONS

    def timer_fired(self, kind: str, member_id: str, now_ms: int, out: Outcome) -> None:
        member = self.members.get(member_id)
        if member is not None and self.is_overdue(kind, member_id):
            remove_members(self, [member], now_ms, out)

    def loaded(self, now_ms: int, out: Outcome) -> None:
        super().loaded(now_ms, out)
        for member in self.members.values():
            if member.state is MemberState.UNREVOKED_PARTITIONS:
                out.timer(rebalance_timer(self.group_id, member.member_id), member.rebalance_timeout_ms)

    # -- the log

    def replay(self, key: GroupKey, value: bytes | None) -> None:
        match key.record:
            case GroupRecord.CONSUMER:
                self._replay_group(value)
            case GroupRecord.CONSUMER_PARTITIONS:
                self.has_old_metadata = value is not None
            case GroupRecord.CONSUMER_MEMBER:
                self._replay_member(key.part, value)
            case GroupRecord.CONSUMER_TARGET:
                target = None if value is None else parse_value(ConsumerGroupTargetAssignmentMetadataValue, value)
                self.target_epoch = -1 if target is None else target.assignment_epoch
                self.targeted_ms = 0 if target is None else target.assignment_timestamp
            case GroupRecord.CONSUMER_TARGET_MEMBER if value is None:
                self.targets.pop(key.part, None)
            case GroupRecord.CONSUMER_TARGET_MEMBER if value is not None:
                stored = parse_value(ConsumerGroupTargetAssignmentMemberValue, value).topic_partitions
                self.targets[key.part] = {TopicId(each.topic_id): frozenset(each.partitions) for each in stored}
            case GroupRecord.CONSUMER_CURRENT:
                self._replay_current(key.part, value)
            case GroupRecord.CONSUMER_REGEX if value is None:
                self.patterns.pop(key.part, None)
            case GroupRecord.CONSUMER_REGEX if value is not None:
                found = parse_value(ConsumerGroupRegularExpressionValue, value)
                self.patterns[key.part] = Pattern(frozenset(found.topics), found.version, found.timestamp)

    def _replay_group(self, value: bytes | None) -> None:
        self.is_written = value is not None
        if value is not None:
            group = parse_value(ConsumerGroupMetadataValue, value)
            self.epoch, self.metadata_hash = group.epoch, group.metadata_hash

    def _replay_member(self, member_id: str, value: bytes | None) -> None:
        if value is None:
            self._put(member_id, None)
        else:
            before = self.members.get(member_id) or ConsumerMember(member_id=member_id)
            self._put(member_id, before.with_metadata(parse_value(ConsumerGroupMemberMetadataValue, value)))

    def _replay_current(self, member_id: str, value: bytes | None) -> None:
        before = self.members.get(member_id)
        if value is None:
            if before is not None:
                self._put(member_id, before.without_current())
            return
        before = before or ConsumerMember(member_id=member_id)
        try:
            member = before.with_current(parse_value(ConsumerGroupCurrentMemberAssignmentValue, value))
        except ValueError as error:
            raise SchemaError(OFFSETS_TOPIC, 0, f"member {member_id!r}: {error}") from None
        for place in member.owned():
            owner = self.owners.get(place, member_id)
            if owner != member_id:
                raise SchemaError(OFFSETS_TOPIC, 0, f"{place} belongs to {owner!r} and to {member_id!r}")
        self._put(member_id, member)

    def _put(self, member_id: str, member: ConsumerMember | None) -> None:
        """Put the member in the place of what is known under its id, in all indexes."""
        before = self.members.pop(member_id, None) if member is None else self.members.get(member_id)
        if before is not None:
            for place in before.owned():
                if self.owners.get(place) == member_id:
                    del self.owners[place]
            self.subscriptions[before.subscription] -= 1
            if not self.subscriptions[before.subscription]:
                del self.subscriptions[before.subscription]
            if before.instance_id is not None and self.instances.get(before.instance_id) == member_id:
                del self.instances[before.instance_id]
        if member is not None:
            self.members[member_id] = member
            self.subscriptions[member.subscription] += 1
            if member.instance_id is not None:
                self.instances[member.instance_id] = member_id
            for place in member.owned():
                self.owners[place] = member_id

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        """Given in slices, between which members may change: each is asked for when its turn comes."""
        group_id = self.group_id
        if not self.is_written:
            return
        for member_id in list(self.members):
            if (member := self.members.get(member_id)) is not None:
                yield member_record(group_id, member)
        yield group_record(group_id, self.epoch, self.metadata_hash)
        for regex in list(self.patterns):
            if (pattern := self.patterns.get(regex)) is not None:
                yield pattern_record(group_id, regex, pattern)
        for member_id in list(self.targets):
            if (target := self.targets.get(member_id)) is not None:
                yield target_record(group_id, member_id, target)
        yield target_epoch_record(group_id, self.target_epoch, self.targeted_ms)
        for member_id in list(self.members):
            if (member := self.members.get(member_id)) is not None:
                yield current_record(group_id, member)

    def tombstones(self) -> Iterator[KeyValue]:
        group_id = self.group_id
        for member_id in self.members:
            yield record_key(GroupRecord.CONSUMER_CURRENT, group_id, member_id), None
        for member_id in self.targets:
            yield record_key(GroupRecord.CONSUMER_TARGET_MEMBER, group_id, member_id), None
        yield record_key(GroupRecord.CONSUMER_TARGET, group_id), None
        for member_id in self.members:
            yield record_key(GroupRecord.CONSUMER_MEMBER, group_id, member_id), None
        for regex in self.patterns:
            yield record_key(GroupRecord.CONSUMER_REGEX, group_id, regex), None
        if self.has_old_metadata:
            yield record_key(GroupRecord.CONSUMER_PARTITIONS, group_id), None
        yield record_key(GroupRecord.CONSUMER, group_id), None
