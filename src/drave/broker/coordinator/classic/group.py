"""One classic group: what its members ask of it.

    JoinGroup   who is in a round (rounds.py)      Heartbeat     whether to join again
    SyncGroup   who reads what                     OffsetCommit  whether a commit is of this generation
                                                   LeaveGroup

The broker reads neither metadata nor assignments, so eager and cooperative clients both work. Sources: KIP-62, 345
(static members), 394 (member ids first), 559, 814.
"""

from __future__ import annotations

from typing import ClassVar, Final

from drave.broker.coordinator.classic.members import NO_MEMBER_ID, Join, Member, Protocols
from drave.broker.coordinator.classic.rounds import NO_LEADER, Rounds
from drave.broker.coordinator.group import Commit, GroupState, GroupType, session_timer
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import sync_refused
from drave.broker.coordinator.schemas.offsets_topic import GroupRecord
from drave.model.errors import ErrorCode
from drave.wire.messages.k13_leave_group import MemberIdentity, MemberResponse
from drave.wire.messages.k14_sync_group import SyncGroupRequest, SyncGroupResponse

_SKIP_ASSIGNMENT_SINCE: Final = 9
"""JoinGroup versions whose leader can be told that the assignment stands (KIP-814)."""


class ClassicGroup(Rounds):
    """One group. Methods that take a request answer it, now or later, through the outcome that they are given."""

    __slots__ = ()

    type: ClassVar[GroupType] = GroupType.CLASSIC
    records: ClassVar[frozenset[GroupRecord]] = frozenset({GroupRecord.CLASSIC})

    # -- JoinGroup

    def join(self, join: Join, now_ms: int, out: Outcome) -> None:
        """Take a member into the current round, or open one."""
        member_id = join.request.member_id
        instance_id = join.request.group_instance_id
        if not self._has_room_for(member_id, instance_id):
            self._turn_away(member_id, out, now_ms)
            join.refuse(ErrorCode.GROUP_MAX_SIZE_REACHED, NO_MEMBER_ID, out)
        elif not self._can_agree_on(join.request.protocol_type, join.protocols):
            join.refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, member_id, out)
        elif member_id != NO_MEMBER_ID:
            self._join_again(member_id, join, now_ms, out)
        elif instance_id is not None:
            holder = self.members.holder(instance_id)
            if holder is None:
                self._add_member(f"{instance_id}-{join.by.fresh_id}", join, now_ms, out)
            else:
                self._replace_static_member(holder, f"{instance_id}-{join.by.fresh_id}", join, now_ms, out)
        else:
            self._join_first(f"{join.by.client_id}-{join.by.fresh_id}", join, now_ms, out)

    def _has_room_for(self, member_id: str, instance_id: str | None) -> bool:
        """While members gather, the first ones fill the group: that also shrinks one whose limit was lowered. A static
        member that starts again takes the room that it had."""
        if instance_id is not None and member_id == NO_MEMBER_ID and self.members.holder(instance_id) is not None:
            return True
        match self.state:
            case GroupState.PREPARING_REBALANCE:
                member = self.members.get(member_id)
                waits = member is not None and member.join is not None
                return waits or self.members.joined < self._limits.size_max
            case GroupState.COMPLETING_REBALANCE | GroupState.STABLE:
                return member_id in self.members or len(self.members) < self._limits.size_max
            case _:
                return True

    def _turn_away(self, member_id: str, out: Outcome, now_ms: int) -> None:
        self.members.pending.discard(member_id)
        member = self.members.get(member_id)
        if member is not None:
            self._remove(member, out)
        self._complete_round_if_all_joined(now_ms, out)

    def _can_agree_on(self, protocol_type: str, protocols: Protocols) -> bool:
        if self.state is GroupState.EMPTY:
            return bool(protocol_type) and bool(protocols)
        return protocol_type == self.protocol_type and self.members.supports_any(protocols)

    def _join_first(self, member_id: str, join: Join, now_ms: int, out: Outcome) -> None:
        """A dynamic member without an id gets one; since KIP-394 it has to come back with it."""
        if join.needs_its_id:
            self.members.pending.add(member_id)
            out.timer(session_timer(self.group_id, member_id), join.request.session_timeout_ms)
            join.refuse(ErrorCode.MEMBER_ID_REQUIRED, member_id, out)
        else:
            self._add_member(member_id, join, now_ms, out)

    def _add_member(self, member_id: str, join: Join, now_ms: int, out: Outcome) -> None:
        member = join.as_member(member_id)
        member.is_new = True
        member.join = join
        if not len(self.members):
            self.protocol_type = join.request.protocol_type
        self.members.add(member)
        if self.leader is None:
            self.leader = member_id
        self._newcomer = True
        # It cannot send heartbeats before its join is answered, and a client that went away cannot be told from one
        # that waits: without a deadline each retry would leave one more member behind.
        out.timer(member.timer, self._limits.new_member_join_timeout_ms)
        self._rebalance(now_ms, out)

    def _join_again(self, member_id: str, join: Join, now_ms: int, out: Outcome) -> None:
        """A member that knows its id: a pending one that comes in, or one that is in already."""
        if member_id in self.members.pending and join.request.group_instance_id is None:
            self._add_member(member_id, join, now_ms, out)
            return
        member = self.members.find(member_id, join.request.group_instance_id)
        if isinstance(member, ErrorCode):
            join.refuse(member, member_id, out)
            return
        settled = self.state is GroupState.COMPLETING_REBALANCE or (
            self.state is GroupState.STABLE and member_id != self.leader
        )
        if settled and member.protocols == join.protocols:
            # It has missed the answer to its join. A leader that joins a stable group wants a new assignment instead.
            out.reply(join.token, self._joined(member))
            return
        # A client that joins twice has given the first one up; its answer must not look like the end of the round.
        self._refuse_join(member, ErrorCode.REBALANCE_IN_PROGRESS, out)
        self.members.change_protocols(member, join.protocols)
        member.session_timeout_ms = join.request.session_timeout_ms
        member.rebalance_timeout_ms = join.rebalance_timeout_ms
        member.join = join
        self._rebalance(now_ms, out)

    def _replace_static_member(self, old: Member, member_id: str, join: Join, now_ms: int, out: Outcome) -> None:
        """A static member started again: it takes the place and the assignment of the one before it (KIP-345)."""
        old_leader = self.leader
        new = self._substitute(old, member_id, join, out)
        match self.state:
            case GroupState.STABLE if self.members.choose_protocol() == self.protocol:
                self._write(out)
                response = self._joined(new)
                if join.by.api_version >= _SKIP_ASSIGNMENT_SINCE:
                    response.skip_assignment = member_id == self.leader
                else:
                    # An older client that is told it leads would compute an assignment, which nobody waits for.
                    response.leader = old_leader or NO_LEADER
                    response.members = []
                out.reply(join.token, response)
            case GroupState.STABLE | GroupState.COMPLETING_REBALANCE:
                # The assignment under way, or the coming protocol, does not know the new member id.
                new.join = join
                self._open_round(now_ms, out)
            case _:
                new.join = join
                self._complete_round_if_all_joined(now_ms, out)

    def _substitute(self, old: Member, member_id: str, join: Join, out: Outcome) -> Member:
        self._refuse_join(old, ErrorCode.FENCED_INSTANCE_ID, out)
        self._refuse_sync(old, ErrorCode.FENCED_INSTANCE_ID, out)
        self.members.remove(old)
        new = join.as_member(member_id)
        new.assignment = old.assignment
        self.members.add(new)
        if self.leader == old.member_id:
            self.leader = member_id
        if old.member_id in self._unsynced:
            self._unsynced.remove(old.member_id)
            self._unsynced.add(member_id)
        out.timer(old.timer, None)
        out.timer(new.timer, new.session_timeout_ms)
        return new

    # -- SyncGroup

    def sync(self, request: SyncGroupRequest, token: Token, now_ms: int, out: Outcome) -> None:
        """Give a member its assignment, or park it until the leader's has come."""
        member = self.members.find(request.member_id, request.group_instance_id)
        if isinstance(member, ErrorCode):
            out.reply(token, sync_refused(member))
        elif request.generation_id != self.generation:
            out.reply(token, sync_refused(ErrorCode.ILLEGAL_GENERATION))
        elif differs(request.protocol_type, self.protocol_type) or differs(request.protocol_name, self.protocol):
            out.reply(token, sync_refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL))
        elif self.state is GroupState.COMPLETING_REBALANCE:
            self._has_synced(member, out)
            self._refuse_sync(member, ErrorCode.REBALANCE_IN_PROGRESS, out)
            member.sync_token = token
            if member.member_id == self.leader:
                assigned = {each.member_id: each.assignment for each in request.assignments}
                self._assign(assigned, now_ms, out)
        elif self.state is GroupState.STABLE:
            self._has_synced(member, out)
            out.reply(token, self._synced(member.assignment))
        else:
            out.reply(token, sync_refused(ErrorCode.REBALANCE_IN_PROGRESS))

    def _has_synced(self, member: Member, out: Outcome) -> None:
        self._unsynced.discard(member.member_id)
        if not self._unsynced:
            out.timer(self._sync_timer, None)

    def _assign(self, assigned: dict[str, bytes], now_ms: int, out: Outcome) -> None:
        """Write the generation down and answer those who wait.

        Replaying the record is what makes the group stable: were it refused, the members would ask again.
        """
        self._write(out, assigned, now_ms)
        for member in self.members:
            if member.sync_token is not None:
                out.reply(member.sync_token, self._synced(assigned.get(member.member_id, b"")))
                member.sync_token = None
                out.timer(member.timer, member.session_timeout_ms)

    def _synced(self, assignment: bytes) -> SyncGroupResponse:
        return SyncGroupResponse(
            protocol_type=self.protocol_type,
            protocol_name=self.protocol,
            assignment=assignment,
        )

    # -- staying and going

    def heartbeat(self, member_id: str, instance_id: str | None, generation: int, out: Outcome) -> ErrorCode:
        """A member lives; REBALANCE_IN_PROGRESS tells it to join again."""
        member = self.members.find(member_id, instance_id)
        if isinstance(member, ErrorCode):
            return member
        if generation != self.generation:
            return ErrorCode.ILLEGAL_GENERATION
        out.timer(member.timer, member.session_timeout_ms)
        if self.state is GroupState.PREPARING_REBALANCE:
            return ErrorCode.REBALANCE_IN_PROGRESS
        return ErrorCode.NONE

    def may_commit(self, commit: Commit, out: Outcome) -> ErrorCode:
        """Whether a commit is of this generation. Without members anybody may commit who names no generation: an
        administrator, or a consumer that assigns partitions to itself.

        A producer that names nobody may commit in its transaction: those of before KIP-447 cannot say for whom.
        """
        member_id, instance_id, generation, _, in_transaction = commit
        names_nobody = generation < 0 and not member_id and instance_id is None
        if self.state is GroupState.EMPTY and generation < 0:
            return ErrorCode.NONE
        if names_nobody:
            return ErrorCode.NONE if in_transaction else ErrorCode.UNKNOWN_MEMBER_ID
        member = self.members.find(member_id, instance_id)
        if isinstance(member, ErrorCode):
            return member
        if generation != self.generation:
            return ErrorCode.ILLEGAL_GENERATION
        if self.state is GroupState.COMPLETING_REBALANCE and not in_transaction:
            return ErrorCode.REBALANCE_IN_PROGRESS
        out.timer(member.timer, member.session_timeout_ms)
        return ErrorCode.NONE

    def leave(self, identities: list[MemberIdentity], now_ms: int, out: Outcome) -> list[MemberResponse]:
        """Take members out, and let the others share what they have read."""
        before = len(self.members)
        responses = []
        for each in identities:
            code = self._leave(each.member_id, each.group_instance_id, out)
            responses.append(
                MemberResponse(member_id=each.member_id, group_instance_id=each.group_instance_id, error_code=code)
            )
        if len(self.members) < before:
            self._rebalance(now_ms, out)
        else:
            self._complete_round_if_all_joined(now_ms, out)
        return responses

    def _leave(self, member_id: str, instance_id: str | None, out: Outcome) -> ErrorCode:
        if member_id in self.members.pending:
            self.members.pending.discard(member_id)
            out.timer(session_timer(self.group_id, member_id), None)
            return ErrorCode.NONE
        if member_id == NO_MEMBER_ID and instance_id is not None:
            # An administrator removes whoever holds the instance id (KIP-345).
            holder = self.members.holder(instance_id)
            member_id = NO_MEMBER_ID if holder is None else holder.member_id
        member = self.members.find(member_id, instance_id)
        if isinstance(member, ErrorCode):
            return member
        self._remove(member, out)
        return ErrorCode.NONE


def differs(said: str | None, known: str | None) -> bool:
    """Whether what a request says contradicts the group (KIP-559); neither has to say anything."""
    return said is not None and known is not None and said != known
