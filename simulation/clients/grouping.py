"""Members of classic groups: they join, are given their part, read it, and commit how far they came.

    JoinGroup ─▶ the leader deals out ─▶ SyncGroup ─▶ OffsetFetch ─▶ Fetch, Heartbeat, OffsetCommit … ─▶ LeaveGroup
        ▲──────────────────────────── the group rebalances ◀────────────────────┘

A member that is killed says nothing: its session times out, or, when it is static, its next process takes over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from drave.model.errors import ErrorCode
from drave.schema import decoder, encoder
from drave.wire.api import ApiKey
from drave.wire.messages.consumer_protocol import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    TopicPartition,
)
from drave.wire.messages.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from drave.wire.messages.k12_heartbeat import HeartbeatRequest, HeartbeatResponse
from drave.wire.messages.k13_leave_group import LeaveGroupRequest, MemberIdentity
from drave.wire.messages.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse
from simulation.clients.caller import TRY_AGAIN, Caller, Unanswered
from simulation.clients.offsets import Membership, commit, find
from simulation.clients.reading import EARLIEST, Fetcher, look_up
from simulation.history import Delivered, Joined, Owned, Partition

SESSION_MS: Final = (6_000, 10_000)
REBALANCE_MS: Final = 8_000
HEARTBEAT_MS: Final = 1_500
JOIN_TIMEOUT_MS: Final = 15_000
PAUSE_MS: Final = 12_000
"""A process that stands still for so long has lost its place, and does not know it."""
PAUSE_CHANCE: Final = 0.05
INSTANCES_SINCE: Final = 5
"""The version of JoinGroup from which on members may be static (KIP-345)."""
_PROTOCOL: Final = "range"
_KIND: Final = "consumer"


class Rejoin(Exception):
    """The group goes on without this member's present generation."""


class Replaced(Exception):
    """Another process has this static member's place: this one ends."""


