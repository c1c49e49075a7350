"""The rounds of a classic group, by which its members come to the next generation.

                    a member joins                     all have joined, or the time is up
    Empty ──────────────────────→ PreparingRebalance ─────────────────────→ CompletingRebalance
      ↑                             ↑      ↑    │ nobody joined                    │
      └─────────────────────────────│──────│────┘                                  │ the leader's assignment
                                    │      └──── a member comes, goes, changes ────┤ is replayed
                                    └─────────────────────────────────── Stable ←──┘

In a round each member sends JoinGroup and waits (its request is parked); when it ends there is a new generation with
one protocol and one leader. The leader computes the assignment, every member asks for its part with SyncGroup (parked
until the leader's has come).
"""

from __future__ import annotations

from typing import Final

from drave.broker.coordinator.classic.generation import Generation
from drave.broker.coordinator.classic.members import NO_MEMBER_ID, Member
from drave.broker.coordinator.group import JOIN, REBALANCE, SESSION, SYNC, GroupState, Surroundings
from drave.broker.coordinator.outcome import Outcome, TimerName
from drave.broker.coordinator.refusals import sync_refused
from drave.model.errors import ErrorCode
from drave.wire.messages.k11_join_group import JoinGroupResponse, JoinGroupResponseMember

NO_LEADER: Final = ""


