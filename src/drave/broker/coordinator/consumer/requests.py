"""What members of consumer groups ask, and what tools ask about them.

    heartbeat ──▶ which group ──▶ which member ──▶ what it wants now ──▶ Change: refresh, assign, lead ──▶ what it has

One request does it all: a member joins, changes its mind, says what it has given back, and leaves by its heartbeats,
and only by them is it told what to read. A refusal changes nothing.
"""

from __future__ import annotations

from drave.broker.coordinator.classic.group import ClassicGroup
from drave.broker.coordinator.classic.members import Joiner
from drave.broker.coordinator.consumer.assignors import preferred
from drave.broker.coordinator.consumer.changing import Change
from drave.broker.coordinator.consumer.converting import check_upgrade, write_upgrade
from drave.broker.coordinator.consumer.describing import describe_refused, described
from drave.broker.coordinator.consumer.group import ConsumerGroup
from drave.broker.coordinator.consumer.heartbeats import (
    as_asked,
    check_epoch,
    check_pattern,
    check_request,
    checked_holder,
    reported,
    says_everything,
    sent,
    static_joiner,
)
from drave.broker.coordinator.consumer.leaving import remove_members
from drave.broker.coordinator.consumer.member import AWAY_EPOCH, ConsumerMember
from drave.broker.coordinator.consumer.records import current_record
from drave.broker.coordinator.modern import JOIN_EPOCH, LEAVE_EPOCH, SETTLING_MS, SOON_MS, rebalance_timer
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import heartbeat_refused
from drave.broker.coordinator.schemas.offsets_topic import GroupKey, parse_key
from drave.broker.coordinator.table import GroupTable
from drave.model.errors import ErrorCode, Refused
from drave.schema import SchemaError
from drave.wire.messages import k69_consumer_group_describe as k69
from drave.wire.messages.k68_consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)


class ConsumerRequests:
    """The consumer groups of one shard."""

    def __init__(self, table: GroupTable) -> None:
        self._table = table

    # -- heartbeats

    def heartbeat(self, request: ConsumerGroupHeartbeatRequest, by: Joiner, token: Token, now_ms: int) -> Outcome:
        out = Outcome()
        try:
            check_request(request, by.api_version)
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
        member = as_asked(before, request, by)
        if member != change.members.get(member_id):
            change.put(member)
        wants_others = member.subscription != before.subscription
        if wants_others:
            check_pattern(before.subscription, member.subscription, group)
        if wants_others or group.topics_have_changed:
            change.refresh(bump=wants_others)
        change.assign()
        after = change.lead(member, reported(request), wants_others=wants_others)
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
        if joins or says_everything(request) or after.assigned != before.assigned:
            answer.assignment = sent(after)
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
            check_epoch(member, request)
            return member
        holder = group.static_member(instance_id)
        if joins:
            return static_joiner(change, holder, member_id, instance_id, must_be_away=True)
        holder = checked_holder(holder, member_id, instance_id)
        check_epoch(holder, request)
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
            members=[described(member, group, topics) for member in group.members.values()],
        )
