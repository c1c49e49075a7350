"""What members of consumer groups ask, and what tools ask about them.

    heartbeat ──▶ which group ──▶ which member ──▶ what it wants now ──▶ Change: refresh, assign, lead ──▶ what it has

One request does it all: a member joins, changes its mind, says what it has given back, and leaves by its heartbeats,
and only by them is it told what to read. A refusal changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from drave.broker.coordinator.classic.group import ClassicGroup
from drave.broker.coordinator.classic.members import Joiner
from drave.broker.coordinator.consumer.assignors import ASSIGNORS, preferred
from drave.broker.coordinator.consumer.changing import Change
from drave.broker.coordinator.consumer.converting import check_upgrade, write_upgrade
from drave.broker.coordinator.consumer.group import ConsumerGroup
from drave.broker.coordinator.consumer.leaving import remove_members
from drave.broker.coordinator.consumer.member import (
    AWAY_EPOCH,
    NOTHING_ASSIGNED,
    Assignment,
    ConsumerMember,
    Subscription,
)
from drave.broker.coordinator.consumer.records import current_record
from drave.broker.coordinator.group import TopicsImage
from drave.broker.coordinator.modern import JOIN_EPOCH, LEAVE_EPOCH, SETTLING_MS, SOON_MS, rebalance_timer
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import heartbeat_refused
from drave.broker.coordinator.schemas.offsets_topic import GroupKey, parse_key
from drave.broker.coordinator.table import GroupTable
from drave.broker.patterns import Pattern, check_work, readable
from drave.model.errors import ErrorCode, Refused
from drave.model.ids import TopicId
from drave.schema import SchemaError
from drave.wire.messages import k69_consumer_group_describe as k69
from drave.wire.messages.k68_consumer_group_heartbeat import (
    Assignment as SentAssignment,
)
from drave.wire.messages.k68_consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)

MEMBER_ID_SINCE: Final = 1
"""Heartbeat versions whose members bring their own id (KIP-1082)."""

NOT_GIVEN: Final = -1


class ConsumerRequests:
    """The consumer groups of one shard."""

    def __init__(self, table: GroupTable) -> None:
        self._table = table

    # -- heartbeats

    def heartbeat(self, request: ConsumerGroupHeartbeatRequest, by: Joiner, token: Token, now_ms: int) -> Outcome:
        out = Outcome()
        try:
            _check(request, by.api_version)
            if request.member_epoch in (LEAVE_EPOCH, AWAY_EPOCH):
                response = self._leave(request, now_ms, out)
            else:
                response = self._stay(request, by, now_ms, out)
        except Refused as refusal:
            out, response = Outcome(), heartbeat_refused(refusal.code, str(refusal))
        out.reply(token, response)
        return out

    def _stay(
        self, request: ConsumerGroupHeartbeatRequest, by: Joiner, now_ms: int, out: Outcome
    ) -> ConsumerGroupHeartbeatResponse:
        joins = request.member_epoch == JOIN_EPOCH
        former = self._table.get(request.group_id, ClassicGroup)
        group = self._group(request.group_id, out, joins=joins)
        member_id = request.member_id or by.fresh_id
        self._check_room(group, member_id)
        change = Change(group, now_ms, out)
        before = self._member(change, member_id, request, joins=joins)
        member = _as_asked(before, request, by)
        if member != change.members.get(member_id):
            change.put(member)
        wants_others = member.subscription != before.subscription
        if wants_others:
            _check_pattern(before.subscription, member.subscription, group)
        if wants_others or group.topics_have_changed:
            change.refresh(bump=wants_others)
        change.assign()
        after = change.lead(member, _reported(request), wants_others=wants_others)
        group.heard_from(after, out)
        if former is not None:
            former.end_rounds(out)
            for each in group.members.values():
                group.heard_from(each, out)
        answer = ConsumerGroupHeartbeatResponse(
            member_id=after.member_id,
            member_epoch=after.member_epoch,
            heartbeat_interval_ms=self._interval_ms(change, after, now_ms),
        )
        if joins or _says_everything(request) or after.assigned != before.assigned:
            answer.assignment = _sent(after)
        return answer

    def _interval_ms(self, change: Change, member: ConsumerMember, now_ms: int) -> int:
        """When the member is to be heard from again: sooner while its group comes together, for by heartbeats alone
        does it learn what others have given back."""
        group = change.group
        usual_ms = self._table.surroundings.config(group.group_id).number("consumer.heartbeat.interval.ms")
        is_settled = member.is_reconciled_to(change.epoch) and now_ms >= change.targeted_ms + SETTLING_MS
        return usual_ms if is_settled else min(usual_ms, max(SOON_MS, len(change.members)))

    def _group(self, group_id: str, out: Outcome, *, joins: bool) -> ConsumerGroup:
        """The group, as it is or as it will be: who joins makes one, or turns a classic group into one."""
        found = self._table.groups.get(group_id)
        if isinstance(found, ConsumerGroup):
            return found
        if found is None and not joins:
            raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"Consumer group {group_id} not found.")
        if found is None:
            return ConsumerGroup(group_id, self._table.surroundings)
        if joins and isinstance(found, ClassicGroup):
            return self._upgraded(found, out)
        raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a consumer group.")

    def _upgraded(self, classic: ClassicGroup, out: Outcome) -> ConsumerGroup:
        """The consumer group that a classic one becomes when these records are replayed."""
        group = ConsumerGroup(classic.group_id, self._table.surroundings)
        if classic.is_empty:
            out.records.extend(classic.tombstones())
            return group
        check_upgrade(classic, self._table.surroundings.limits)
        write_upgrade(classic, self._table.surroundings.topics, out)
        for key, value in out.records:
            named = parse_key(key)
            if isinstance(named, GroupKey) and named.record in group.records:
                try:
                    group.replay(named, value)
                except SchemaError as error:  # its leader has given a partition to two, which an assignor may do there
                    raise Refused(
                        ErrorCode.GROUP_ID_NOT_FOUND,
                        f"Cannot upgrade classic group {group.group_id} to consumer group: {error}.",
                    ) from None
        return group

    def _check_room(self, group: ConsumerGroup, member_id: str) -> None:
        most = self._table.surroundings.limits.consumer_size_max
        if len(group.members) >= most and member_id not in group.members:
            raise Refused(
                ErrorCode.GROUP_MAX_SIZE_REACHED, f"The consumer group has reached its maximum of {most} members."
            )

    def _member(
        self, change: Change, member_id: str, request: ConsumerGroupHeartbeatRequest, *, joins: bool
    ) -> ConsumerMember:
        """The member as it was, or a new one that wants nothing yet."""
        group, instance_id = change.group, request.instance_id
        if instance_id is None:
            member = group.members.get(member_id)
            if member is None and not joins:
                raise Refused(
                    ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {group.group_id}."
                )
            member = member or ConsumerMember(member_id=member_id)
            _check_epoch(member, request)
            return member
        holder = group.static_member(instance_id)
        if joins:
            return static_joiner(change, holder, member_id, instance_id, must_be_away=True)
        holder = checked_holder(holder, member_id, instance_id)
        _check_epoch(holder, request)
        return holder

    def _leave(
        self, request: ConsumerGroupHeartbeatRequest, now_ms: int, out: Outcome
    ) -> ConsumerGroupHeartbeatResponse:
        group = self._table.groups.get(request.group_id)
        if group is None:
            raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {request.group_id} not found.")
        if not isinstance(group, ConsumerGroup):
            raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {request.group_id} is not a consumer group.")
        member_id, instance_id = request.member_id, request.instance_id
        if instance_id is None:
            member = group.members.get(member_id)
            if member is None:
                raise Refused(
                    ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {group.group_id}."
                )
        else:
            member = checked_holder(group.static_member(instance_id), member_id, instance_id)
        if request.member_epoch == AWAY_EPOCH:
            out.records.append(current_record(group.group_id, member.away()))
            out.timer(rebalance_timer(group.group_id, member.member_id), None)
        else:
            remove_members(group, [member], now_ms, out)
        return ConsumerGroupHeartbeatResponse(
            member_id=member.member_id, member_epoch=request.member_epoch, heartbeat_interval_ms=0
        )

    # -- for tools

    def describe(self, group_id: str) -> k69.DescribedGroup:
        """The group, or why it cannot be described."""
        group = self._table.groups.get(group_id)
        if not isinstance(group, ConsumerGroup):
            why = f"Group {group_id} not found." if group is None else f"Group {group_id} is not a consumer group."
            return describe_refused(group_id, ErrorCode.GROUP_ID_NOT_FOUND, why)
        topics = self._table.surroundings.topics
        return k69.DescribedGroup(
            group_id=group_id,
            group_state=group.state,
            group_epoch=group.epoch,
            assignment_epoch=group.target_epoch,
            assignor_name=preferred(member.assignor for member in group.members.values()),
            members=[_described(member, group, topics) for member in group.members.values()],
        )


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


def _check(request: ConsumerGroupHeartbeatRequest, version: int) -> None:
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


def _check_epoch(member: ConsumerMember, request: ConsumerGroupHeartbeatRequest) -> None:
    """A member is at the epoch that it was last told, or at the one before if that answer was lost."""
    said = request.member_epoch
    if said in (JOIN_EPOCH, member.member_epoch):
        return
    greater = said > member.member_epoch
    if not greater and said == member.previous_epoch and _is_part(_reported(request), member):
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


def _check_pattern(before: Subscription, wanted: Subscription, group: ConsumerGroup) -> None:
    """That a regular expression which nobody else uses is one, and one more that the group can have. Raises Refused."""
    if wanted.regex and wanted.regex != before.regex and wanted.regex not in group.patterns:
        known = [pattern for regex in group.patterns if (pattern := readable(regex)) is not None]
        check_work([*known, Pattern(wanted.regex)], group.surroundings.topics.topics())


def _as_asked(member: ConsumerMember, request: ConsumerGroupHeartbeatRequest, by: Joiner) -> ConsumerMember:
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


def _reported(request: ConsumerGroupHeartbeatRequest) -> Assignment | None:
    if request.topic_partitions is None:
        return None
    return {each.topic_id: frozenset(each.partitions) for each in request.topic_partitions}


def _says_everything(request: ConsumerGroupHeartbeatRequest) -> bool:
    """A member says everything when it joins, and when it does not know what of it has arrived."""
    named = request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None
    return request.rebalance_timeout_ms != NOT_GIVEN and named and request.topic_partitions is not None


def _sent(member: ConsumerMember) -> SentAssignment:
    return SentAssignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic_id, partitions=sorted(partitions))
            for topic_id, partitions in member.assigned.items()
        ]
    )


def _described(member: ConsumerMember, group: ConsumerGroup, topics: TopicsImage) -> k69.Member:
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