class Rounds(Generation):
    """Who has yet to join or to sync, and how long the others wait for them."""

    __slots__ = ("_delay_left_ms", "_join_timer", "_limits", "_newcomer", "_sync_timer", "_unsynced")

    def __init__(self, group_id: str, surroundings: Surroundings) -> None:
        super().__init__(group_id, surroundings)
        self._limits = surroundings.limits
        self._unsynced: set[str] = set()
        self._delay_left_ms: int | None = None
        """In the first round of an empty group: how much of the initial delay may still be added."""
        self._newcomer = False
        self._join_timer: TimerName = (JOIN, group_id, "")
        self._sync_timer: TimerName = (SYNC, group_id, "")

    def _rebalance(self, now_ms: int, out: Outcome) -> None:
        if self.state is GroupState.PREPARING_REBALANCE:
            self._complete_round_if_all_joined(now_ms, out)
        else:
            self._open_round(now_ms, out)

    def _open_round(self, now_ms: int, out: Outcome) -> None:
        """Ask all members to join again; they learn of it by their heartbeats."""
        if self.state is GroupState.COMPLETING_REBALANCE:
            for member in self.members:
                member.assignment = b""
                if member.sync_token is not None:
                    self._refuse_sync(member, ErrorCode.REBALANCE_IN_PROGRESS, out)
                    out.timer(member.timer, member.session_timeout_ms)
        self._unsynced.clear()
        out.timer(self._sync_timer, None)
        was_empty = self.state is GroupState.EMPTY
        self._enter(GroupState.PREPARING_REBALANCE, now_ms)
        delay_ms = self._limits.initial_rebalance_delay_ms
        if was_empty and delay_ms:
            self._newcomer = False
            self._delay_left_ms = max(self.members.rebalance_timeout_ms - delay_ms, 0)
            out.timer(self._join_timer, delay_ms)
        elif was_empty or self.members.all_joined:
            self._complete_round(now_ms, out)
        else:
            out.timer(self._join_timer, self.members.rebalance_timeout_ms)

    def _complete_round_if_all_joined(self, now_ms: int, out: Outcome) -> None:
        if self.state is GroupState.PREPARING_REBALANCE and self._delay_left_ms is None and self.members.all_joined:
            self._complete_round(now_ms, out)

    def _complete_round(self, now_ms: int, out: Outcome) -> None:
        """Go on without the dynamic members that have not joined; a static one keeps its place for its session."""
        self._delay_left_ms = None
        for member in [member for member in self.members if member.join is None and member.instance_id is None]:
            self._remove(member, out)
        if not len(self.members):
            self._become_empty(now_ms, out)
            return
        if not self._elect_leader():
            out.timer(self._join_timer, self.members.rebalance_timeout_ms)
            return
        out.timer(self._join_timer, None)
        self.generation += 1
        self.protocol = self.members.choose_protocol()
        self.topics = self._subscribed_topics()
        self._enter(GroupState.COMPLETING_REBALANCE, now_ms)
        self._unsynced = {member.member_id for member in self.members}
        for member in self.members:
            if member.join is not None:
                out.reply(member.join.token, self._joined(member))
                member.join = None
            member.is_new = False
            out.timer(member.timer, member.session_timeout_ms)
        out.timer(self._sync_timer, self.members.rebalance_timeout_ms)

    def _become_empty(self, now_ms: int, out: Outcome) -> None:
        out.timer(self._join_timer, None)
        out.timer(self._sync_timer, None)
        self.generation += 1
        self.protocol = None
        self.topics = self._subscribed_topics()
        self._enter(GroupState.EMPTY, now_ms)
        self._write(out)

    def _elect_leader(self) -> bool:
        """Keep the leader if it has joined, else take the first member that has. False where none has."""
        leader = None if self.leader is None else self.members.get(self.leader)
        if leader is None or leader.join is None:
            leader = self.members.first_joined()
        if leader is None:
            return False
        self.leader = leader.member_id
        return True

    def _joined(self, member: Member) -> JoinGroupResponse:
        """The answer to a join in this generation; the leader's lists the members."""
        return JoinGroupResponse(
            generation_id=self.generation,
            protocol_type=self.protocol_type,
            protocol_name=self.protocol,
            leader=self.leader or NO_LEADER,
            member_id=member.member_id,
            members=self._roll() if member.member_id == self.leader else [],
        )

    def _roll(self) -> list[JoinGroupResponseMember]:
        return [
            JoinGroupResponseMember(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                metadata=member.metadata(self.protocol),
            )
            for member in self.members
        ]

    # -- members go

    def _remove(self, member: Member, out: Outcome) -> None:
        """Take a member out. What it waits for is answered: a client that still lives comes back as a new one."""
        self._refuse_join(member, ErrorCode.UNKNOWN_MEMBER_ID, out)
        self._refuse_sync(member, ErrorCode.UNKNOWN_MEMBER_ID, out)
        self.members.remove(member)
        self._unsynced.discard(member.member_id)
        out.timer(member.timer, None)
        if self.leader == member.member_id:
            successor = next(iter(self.members), None)
            self.leader = None if successor is None else successor.member_id

    def _refuse_join(self, member: Member, code: ErrorCode, out: Outcome) -> None:
        if member.join is not None:
            member.join.refuse(code, NO_MEMBER_ID if code is ErrorCode.UNKNOWN_MEMBER_ID else member.member_id, out)
            member.join = None

    def _refuse_sync(self, member: Member, code: ErrorCode, out: Outcome) -> None:
        if member.sync_token is not None:
            out.reply(member.sync_token, sync_refused(code))
            member.sync_token = None

    def end_rounds(self, out: Outcome) -> None:
        """Tell who waits to join again: the group gives its place to another, and there will be no more rounds."""
        out.timer(self._join_timer, None)
        out.timer(self._sync_timer, None)
        for member in self.members:
            self._refuse_join(member, ErrorCode.REBALANCE_IN_PROGRESS, out)
            self._refuse_sync(member, ErrorCode.REBALANCE_IN_PROGRESS, out)

    # -- deadlines

    def timer_fired(self, kind: str, member_id: str, now_ms: int, out: Outcome) -> None:
        match kind:
            case _ if kind == SESSION:
                self._session_time_is_up(member_id, now_ms, out)
            case _ if kind == JOIN:
                self._join_time_is_up(now_ms, out)
            case _ if kind == SYNC:
                self._sync_time_is_up(now_ms, out)
            case _ if kind == REBALANCE and self.state is GroupState.STABLE:
                self._open_round(now_ms, out)  # it was a consumer group, whose last change nobody has been told of

    def loaded(self, now_ms: int, out: Outcome) -> None:
        """The log has been read: each member has a whole session to show up."""
        for member in self.members:
            out.timer(member.timer, member.session_timeout_ms)
        if len(self.members) > self._limits.size_max:
            self._open_round(now_ms, out)

    def _join_time_is_up(self, now_ms: int, out: Outcome) -> None:
        """The rebalance timeout, or the initial delay, has passed."""
        if self.state is not GroupState.PREPARING_REBALANCE:
            return
        if self._delay_left_ms and self._newcomer:
            self._newcomer = False
            delay_ms = min(self._limits.initial_rebalance_delay_ms, self._delay_left_ms)
            self._delay_left_ms -= delay_ms
            out.timer(self._join_timer, delay_ms)
        else:
            self._complete_round(now_ms, out)

    def _sync_time_is_up(self, now_ms: int, out: Outcome) -> None:
        """Members have joined this generation and not asked for their assignment: go on without them."""
        if self.state not in (GroupState.COMPLETING_REBALANCE, GroupState.STABLE) or not self._unsynced:
            return
        for member_id in sorted(self._unsynced):
            member = self.members.get(member_id)
            if member is not None:
                self._remove(member, out)
        self._open_round(now_ms, out)

    def _session_time_is_up(self, member_id: str, now_ms: int, out: Outcome) -> None:
        """A member has not been heard from. One that the coordinator owes an answer cannot send heartbeats."""
        if member_id in self.members.pending:
            self.members.pending.discard(member_id)
            self._complete_round_if_all_joined(now_ms, out)
            return
        member = self.members.get(member_id)
        if member is not None and (member.is_new or not member.is_waiting):
            self._remove(member, out)
            self._rebalance(now_ms, out)