class Member:
    """One process's place in a group."""

    def __init__(self, caller: Caller, group: str, topics: Sequence[str], *, instance: str | None = None) -> None:
        self.caller = caller
        self.group = group
        self.topics = topics
        self._instance = instance
        self._member = ""
        self._generation = -1
        self._session_ms = caller.random.choice(SESSION_MS)
        low = INSTANCES_SINCE if instance else 0
        caller.version(ApiKey.JOIN_GROUP, low=low)
        for key in (ApiKey.SYNC_GROUP, ApiKey.HEARTBEAT, ApiKey.LEAVE_GROUP):
            caller.version(key, low=3 if instance else 0)
        caller.version(ApiKey.OFFSET_COMMIT, low=7 if instance else 2)

    @property
    def whose(self) -> Membership:
        return Membership(self.group, self._generation, self._member, self._instance)

    async def enter(self) -> list[Partition]:
        """Become a member of a generation, and be given a part. Raises Replaced."""
        while True:
            try:
                joined = await self._join()
                return await self._sync(joined)
            except (Rejoin, Unanswered):
                await self.caller.back_off()

    async def _join(self) -> JoinGroupResponse:
        subscription = ConsumerProtocolSubscription(topics=list(self.topics))
        metadata = b"\0\0" + b"".join(encoder(ConsumerProtocolSubscription, 0)(subscription))
        request = JoinGroupRequest(
            group_id=self.group,
            session_timeout_ms=self._session_ms,
            rebalance_timeout_ms=REBALANCE_MS,
            member_id=self._member,
            group_instance_id=self._instance,
            protocol_type=_KIND,
            protocols=[JoinGroupRequestProtocol(name=_PROTOCOL, metadata=metadata)],
        )
        history = self.caller.history
        asked = history.now()
        reply: JoinGroupResponse = await self.caller.ask(request, timeout_ms=JOIN_TIMEOUT_MS)
        code = ErrorCode(reply.error_code)
        if code is ErrorCode.MEMBER_ID_REQUIRED:
            self._member = reply.member_id
        self.check(code, "JoinGroup")
        self._member, self._generation = reply.member_id, reply.generation_id
        history.joined.append(
            Joined(self.group, self._generation, self._name, self._member, reply.leader, asked, history.now())
        )
        return reply

    @property
    def _name(self) -> str:
        """Who it is to its group: a static member stays the same through all its processes."""
        return self._instance or self._member

    async def _sync(self, joined: JoinGroupResponse) -> list[Partition]:
        assignments: list[SyncGroupRequestAssignment] = []
        if joined.leader == self._member and not joined.skip_assignment:
            assignments = await self._deal(joined)
        request = SyncGroupRequest(
            group_id=self.group,
            generation_id=self._generation,
            member_id=self._member,
            group_instance_id=self._instance,
            protocol_type=_KIND,
            protocol_name=_PROTOCOL,
            assignments=assignments,
        )
        asked = self.caller.history.now()
        reply: SyncGroupResponse = await self.caller.ask(request, timeout_ms=JOIN_TIMEOUT_MS)
        self.check(ErrorCode(reply.error_code), "SyncGroup")
        parts: list[TopicPartition] = []
        if reply.assignment:
            parts = decoder(ConsumerProtocolAssignment, 0)(reply.assignment, 2)[0].assigned_partitions
        known = await self.caller.partitions(*self.topics)
        places = [known[each.topic][index] for each in parts for index in each.partitions if each.topic in known]
        names = frozenset((place.topic, place.index) for place in places)
        told = self.caller.history.now()
        self.caller.history.owned.append(Owned(self.group, self._generation, self._name, names, asked, told))
        return places

    async def _deal(self, joined: JoinGroupResponse) -> list[SyncGroupRequestAssignment]:
        """By range, as every client can."""
        known = await self.caller.partitions(*self.topics)
        members = sorted(each.member_id for each in joined.members)
        parts: dict[str, list[TopicPartition]] = defaultdict(list)
        for topic, places in known.items():
            share, more = divmod(len(places), len(members))
            at = 0
            for number, member in enumerate(members):
                count = share + (number < more)
                if count:
                    parts[member].append(TopicPartition(topic=topic, partitions=list(range(at, at + count))))
                at += count
        encode = encoder(ConsumerProtocolAssignment, 0)
        return [
            SyncGroupRequestAssignment(
                member_id=member,
                assignment=b"\0\0" + b"".join(encode(ConsumerProtocolAssignment(assigned_partitions=parts[member]))),
            )
            for member in members
        ]

    def check(self, code: ErrorCode, about: str) -> None:
        """Raises Rejoin or Replaced when the group has gone on without this member."""
        if code is ErrorCode.NONE:
            return
        if code is ErrorCode.FENCED_INSTANCE_ID:
            raise Replaced
        if code in (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION):
            self._generation = -1
            if code is ErrorCode.UNKNOWN_MEMBER_ID:
                self._member = ""
        elif code not in TRY_AGAIN and code not in (ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.MEMBER_ID_REQUIRED):
            self.caller.history.complain(self.caller.name, code, f"{about} in {self.group}")
        raise Rejoin

    async def beat(self) -> None:
        """One heartbeat. Raises Rejoin, Replaced or Unanswered."""
        request = HeartbeatRequest(
            group_id=self.group,
            generation_id=self._generation,
            member_id=self._member,
            group_instance_id=self._instance,
        )
        reply: HeartbeatResponse = await self.caller.ask(request, timeout_ms=self._session_ms)
        code = ErrorCode(reply.error_code)
        if code not in TRY_AGAIN:
            self.check(code, "Heartbeat")

    async def leave(self) -> None:
        """Say goodbye; whether it arrives does not matter."""
        request = LeaveGroupRequest(
            group_id=self.group,
            member_id=self._member,
            members=[MemberIdentity(member_id=self._member, group_instance_id=self._instance)],
        )
        try:
            await self.caller.ask(request)
        except Unanswered:
            return


