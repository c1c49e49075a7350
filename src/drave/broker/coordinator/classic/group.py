"""One classic consumer group: who is in it, and the rounds by which its members agree on who reads what.

                    a member joins                     all have joined, or the time is up
    Empty ──────────────────────→ PreparingRebalance ─────────────────────→ CompletingRebalance
      ↑                             ↑      ↑    │ nobody joined                    │
      └─────────────────────────────│──────│────┘                                  │ the leader's assignment
                                    │      └──── a member comes, goes, changes ────┤ is replayed
                                    └─────────────────────────────────── Stable ←──┘

In a round each member sends JoinGroup and waits (its request is parked); when it ends there is a new generation with
one protocol and one leader. The leader computes the assignment, every member asks for its part with SyncGroup (parked
until the leader's has come). The broker reads neither metadata nor assignments, so eager and cooperative clients both
work.

What the log knows of a group is its last stable generation, or that it is empty. Everything else here is soft: it is
gone after a restart, and the members make it anew by joining. The step to Stable is taken by replaying the record that
makes it durable, and by nothing else. Sources: KIP-62, 345 (static members), 394 (member ids first), 559, 814.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from drave.broker.coordinator.classic.kinds import GroupState, Join
from drave.broker.coordinator.classic.members import Member, Protocols, Roster
from drave.broker.coordinator.classic.subscription import CONSUMER_PROTOCOL_TYPE, subscribed_topics
from drave.broker.coordinator.group import SESSION, Commit, Expiry, Group, GroupType, Surroundings, session_timer
from drave.broker.coordinator.modern import REBALANCE
from drave.broker.coordinator.outcome import KeyValue, Outcome, TimerName, Token
from drave.broker.coordinator.refusals import sync_refused
from drave.broker.coordinator.schemas.offsets_topic import (
    GroupKey,
    GroupMetadataValue,
    GroupRecord,
    group_key,
    group_value,
    parse_group,
)
from drave.model.errors import ErrorCode
from drave.wire.messages.k11_join_group import JoinGroupResponse, JoinGroupResponseMember
from drave.wire.messages.k13_leave_group import MemberIdentity, MemberResponse
from drave.wire.messages.k14_sync_group import SyncGroupRequest, SyncGroupResponse

NO_LEADER: Final = ""
NO_MEMBER_ID: Final = ""

JOIN: Final = "join"
SYNC: Final = "sync"

_MEMBER_ID_FIRST_SINCE: Final = 4
"""JoinGroup versions whose dynamic members have to know their id before they are taken in (KIP-394)."""
_SKIP_ASSIGNMENT_SINCE: Final = 9
"""JoinGroup versions whose leader can be told that the assignment stands (KIP-814)."""


class ClassicGroup(Group):
    """One group. Methods that take a request answer it, now or later, through the outcome that they are given."""

    __slots__ = (
        "_delay_left_ms",
        "_join_timer",
        "_limits",
        "_newcomer",
        "_sync_timer",
        "_unsynced",
        "generation",
        "leader",
        "members",
        "protocol",
        "protocol_type",
        "record",
        "since_ms",
        "state",
        "supersedes",
        "topics",
    )

    type: ClassVar[GroupType] = GroupType.CLASSIC
    records: ClassVar[frozenset[GroupRecord]] = frozenset({GroupRecord.CLASSIC})

    def __init__(self, group_id: str, surroundings: Surroundings) -> None:
        super().__init__(group_id, surroundings)
        self.state = GroupState.EMPTY
        self.since_ms: int | None = None
        """When the state was entered; unknown for a group that only ever committed offsets."""
        self.generation = 0
        self.protocol_type: str | None = None
        self.protocol: str | None = None
        self.leader: str | None = None
        self.members = Roster()
        self.topics: frozenset[str] | None = None
        """What the members of this generation subscribe to; None where that is not known."""
        self.supersedes: Group | None = None
        """The empty group of another kind in whose place this one is made; the log has it until it has this one."""
        self.record: bytes | None = None
        """The value of the group's last record: all that the log knows of it."""
        self._limits = surroundings.limits
        self._unsynced: set[str] = set()
        self._delay_left_ms: int | None = None
        """In the first round of an empty group: how much of the initial delay may still be added."""
        self._newcomer = False
        self._join_timer: TimerName = (JOIN, group_id, "")
        self._sync_timer: TimerName = (SYNC, group_id, "")

    # -- what others ask of a group

    @property
    def is_consumer_group(self) -> bool:
        return self.protocol_type == CONSUMER_PROTOCOL_TYPE

    @property
    def state_name(self) -> str:
        return self.state

    @property
    def listed_protocol(self) -> str:
        return self.protocol_type or ""

    @property
    def is_empty(self) -> bool:
        return self.state is GroupState.EMPTY

    @property
    def expires(self) -> bool:
        return self.is_empty and not self.members.pending

    @property
    def is_simple(self) -> bool:
        """Whether nobody was ever in it, and nobody is about to join."""
        return self.generation == 0 and self.is_empty and self.protocol_type is None and not self.members.pending

    @property
    def is_forgettable(self) -> bool:
        """Whether nothing would be lost with it: the log knows nothing of it, and nobody is about to join. One that
        had a generation keeps it, so that no other gets its number, but for what the log has in its place."""
        is_new = self.generation == 0 or self.supersedes is not None
        return is_new and self.record is None and self.is_empty and not self.members.pending

    @property
    def offsets_expire(self) -> Expiry | None:
        if self.state is GroupState.EMPTY:
            return Expiry(None if self.protocol_type is None else self.since_ms)
        return Expiry() if self.state is GroupState.STABLE and self.topics is not None else None

    def may_delete_offsets(self) -> ErrorCode:
        """While it has members, it must be known what they read."""
        return ErrorCode.NONE if self.is_empty or self.is_consumer_group else ErrorCode.NON_EMPTY_GROUP

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic. A consumer group whose subscriptions cannot be read may read any."""
        if self.topics is None:
            return self.is_consumer_group
        return topic in self.topics

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
        if join.by.api_version < _MEMBER_ID_FIRST_SINCE:
            self._add_member(member_id, join, now_ms, out)
        else:
            self.members.pending.add(member_id)
            out.timer(session_timer(self.group_id, member_id), join.request.session_timeout_ms)
            join.refuse(ErrorCode.MEMBER_ID_REQUIRED, member_id, out)

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

    # -- rounds

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

    def join_time_is_up(self, now_ms: int, out: Outcome) -> None:
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

    def sync_time_is_up(self, now_ms: int, out: Outcome) -> None:
        """Members have joined this generation and not asked for their assignment: go on without them."""
        if self.state not in (GroupState.COMPLETING_REBALANCE, GroupState.STABLE) or not self._unsynced:
            return
        for member_id in sorted(self._unsynced):
            member = self.members.get(member_id)
            if member is not None:
                self._remove(member, out)
        self._open_round(now_ms, out)

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

    def session_time_is_up(self, member_id: str, now_ms: int, out: Outcome) -> None:
        """A member has not been heard from. One that the coordinator owes an answer cannot send heartbeats."""
        if member_id in self.members.pending:
            self.members.pending.discard(member_id)
            self._complete_round_if_all_joined(now_ms, out)
            return
        member = self.members.get(member_id)
        if member is not None and (member.is_new or not member.is_waiting):
            self._remove(member, out)
            self._rebalance(now_ms, out)

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

    def refuse_all(self, code: ErrorCode, out: Outcome) -> None:
        """Answer everybody who waits: this group has come to its end."""
        for member in self.members:
            self._refuse_join(member, code, out)
            self._refuse_sync(member, code, out)

    # -- the log

    def _enter(self, state: GroupState, now_ms: int) -> None:
        self.state = state
        self.since_ms = now_ms

    def _write(self, out: Outcome, assigned: dict[str, bytes] | None = None, now_ms: int | None = None) -> None:
        """Write the group down, in the place of the one that it supersedes."""
        if self.supersedes is not None:
            out.records.extend(self.supersedes.tombstones())
        out.records.append(self._as_record(assigned, now_ms))

    def _as_record(self, assigned: dict[str, bytes] | None = None, now_ms: int | None = None) -> tuple[bytes, bytes]:
        """The group as it is, or as it will be with these assignments."""
        members = [
            member.stored(self.protocol, member.assignment if assigned is None else assigned.get(member.member_id, b""))
            for member in self.members
        ]
        since_ms = self.since_ms if now_ms is None else now_ms
        value = GroupMetadataValue(
            protocol_type=self.protocol_type or "",
            generation=self.generation,
            protocol=self.protocol,
            leader=self.leader,
            current_state_timestamp=-1 if since_ms is None else since_ms,
            members=members,
        )
        return group_key(self.group_id), group_value(value)

    def replay(self, key: GroupKey, value: bytes | None) -> None:
        if value is None:
            self.record, self.state = None, GroupState.DEAD
        else:
            self._become(parse_group(value), value)

    def _become(self, value: GroupMetadataValue, record: bytes) -> None:
        """Become what the record says. A live member keeps what the record does not hold: its other protocols."""
        known = {member.member_id: member for member in self.members}
        self.record, self.supersedes = record, None
        self.state = GroupState.STABLE if value.members else GroupState.EMPTY
        self.since_ms = None if value.current_state_timestamp == -1 else value.current_state_timestamp
        self.generation = value.generation
        self.protocol_type = value.protocol_type or None
        self.protocol = value.protocol
        self.leader = value.leader
        self._delay_left_ms = None
        self.members.clear()
        for stored in value.members:
            member = known.get(stored.member_id)
            if member is None or not member.is_as(stored, value.protocol):
                member = Member.restored(self.group_id, stored, value.protocol)
            member.assignment = stored.assignment
            self.members.add(member)
        self.topics = self._subscribed_topics()

    @property
    def is_gone(self) -> bool:
        return self.state is GroupState.DEAD

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        if self.supersedes is not None:
            yield from self.supersedes.live_records()
        if self.record is not None:
            yield group_key(self.group_id), self.record

    def tombstones(self) -> Iterator[KeyValue]:
        if self.supersedes is not None:
            yield from self.supersedes.tombstones()
        yield group_key(self.group_id), None

    def timer_fired(self, kind: str, member_id: str, now_ms: int, out: Outcome) -> None:
        match kind:
            case _ if kind == SESSION:
                self.session_time_is_up(member_id, now_ms, out)
            case _ if kind == JOIN:
                self.join_time_is_up(now_ms, out)
            case _ if kind == SYNC:
                self.sync_time_is_up(now_ms, out)
            case _ if kind == REBALANCE and self.state is GroupState.STABLE:
                self._open_round(now_ms, out)  # it was a consumer group, whose last change nobody has been told of

    def loaded(self, now_ms: int, out: Outcome) -> None:
        """The log has been read: each member has a whole session to show up."""
        for member in self.members:
            out.timer(member.timer, member.session_timeout_ms)
        if len(self.members) > self._limits.size_max:
            self._open_round(now_ms, out)

    def _subscribed_topics(self) -> frozenset[str] | None:
        if not self.is_consumer_group:
            return None
        return subscribed_topics(member.metadata(self.protocol) for member in self.members)


def differs(said: str | None, known: str | None) -> bool:
    """Whether what a request says contradicts the group (KIP-559); neither has to say anything."""
    return said is not None and known is not None and said != known
