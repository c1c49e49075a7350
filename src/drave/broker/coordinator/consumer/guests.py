"""Members that use the classic protocol in a consumer group: they join, sync and send heartbeats as ever.

    JoinGroup   what it wants, and what it has given back   ──▶ its epoch, which it takes for a generation
    SyncGroup   which generation                            ──▶ what it has, in the words of the classic protocol
    Heartbeat   REBALANCE_IN_PROGRESS: join again, there is something to give back, or to be had

Nobody leads: the assignment is the broker's, and whoever rejoins stops nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from drave.broker.coordinator.classic.group import differs
from drave.broker.coordinator.classic.members import NO_MEMBER_ID, Join
from drave.broker.coordinator.classic.subscription import CONSUMER_PROTOCOL_TYPE, read_subscription, write_assignment
from drave.broker.coordinator.consumer.changing import Change
from drave.broker.coordinator.consumer.converting import ids_of, may_downgrade, names_of, write_downgrade
from drave.broker.coordinator.consumer.group import ConsumerGroup
from drave.broker.coordinator.consumer.heartbeats import checked_holder, static_joiner
from drave.broker.coordinator.consumer.leaving import remove_members
from drave.broker.coordinator.consumer.member import ConsumerMember, MemberState, Subscription, partitions_of
from drave.broker.coordinator.group import JOIN, SYNC
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import sync_refused
from drave.broker.coordinator.schemas.consumer_groups import ClassicMemberMetadata, ClassicProtocol
from drave.model.errors import ErrorCode, Refused
from drave.schema import SchemaError
from drave.wire.messages.consumer_protocol import ConsumerProtocolSubscription
from drave.wire.messages.k11_join_group import JoinGroupResponse
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from drave.wire.messages.k13_leave_group import MemberIdentity, MemberResponse
from drave.wire.messages.k14_sync_group import SyncGroupRequest, SyncGroupResponse


def join(group: ConsumerGroup, request: Join, now_ms: int, out: Outcome) -> None:
    """Take in a member of the classic protocol, or take it a step further."""
    member_id = request.request.member_id
    try:
        _check_may_join(group, request)
        if request.needs_its_id:
            request.refuse(ErrorCode.MEMBER_ID_REQUIRED, request.by.fresh_id, out)
            return
        response = _join(group, request, now_ms, out)
    except Refused as refusal:
        out.records.clear()
        out.timers.clear()
        request.refuse(refusal.code, member_id, out)
        return
    out.reply(request.token, response)


def _check_may_join(group: ConsumerGroup, join: Join) -> None:
    limits = group.surroundings.limits
    if limits.migration_policy == "disabled":
        raise Refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    if len(group.members) >= limits.consumer_size_max and join.request.member_id not in group.members:
        raise Refused(ErrorCode.GROUP_MAX_SIZE_REACHED)
    others = [
        {each.name for each in member.classic.supported_protocols}
        for member in group.members.values()
        if member.classic is not None
    ]
    agrees = any(all(name in names for names in others) for name, _ in join.protocols)
    if join.request.protocol_type != CONSUMER_PROTOCOL_TYPE or not agrees:
        raise Refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)


def _join(group: ConsumerGroup, join: Join, now_ms: int, out: Outcome) -> JoinGroupResponse:
    request = join.request
    change = Change(group, now_ms, out)
    holder = None if request.group_instance_id is None else group.static_member(request.group_instance_id)
    before = _joiner(change, holder, join)
    subscription = _read(join)
    member = _as_asked(before, join, subscription)
    if member != change.members.get(member.member_id):
        change.put(member)
    wants_others = member.subscription != before.subscription
    if wants_others or group.topics_have_changed:
        change.refresh(bump=wants_others)
    reported = ids_of(subscription.owned_partitions, group.surroundings.topics)
    staying = list(change.members.values())
    if holder is not None and holder.classic is None and may_downgrade(group, staying):
        rebalance = change.target_epoch < change.epoch
        if not rebalance:
            member = change.lead(member, reported, wants_others=wants_others)
        write_downgrade(group, staying, change.target_of, change.epoch, now_ms, out, rebalance=rebalance)
    else:
        change.assign()
        member = change.lead(member, reported, wants_others=wants_others)
        group.heard_from(member, out)
        out.timer((SYNC, group.group_id, member.member_id), member.rebalance_timeout_ms)
    group.asked_to_join.discard(member.member_id)
    out.timer((JOIN, group.group_id, member.member_id), None)
    return JoinGroupResponse(
        generation_id=member.member_epoch,
        protocol_type=CONSUMER_PROTOCOL_TYPE,
        protocol_name=join.protocols[0][0],
        leader="",
        member_id=member.member_id,
        members=[],
    )


def _joiner(change: Change, holder: ConsumerMember | None, join: Join) -> ConsumerMember:
    """The member as it was, or a new one that wants nothing yet."""
    request = join.request
    is_new = request.member_id == NO_MEMBER_ID
    member_id = join.by.fresh_id if is_new else request.member_id
    if request.group_instance_id is None:
        return change.group.members.get(member_id) or ConsumerMember(member_id=member_id)
    if is_new:
        return static_joiner(change, holder, member_id, request.group_instance_id, must_be_away=False)
    return checked_holder(holder, member_id, request.group_instance_id)


def _read(join: Join) -> ConsumerProtocolSubscription:
    try:
        return read_subscription(join.protocols[0][1])
    except SchemaError:
        raise Refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL) from None


def _as_asked(member: ConsumerMember, join: Join, subscription: ConsumerProtocolSubscription) -> ConsumerMember:
    protocols = [ClassicProtocol(name=name, metadata=metadata) for name, metadata in join.protocols]
    return replace(
        member,
        instance_id=join.request.group_instance_id or member.instance_id,
        rack_id=subscription.rack_id or member.rack_id,
        rebalance_timeout_ms=join.rebalance_timeout_ms,
        subscription=Subscription(frozenset(subscription.topics)),
        client_id=join.by.client_id,
        client_host=join.by.client_host,
        classic=ClassicMemberMetadata(
            session_timeout_ms=join.request.session_timeout_ms, supported_protocols=protocols
        ),
    )


def sync(group: ConsumerGroup, request: SyncGroupRequest, token: Token, out: Outcome) -> None:
    """Tell a member what it has."""
    member = _find(group, request.member_id, request.group_instance_id)
    if isinstance(member, ErrorCode):
        out.reply(token, sync_refused(member))
        return
    assert member.classic is not None, "others are not found"
    protocol = member.classic.supported_protocols[0]
    if request.generation_id != member.member_epoch:
        out.reply(token, sync_refused(ErrorCode.ILLEGAL_GENERATION))
    elif differs(request.protocol_type, CONSUMER_PROTOCOL_TYPE) or differs(request.protocol_name, protocol.name):
        out.reply(token, sync_refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL))
    elif group.target_epoch > member.member_epoch and not member.must_give_back:
        _ask_to_join(group, member, out)
        out.reply(token, sync_refused(ErrorCode.REBALANCE_IN_PROGRESS))
    else:
        out.timer((SYNC, group.group_id, member.member_id), None)
        group.heard_from(member, out)
        partitions = names_of(partitions_of(member.assigned), group.surroundings.topics)
        out.reply(
            token,
            SyncGroupResponse(
                protocol_type=request.protocol_type,
                protocol_name=request.protocol_name,
                assignment=write_assignment(partitions, protocol.metadata),
            ),
        )


def heartbeat(group: ConsumerGroup, request: HeartbeatRequest, out: Outcome) -> ErrorCode:
    """A member lives; REBALANCE_IN_PROGRESS tells it to join again."""
    member = _find(group, request.member_id, request.group_instance_id)
    if isinstance(member, ErrorCode):
        return member
    if request.generation_id != member.member_epoch:
        return ErrorCode.ILLEGAL_GENERATION
    group.heard_from(member, out)
    is_behind = member.member_epoch < group.target_epoch
    can_go_on = member.state is MemberState.UNRELEASED_PARTITIONS and not group.waits(member)
    if is_behind or can_go_on or member.must_give_back:
        _ask_to_join(group, member, out)
        return ErrorCode.REBALANCE_IN_PROGRESS
    return ErrorCode.NONE


def leave(
    group: ConsumerGroup, identities: Sequence[MemberIdentity], now_ms: int, out: Outcome
) -> list[MemberResponse]:
    """Take members out; of whatever protocol, for administrators remove them so too."""
    leaving: dict[str, ConsumerMember] = {}
    responses = []
    for each in identities:
        code = ErrorCode.NONE
        member = group.members.get(each.member_id)
        if each.group_instance_id is not None:
            member = group.static_member(each.group_instance_id)
            if member is not None and each.member_id not in (NO_MEMBER_ID, member.member_id):
                code = ErrorCode.FENCED_INSTANCE_ID
        if member is None:
            code = ErrorCode.UNKNOWN_MEMBER_ID
        elif code is ErrorCode.NONE:
            leaving[member.member_id] = member
        responses.append(
            MemberResponse(member_id=each.member_id, group_instance_id=each.group_instance_id, error_code=code)
        )
    remove_members(group, list(leaving.values()), now_ms, out)
    return responses


def _find(group: ConsumerGroup, member_id: str, instance_id: str | None) -> ConsumerMember | ErrorCode:
    """The member of the classic protocol that a request comes from, or why it comes from none."""
    member = group.members.get(member_id) if instance_id is None else group.static_member(instance_id)
    if member is not None and instance_id is not None and member.member_id != member_id:
        return ErrorCode.FENCED_INSTANCE_ID
    if member is None or member.classic is None:
        return ErrorCode.UNKNOWN_MEMBER_ID
    return member


def _ask_to_join(group: ConsumerGroup, member: ConsumerMember, out: Outcome) -> None:
    """Tell it to join again, and give it as long as it has asked for, from the first time on."""
    if member.member_id not in group.asked_to_join:
        group.asked_to_join.add(member.member_id)
        out.timer((JOIN, group.group_id, member.member_id), member.rebalance_timeout_ms)
