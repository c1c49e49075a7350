"""The records that say what a consumer group is, made from what it will be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from drave.broker.coordinator.consumer.member import Assignment, ConsumerMember, Subscription
from drave.broker.coordinator.outcome import KeyValue
from drave.broker.coordinator.schemas.consumer_groups import ConsumerGroupValue, ConsumerRegexValue
from drave.broker.coordinator.schemas.modern_groups import TargetEpochValue, TargetPartitionsValue, TopicPartitions
from drave.broker.coordinator.schemas.offsets_topic import GroupRecord, record_key, record_value


class Pattern(NamedTuple):
    """The topics that a regular expression stands for, as of a version of the topics and a time."""

    topics: frozenset[str]
    version: int
    resolved_ms: int


def topics_of(subscriptions: Iterable[Subscription], patterns: Mapping[str, Pattern]) -> frozenset[str]:
    """All topics that these subscriptions name, or mean by their regular expressions."""
    found: set[str] = set()
    for topics, regex in subscriptions:
        found |= topics
        if (pattern := patterns.get(regex)) is not None:
            found |= pattern.topics
    return frozenset(found)


def group_record(group_id: str, epoch: int, metadata_hash: int) -> tuple[bytes, bytes]:
    """The record of the group itself."""
    value = ConsumerGroupValue(epoch=epoch, metadata_hash=metadata_hash)
    return record_key(GroupRecord.CONSUMER, group_id), record_value(value)


def pattern_record(group_id: str, regex: str, pattern: Pattern) -> tuple[bytes, bytes]:
    """The record of what a regular expression stands for."""
    value = ConsumerRegexValue(topics=sorted(pattern.topics), version=pattern.version, timestamp=pattern.resolved_ms)
    return record_key(GroupRecord.CONSUMER_REGEX, group_id, regex), record_value(value)


def target_record(group_id: str, member_id: str, target: Assignment) -> tuple[bytes, bytes]:
    """The record of what a member is to have."""
    places = [
        TopicPartitions(topic_id=topic_id, partitions=sorted(partitions)) for topic_id, partitions in target.items()
    ]
    value = TargetPartitionsValue(topic_partitions=places)
    return record_key(GroupRecord.CONSUMER_TARGET_MEMBER, group_id, member_id), record_value(value)


def target_epoch_record(group_id: str, epoch: int, targeted_ms: int) -> tuple[bytes, bytes]:
    """The record of which epoch the targets are of."""
    value = TargetEpochValue(assignment_epoch=epoch, assignment_timestamp=targeted_ms)
    return record_key(GroupRecord.CONSUMER_TARGET, group_id), record_value(value)


def member_record(group_id: str, member: ConsumerMember) -> tuple[bytes, bytes]:
    """The record of what a member wants."""
    return record_key(GroupRecord.CONSUMER_MEMBER, group_id, member.member_id), record_value(member.metadata())


def current_record(group_id: str, member: ConsumerMember) -> tuple[bytes, bytes]:
    """The record of what a member has."""
    return record_key(GroupRecord.CONSUMER_CURRENT, group_id, member.member_id), record_value(member.current())


def member_tombstones(group_id: str, member_id: str) -> Iterator[KeyValue]:
    """The records that take a member back."""
    for record in (GroupRecord.CONSUMER_CURRENT, GroupRecord.CONSUMER_TARGET_MEMBER, GroupRecord.CONSUMER_MEMBER):
        yield record_key(record, group_id, member_id), None
