"""What a heartbeat of a consumer group says, whether its member may say it, and what it is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from drave.broker.coordinator.classic.members import Joiner
from drave.broker.coordinator.consumer.assignors import ASSIGNORS
from drave.broker.coordinator.consumer.changing import Change
from drave.broker.coordinator.consumer.group import ConsumerGroup
from drave.broker.coordinator.consumer.member import AWAY_EPOCH, Assignment, ConsumerMember, Subscription
from drave.broker.coordinator.modern import JOIN_EPOCH, LEAVE_EPOCH, check_topics_named
from drave.broker.patterns import Pattern, check_work, readable
from drave.model.errors import ErrorCode, Refused
from drave.wire.messages.k68_consumer_group_heartbeat import Assignment as SentAssignment
from drave.wire.messages.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, TopicPartitions

MEMBER_ID_SINCE: Final = 1
"""Heartbeat versions whose members bring their own id (KIP-1082)."""

NOT_GIVEN: Final = -1


def static_joiner(
    change: Change, holder: ConsumerMember | None, member_id: str, instance_id: str, *, must_be_away: bool
) -> ConsumerMember:
    """Who joins under an instance id: somebody new, or who takes the place of the one before."""
    if holder is None:
        return ConsumerMember(member_id=member_id)
    if must_be_away and holder.classic is None and holder.member_epoch != AWAY_EPOCH:
        raise Refused(
            ErrorCode.UNRELEASED_INSTANCE_ID,
            f"Static member {member_id} with instance id {instance_id} cannot join the group because the instance id "
            f"is owned by {holder.member_id} member.",
        )
    successor = replace(holder, member_id=member_id, member_epoch=JOIN_EPOCH, previous_epoch=JOIN_EPOCH)
    change.replace(holder, successor)
    return successor


def checked_holder(holder: ConsumerMember | None, member_id: str, instance_id: str) -> ConsumerMember:
    """The static member that a request comes from. Raises Refused."""
    if holder is None:
        raise Refused(ErrorCode.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
    if holder.member_id != member_id:
        raise Refused(
            ErrorCode.FENCED_INSTANCE_ID,
            f"Static member {member_id} with instance id {instance_id} was fenced by member {holder.member_id}.",
        )
    return holder


def check_request(request: ConsumerGroupHeartbeatRequest, version: int) -> None:
    """What is wrong with a heartbeat, whatever the group is. Raises Refused."""
    epoch = request.member_epoch
    problem = None
    if not request.member_id and (version >= MEMBER_ID_SINCE or epoch > JOIN_EPOCH or epoch == LEAVE_EPOCH):
        problem = "MemberId can't be empty."
    elif not request.group_id:
        problem = "GroupId can't be empty."
    elif request.instance_id == "":
        problem = "InstanceId can't be empty."
    elif request.rack_id == "":
        problem = "RackId can't be empty."
    elif epoch == JOIN_EPOCH:
        problem = _problem_of_joiner(request)
    elif epoch == AWAY_EPOCH and request.instance_id is None:
        problem = "InstanceId can't be null."
    elif epoch < AWAY_EPOCH:
        problem = "MemberEpoch is invalid."
    if problem is not None:
        raise Refused(ErrorCode.INVALID_REQUEST, problem)
    check_topics_named(request.subscribed_topic_names)
    if request.server_assignor is not None and request.server_assignor not in ASSIGNORS:
        raise Refused(
            ErrorCode.UNSUPPORTED_ASSIGNOR,
            f"ServerAssignor {request.server_assignor} is not supported. Supported assignors: {', '.join(ASSIGNORS)}.",
        )


def _problem_of_joiner(request: ConsumerGroupHeartbeatRequest) -> str | None:
    if request.rebalance_timeout_ms == NOT_GIVEN:
        return "RebalanceTimeoutMs must be provided in first request."
    if request.topic_partitions is None or request.topic_partitions:
        return "TopicPartitions must be empty when (re-)joining."
    if request.subscribed_topic_names is None and request.subscribed_topic_regex is None:
        return "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."
    return None


def check_epoch(member: ConsumerMember, request: ConsumerGroupHeartbeatRequest) -> None:
    """A member is at the epoch that it was last told, or at the one before if that answer was lost."""
    said = request.member_epoch
    if said in (JOIN_EPOCH, member.member_epoch):
        return
    greater = said > member.member_epoch
    if not greater and said == member.previous_epoch and _is_part(reported(request), member):
        return
    raise Refused(
        ErrorCode.FENCED_MEMBER_EPOCH,
        f"The consumer group member has a {'greater' if greater else 'smaller'} member epoch ({said}) than the one "
        f"known by the group coordinator ({member.member_epoch}). The member must abandon all its partitions and "
        "rejoin.",
    )


def _is_part(reported: Assignment | None, member: ConsumerMember) -> bool:
    """Whether a member has no more than it was given."""
    if reported is None:
        return False
    return all(partitions <= member.assigned.get(topic_id, {}).keys() for topic_id, partitions in reported.items())


def check_pattern(before: Subscription, wanted: Subscription, group: ConsumerGroup) -> None:
    """That a regular expression which nobody else uses is one, and one more that the group can have. Raises Refused."""
    if wanted.regex and wanted.regex != before.regex and wanted.regex not in group.patterns:
        known = [pattern for regex in group.patterns if (pattern := readable(regex)) is not None]
        check_work([*known, Pattern(wanted.regex)], group.surroundings.topics.topics())


def as_asked(member: ConsumerMember, request: ConsumerGroupHeartbeatRequest, by: Joiner) -> ConsumerMember:
    """The member, wanting what its heartbeat says; what that does not name stays."""
    names, regex = request.subscribed_topic_names, request.subscribed_topic_regex
    topics = member.subscription.topics if names is None else frozenset(names)
    subscription = Subscription(topics, member.subscription.regex if regex is None else regex)
    timeout_ms = request.rebalance_timeout_ms
    return replace(
        member,
        instance_id=request.instance_id or member.instance_id,
        rack_id=request.rack_id or member.rack_id,
        rebalance_timeout_ms=member.rebalance_timeout_ms if timeout_ms == NOT_GIVEN else timeout_ms,
        assignor=request.server_assignor or member.assignor,
        subscription=subscription,
        client_id=by.client_id,
        client_host=by.client_host,
        classic=None,
    )


def reported(request: ConsumerGroupHeartbeatRequest) -> Assignment | None:
    if request.topic_partitions is None:
        return None
    return {each.topic_id: frozenset(each.partitions) for each in request.topic_partitions}


def says_everything(request: ConsumerGroupHeartbeatRequest) -> bool:
    """A member says everything when it joins, and when it does not know what of it has arrived."""
    named = request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None
    return request.rebalance_timeout_ms != NOT_GIVEN and named and request.topic_partitions is not None


def sent(member: ConsumerMember) -> SentAssignment:
    return SentAssignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic_id, partitions=sorted(partitions))
            for topic_id, partitions in member.assigned.items()
        ]
    )
