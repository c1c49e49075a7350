"""What tools see of a consumer group."""

from __future__ import annotations

from collections.abc import Mapping

from drave.broker.coordinator.consumer.group import ConsumerGroup
from drave.broker.coordinator.consumer.member import NOTHING_ASSIGNED, ConsumerMember
from drave.broker.coordinator.group import TopicsImage
from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.wire.messages import k69_consumer_group_describe as k69


def described(member: ConsumerMember, group: ConsumerGroup, topics: TopicsImage) -> k69.Member:
    owned: dict[TopicId, set[int]] = {}
    for topic_id, partition in member.owned():
        owned.setdefault(topic_id, set()).add(partition)
    return k69.Member(
        member_id=member.member_id,
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        member_epoch=member.member_epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.subscription.topics),
        subscribed_topic_regex=member.subscription.regex,
        assignment=_named(owned, topics),
        target_assignment=_named(group.targets.get(member.member_id, NOTHING_ASSIGNED), topics),
        member_type=0 if member.classic is not None else 1,
    )


def _named(assignment: Mapping[TopicId, frozenset[int] | set[int]], topics: TopicsImage) -> k69.Assignment:
    """An assignment for people; topics that are no more have no name and are left out."""
    return k69.Assignment(
        topic_partitions=[
            k69.TopicPartitions(topic_id=topic_id, topic_name=topic.name, partitions=sorted(partitions))
            for topic_id, partitions in assignment.items()
            if (topic := topics.topic_by_id(topic_id)) is not None
        ]
    )


def describe_refused(group_id: str, code: ErrorCode, why: str | None = None) -> k69.DescribedGroup:
    """The answer for a group that cannot be described."""
    return k69.DescribedGroup(
        error_code=code,
        error_message=why,
        group_id=group_id,
        group_state="",
        group_epoch=0,
        assignment_epoch=0,
        assignor_name="",
        members=[],
    )
