"""What a consumer group consists of: who is in it, what each is to have, and what each has.

    members    what they want and have (member.py)
    targets    what the assignor wants each to have, as of `target_epoch`
    patterns   the topics that the members' regular expressions stand for

All of it is durable, and changes only by replay; `changing.py` works out which records to write. Beside it there are
indexes: which member an instance id belongs to, how many members want the same, and who has each partition. A partition
has one owner, whatever is replayed: a record that gives it to a second one is refused here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from drave.broker.coordinator.consumer.member import Assignment, ConsumerMember, Subscription
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
from drave.broker.coordinator.exclusive import ExclusiveGroup
from drave.broker.coordinator.group import JOIN, SYNC, Surroundings
from drave.broker.coordinator.outcome import KeyValue, Outcome
from drave.broker.coordinator.schemas.consumer_groups import (
    ConsumerCurrentValue,
    ConsumerGroupValue,
    ConsumerMemberValue,
    ConsumerRegexValue,
)
from drave.broker.coordinator.schemas.modern_groups import TargetEpochValue, TargetPartitionsValue
from drave.broker.coordinator.schemas.offsets_topic import OFFSETS_TOPIC, GroupKey, GroupRecord, parse_value, record_key
from drave.model.ids import TopicId
from drave.schema import SchemaError


class Holdings(ExclusiveGroup[ConsumerMember, Assignment]):
    """Members, targets, and who has which partition. A `Change` works out what comes next."""

    __slots__ = ("asked_to_join", "has_old_metadata", "instances", "owners", "patterns", "subscriptions")

    def __init__(self, group_id: str, surroundings: Surroundings) -> None:
        super().__init__(group_id, surroundings)
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

    def speaks_of_epochs(self, member: ConsumerMember) -> bool:
        return member.classic is None

    def owned_since(self, member: ConsumerMember, topic_id: TopicId, partition: int) -> int | None:
        return member.given_at(topic_id, partition)

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
                target = None if value is None else parse_value(TargetEpochValue, value)
                self.target_epoch = -1 if target is None else target.assignment_epoch
                self.targeted_ms = 0 if target is None else target.assignment_timestamp
            case GroupRecord.CONSUMER_TARGET_MEMBER if value is None:
                self.targets.pop(key.part, None)
            case GroupRecord.CONSUMER_TARGET_MEMBER if value is not None:
                stored = parse_value(TargetPartitionsValue, value).topic_partitions
                self.targets[key.part] = {each.topic_id: frozenset(each.partitions) for each in stored}
            case GroupRecord.CONSUMER_CURRENT:
                self._replay_current(key.part, value)
            case GroupRecord.CONSUMER_REGEX if value is None:
                self.patterns.pop(key.part, None)
            case GroupRecord.CONSUMER_REGEX if value is not None:
                found = parse_value(ConsumerRegexValue, value)
                self.patterns[key.part] = Pattern(frozenset(found.topics), found.version, found.timestamp)

    def _replay_group(self, value: bytes | None) -> None:
        self.is_written = value is not None
        if value is not None:
            group = parse_value(ConsumerGroupValue, value)
            self.epoch, self.metadata_hash = group.epoch, group.metadata_hash

    def _replay_member(self, member_id: str, value: bytes | None) -> None:
        if value is None:
            self._put(member_id, None)
        else:
            before = self.members.get(member_id) or ConsumerMember(member_id=member_id)
            self._put(member_id, before.with_metadata(parse_value(ConsumerMemberValue, value)))

    def _replay_current(self, member_id: str, value: bytes | None) -> None:
        before = self.members.get(member_id)
        if value is None:
            if before is not None:
                self._put(member_id, before.without_current())
            return
        before = before or ConsumerMember(member_id=member_id)
        try:
            member = before.with_current(parse_value(ConsumerCurrentValue, value))
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