class GroupReader:
    """A member that reads and commits."""

    def __init__(self, member: Member, *, committed_only: bool) -> None:
        self._member = member
        self._caller = member.caller
        self._fetcher = Fetcher(member.caller, committed_only=committed_only)
        self._positions: dict[Partition, int] = {}
        self._dirty: set[Partition] = set()

    async def live(self, polls: int) -> None:
        left = polls
        try:
            while left > 0:
                before = self._member.whose
                places = await self._member.enter()
                try:
                    await self._commit_late(before, places)
                    await self._resume(places)
                    while left > 0:
                        left -= 1
                        await self._turn()
                except (Rejoin, Unanswered):
                    left -= 1
                    await self._caller.back_off()
            if self._caller.random.random() < 0.7:
                await self._member.leave()
        except Replaced:
            return

    async def _commit_late(self, whose: Membership, places: Sequence[Partition]) -> None:
        """A commit that an application was about to send when its group went on without it. Of an epoch that is still
        its member's, it is of what the member still has: the protocol takes its word for that."""
        late = self._caller.random.random() < 0.3
        is_past = whose != self._member.whose
        offsets = {place: at for place, at in self._positions.items() if is_past or place in places}
        if offsets and whose.generation >= 0 and late:
            await commit(self._caller, whose, offsets)

    async def _resume(self, places: list[Partition]) -> None:
        self._positions = await resume(self._caller, self._member.group, places)
        self._dirty = set()

    async def _turn(self) -> None:
        """Read for a while, commit at times, and say that it is alive."""
        random = self._caller.random
        if self._positions:
            reads = await self._fetcher.fetch(self._positions, wait_ms=random.choice((50, 500, HEARTBEAT_MS)))
            for read in reads:
                if read.next_position > read.position:
                    deliver(self._caller, self._member.group, read.partition, read.position, read.next_position)
                    self._positions[read.partition] = read.next_position
                    self._dirty.add(read.partition)
            for place in self._fetcher.gone:
                del self._positions[place]
            if self._fetcher.out_of_range:
                await self._start_over(sorted(self._fetcher.out_of_range))
        else:
            await self._caller.world.sleep(HEARTBEAT_MS)
        if self._dirty and random.random() < 0.5:
            if random.random() < PAUSE_CHANCE:
                await self._caller.world.sleep(PAUSE_MS)
            await self._commit()
        await self._beat()

    async def _beat(self) -> None:
        try:
            await self._member.beat()
        except Rejoin:
            if self._dirty and self._caller.random.random() < 0.8:
                await self._commit()  # what it has read before it gives its part away
            raise

    async def _commit(self) -> None:
        offsets = {place: self._positions[place] for place in sorted(self._dirty) if place in self._positions}
        if not offsets:
            return
        for code in await commit(self._caller, self._member.whose, offsets):
            if code not in TRY_AGAIN and code is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                self._member.check(code, "OffsetCommit")
        self._dirty.clear()

    async def _start_over(self, places: list[Partition]) -> None:
        for place, lookup in (await look_up(self._caller, places, EARLIEST)).items():
            deliver(self._caller, self._member.group, place, self._positions[place], lookup.offset)
            self._positions[place] = lookup.offset


async def resume(caller: Caller, group: str, places: Sequence[Partition]) -> dict[Partition, int]:
    """Where a group goes on in its partitions: where it stands, or at their start."""
    if not places:
        return {}
    found = await find(caller, group, places)
    fresh = [place for place, offset in found.items() if offset < 0]
    positions = {place: offset for place, offset in found.items() if offset >= 0}
    if fresh:
        for place, lookup in (await look_up(caller, fresh, EARLIEST)).items():
            deliver(caller, group, place, 0, lookup.offset)  # what was deleted before it came
            positions[place] = lookup.offset
    return positions


def deliver(caller: Caller, group: str, place: Partition, first: int, end: int) -> None:
    """A group has seen these offsets."""
    caller.history.delivered.append(Delivered(group, place, first, end))
