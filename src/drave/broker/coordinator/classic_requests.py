"""What members of the classic protocol ask, of classic groups and, as guests, of consumer ones; and what tools ask."""

from __future__ import annotations

from typing import Final

from drave.broker.coordinator.classic.group import ClassicGroup
from drave.broker.coordinator.classic.members import NO_MEMBER_ID, Join, Joiner
from drave.broker.coordinator.consumer import guests
from drave.broker.coordinator.consumer.group import ConsumerGroup
from drave.broker.coordinator.group import GroupState
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import sync_refused
from drave.broker.coordinator.table import GroupTable
from drave.model.errors import ErrorCode
from drave.wire.messages.k11_join_group import JoinGroupRequest
from drave.wire.messages.k12_heartbeat import HeartbeatRequest, HeartbeatResponse
from drave.wire.messages.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse
from drave.wire.messages.k14_sync_group import SyncGroupRequest
from drave.wire.messages.k15_describe_groups import DescribedGroup, DescribedGroupMember

_MEMBERS_SINCE: Final = 3
"""LeaveGroup versions that name several members (KIP-345)."""


class ClassicRequests:
    """The classic groups of one shard. Every method that takes a token answers it through its outcome."""

    def __init__(self, table: GroupTable) -> None:
        self._table = table

    def join(self, request: JoinGroupRequest, joiner: Joiner, token: Token, now_ms: int) -> Outcome:
        out = Outcome()
        limits = self._table.surroundings.limits
        join = Join(request, joiner, token)
        if not limits.session_timeout_ms_min <= request.session_timeout_ms <= limits.session_timeout_ms_max:
            join.refuse(ErrorCode.INVALID_SESSION_TIMEOUT, request.member_id, out)
            return out
        found = self._table.groups.get(request.group_id)
        if isinstance(found, ConsumerGroup) and not found.is_empty:
            guests.join(found, join, now_ms, out)
            return out
        if found is None or (found.is_empty and found.gives_way):
            if request.member_id != NO_MEMBER_ID:
                join.refuse(ErrorCode.UNKNOWN_MEMBER_ID, request.member_id, out)
                return out
            self._table.make_classic(request.group_id)
        group = self._table.get(request.group_id, ClassicGroup)
        if group is None:
            join.refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, request.member_id, out)
            return out
        group.join(join, now_ms, out)
        self._table.tidy(group)
        return out

    def sync(self, request: SyncGroupRequest, token: Token, now_ms: int) -> Outcome:
        out = Outcome()
        group = self._table.groups.get(request.group_id)
        if isinstance(group, ConsumerGroup):
            guests.sync(group, request, token, out)
        elif not isinstance(group, ClassicGroup):
            out.reply(token, sync_refused(ErrorCode.UNKNOWN_MEMBER_ID))
        else:
            group.sync(request, token, now_ms, out)
        return out

    def heartbeat(self, request: HeartbeatRequest, token: Token) -> Outcome:
        out = Outcome()
        group = self._table.groups.get(request.group_id)
        if isinstance(group, ConsumerGroup):
            code = guests.heartbeat(group, request, out)
        elif not isinstance(group, ClassicGroup):
            code = ErrorCode.UNKNOWN_MEMBER_ID
        else:
            code = group.heartbeat(request.member_id, request.group_instance_id, request.generation_id, out)
        out.reply(token, HeartbeatResponse(error_code=code))
        return out

    def leave(self, request: LeaveGroupRequest, api_version: int, token: Token, now_ms: int) -> Outcome:
        out = Outcome()
        identities = request.members
        if api_version < _MEMBERS_SINCE:
            identities = [MemberIdentity(member_id=request.member_id, group_instance_id=None)]
        group = self._table.groups.get(request.group_id)
        if isinstance(group, ConsumerGroup):
            responses = guests.leave(group, identities, now_ms, out)
        elif not isinstance(group, ClassicGroup):
            responses = [
                MemberResponse(
                    member_id=each.member_id,
                    group_instance_id=each.group_instance_id,
                    error_code=ErrorCode.UNKNOWN_MEMBER_ID,
                )
                for each in identities
            ]
        else:
            responses = group.leave(identities, now_ms, out)
            if group.supersedes is not None:
                self._table.tidy(group)
        # Versions that name one member have no other place for its error.
        code = responses[0].error_code if api_version < _MEMBERS_SINCE else ErrorCode.NONE
        out.reply(token, LeaveGroupResponse(error_code=code, members=responses))
        return out

    def describe(self, group_id: str) -> DescribedGroup | None:
        group = self._table.get(group_id, ClassicGroup)
        if group is None:
            return None
        is_stable = group.state is GroupState.STABLE
        return DescribedGroup(
            group_id=group_id,
            group_state=group.state,
            protocol_type=group.protocol_type or "",
            protocol_data=(group.protocol or "") if is_stable else "",
            members=[
                DescribedGroupMember(
                    member_id=member.member_id,
                    group_instance_id=member.instance_id,
                    client_id=member.client_id,
                    client_host=member.client_host,
                    member_metadata=member.metadata(group.protocol) if is_stable else b"",
                    member_assignment=member.assignment,
                )
                for member in group.members
            ],
        )
