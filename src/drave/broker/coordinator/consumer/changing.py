"""A change of a consumer group that is being worked out: the group as it will be, and the records that make it so.

    put, remove ──▶ refresh ──▶ assign ──▶ lead
    members         patterns,   targets    one member, a step towards its target
                    hash, epoch

The group itself stays as it is until the records are replayed, and so does everything here when the log refuses them.
What the change has already decided lies over the group's own state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from drave.broker.coordinator.consumer.assignors import ASSIGNORS, Candidate, preferred
from drave.broker.coordinator.consumer.holdings import Holdings
from drave.broker.coordinator.consumer.member import NOTHING_ASSIGNED, Assignment, ConsumerMember, Subscription
from drave.broker.coordinator.consumer.reconciling import Target, reconcile
from drave.broker.coordinator.consumer.records import (
    Pattern,
    current_record,
    group_record,
    member_record,
    member_tombstones,
    pattern_record,
    target_epoch_record,
    target_record,
    topics_of,
)
from drave.broker.coordinator.outcome import Outcome
from drave.broker.coordinator.schemas.offsets_topic import GroupRecord, record_key
from drave.broker.patterns import readable
from drave.model.ids import TopicId


class Change:
    """One change of one group, made at one moment."""

    def __init__(self, group: Holdings, now_ms: int, out: Outcome) -> None:
        self.group = group
        self.epoch = group.epoch
        self.target_epoch = group.target_epoch
        self.targeted_ms = group.targeted_ms
        self.members: dict[str, ConsumerMember] = group.members
        self.patterns: Mapping[str, Pattern] = group.patterns
        self._now_ms = now_ms
        self._out = out
        self._records = out.records
        self._topics = group.surroundings.topics
        self._subscriptions: Counter[Subscription] = group.subscriptions
        self._targets: Mapping[str, Assignment] = group.targets
        self._replaced: dict[str, str] = {}
        """By the id of each member that takes another's place, whose."""
        self._ids: dict[Subscription, frozenset[TopicId]] = {}

    # -- members

    def put(self, member: ConsumerMember) -> None:
        """The member wants this from now on."""
        before = self.members.get(member.member_id)
        self.members = {**self.members, member.member_id: member}
        self._count(before, member)
        self._records.append(member_record(self.group.group_id, member))

    def remove(self, member: ConsumerMember) -> None:
        """The member is no more."""
        self.members = {name: each for name, each in self.members.items() if name != member.member_id}
        self._count(member, None)
        self._records.extend(member_tombstones(self.group.group_id, member.member_id))

    def replace(self, old: ConsumerMember, new: ConsumerMember) -> None:
        """A static member has come back under another id, and has all that it had."""
        self.remove(old)
        self.put(new)
        target = self._targets.get(old.member_id, NOTHING_ASSIGNED)
        self._targets = {**self._targets, new.member_id: target}
        self._replaced[new.member_id] = old.member_id
        self._records.append(target_record(self.group.group_id, new.member_id, target))
        self._records.append(current_record(self.group.group_id, new))

    def _count(self, before: ConsumerMember | None, after: ConsumerMember | None) -> None:
        counted = Counter(self._subscriptions)
        if before is not None:
            counted[before.subscription] -= 1
        if after is not None:
            counted[after.subscription] += 1
        self._subscriptions = +counted

    # -- the group

    def refresh(self, *, bump: bool) -> None:
        """Look at the topics anew, and raise the epoch where it matters, or where `bump` says so."""
        group = self.group
        bump = self._resolve_patterns() or bump
        found = group.hash_of(topics_of(self._subscriptions, self.patterns))
        if bump or found != group.metadata_hash:
            self.epoch += 1
            self._records.append(group_record(group.group_id, self.epoch, found))
        if group.has_old_metadata:
            self._records.append((record_key(GroupRecord.CONSUMER_PARTITIONS, group.group_id), None))

    def _resolve_patterns(self) -> bool:
        """Find the topics of each regular expression that somebody subscribes to; whether they are others now."""
        group, differs = self.group, False
        wanted = sorted({each.regex for each in self._subscriptions if each.regex})
        for regex in self.patterns:
            if regex not in wanted:
                self._records.append((record_key(GroupRecord.CONSUMER_REGEX, group.group_id, regex), None))
        resolved: dict[str, Pattern] = {}
        for regex in wanted:
            known = self.patterns.get(regex)
            resolved[regex] = found = self._resolve(regex, known)
            if known is None or found.topics != known.topics:
                differs = True
                self._records.append(pattern_record(group.group_id, regex, found))
        self.patterns = resolved
        return differs

    def _resolve(self, regex: str, known: Pattern | None) -> Pattern:
        if known is not None and not self.group.topics_have_changed:
            return known
        pattern = readable(regex)
        if pattern is None:  # another broker took it, and wrote it down with its topics
            return known or Pattern(frozenset(), self._topics.version, self._now_ms)
        topics = frozenset(name for name in self._topics.topics() if pattern.matches(name))
        return Pattern(topics, self._topics.version, self._now_ms)

    def assign(self) -> None:
        """Compute the targets anew if the epoch has risen since, and if the last time is long enough ago."""
        group = self.group
        if self.target_epoch >= self.epoch or not self._may_assign_now():
            return
        wished = preferred(member.assignor for member in self.members.values())
        candidates = [
            Candidate(
                member.member_id,
                member.instance_id,
                self._topic_ids(member.subscription),
                self._targets.get(member.member_id, NOTHING_ASSIGNED),
            )
            for member in self.members.values()
        ]
        targets = ASSIGNORS[wished](candidates, self._partitions())
        for candidate in candidates:
            target = targets.get(candidate.member_id, NOTHING_ASSIGNED)
            if target is not candidate.target and target != candidate.target:
                self._records.append(target_record(group.group_id, candidate.member_id, target))
        self._targets = targets
        self.target_epoch, self.targeted_ms = self.epoch, self._now_ms
        self._records.append(target_epoch_record(group.group_id, self.epoch, self._now_ms))

    def _may_assign_now(self) -> bool:
        """Members that come together share an assignment (KIP-1263)."""
        interval_ms = self.group.surroundings.config(self.group.group_id).number("consumer.assignment.interval.ms")
        last_ms = self.group.targeted_ms
        return not last_ms or not interval_ms or self._now_ms >= last_ms + interval_ms

    def _topic_ids(self, subscription: Subscription) -> frozenset[TopicId]:
        """The topics of a subscription that exist."""
        found = self._ids.get(subscription)
        if found is None:
            names = topics_of((subscription,), self.patterns)
            topics = (self._topics.topic(name) for name in names)
            found = self._ids[subscription] = frozenset(topic.topic_id for topic in topics if topic is not None)
        return found

    def _partitions(self) -> dict[TopicId, int]:
        """How many partitions each topic has that somebody reads."""
        names = topics_of(self._subscriptions, self.patterns)
        topics = (self._topics.topic(name) for name in names)
        return {topic.topic_id: topic.partitions for topic in topics if topic is not None}

    def target_of(self, member: ConsumerMember) -> Assignment:
        """What the member is to have."""
        return self._targets.get(member.member_id, NOTHING_ASSIGNED)

    # -- one member

    def lead(self, member: ConsumerMember, reported: Assignment | None, *, wants_others: bool) -> ConsumerMember:
        """Take the member a step towards its target, and set it a deadline where it has to give something back."""
        if not wants_others and member.is_reconciled_to(self.target_epoch):
            return member
        target = self.target_of(member)
        topics = self._topic_ids(member.subscription)
        goal = Target(self.target_epoch, target, topics, lambda *place: self._is_free_for(member.member_id, place))
        after = reconcile(member, goal, reported, wants_others=wants_others)
        if after == member:
            return member
        self.members = {**self.members, after.member_id: after}
        self._records.append(current_record(self.group.group_id, after))
        if after.classic is None:
            self.group.expect_back(after, self._out)
        return after

    def _is_free_for(self, member_id: str, place: tuple[TopicId, int]) -> bool:
        owner = self.group.owners.get(place)
        return owner is None or owner in (member_id, self._replaced.get(member_id))
