"""Members of consumer groups (KIP-848): by heartbeats they join, hear what is theirs, give back, and leave.

    heartbeat ─▶ another assignment? ─▶ stop reading what is not in it ─▶ heartbeat: this is what I have ─▶ …

A partition is held from when it was told to be this member's, until the heartbeat is sent that no longer names it. Who
is killed says nothing, and holds it until its session is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.wire.api import ApiKey
from drave.wire.messages.k68_consumer_group_heartbeat import (
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from simulation.clients.caller import TRY_AGAIN, Caller, Unanswered
from simulation.clients.grouping import Member, Rejoin, Replaced
from simulation.history import Held, Moment, Partition, Presence

SESSION_MS: Final = 6_000
"""What the broker is set to."""
REBALANCE_MS: Final = 60_000
LEAVE: Final = -1
AWAY: Final = -2
COMMITS_SINCE: Final = 9
"""The version of OffsetCommit from which on its epoch may be a member's."""


class ConsumerMember(Member):
    """One process's place in a consumer group."""

    def __init__(self, caller: Caller, group: str, topics: Sequence[str], *, instance: str | None = None) -> None:
        super().__init__(caller, group, topics, instance=instance)
        caller.version(ApiKey.OFFSET_COMMIT, low=COMMITS_SINCE)
        self._member = caller.name
        self._generation = 0
        self._assigned: frozenset[tuple[TopicId, int]] = frozenset()
        """What it was last told."""
        self._is_sure = False
        """Whether nothing else may have been said since, in a reply that was lost."""
        self._held: dict[Partition, Held] = {}
        self._presence = Presence(group, self._member, instance, caller.history.now())

    async def enter(self) -> list[Partition]:
        """Have what was assigned, and say so. Raises Replaced."""
        while True:
            try:
                if self._generation <= 0:
                    await self._beat(whole=True)
                places = await self._take()
                await self._beat(whole=not self._is_sure)
                return places
            except (Rejoin, Unanswered):
                await self.caller.back_off()

    async def beat(self) -> None:
        """One heartbeat. Raises Rejoin where the member is to read something else now."""
        try:
            await self._beat(whole=False)
        except Unanswered:
            await self._beat(whole=True)
        if self._assigned != {(place.topic_id, place.index) for place in self._held}:
            raise Rejoin

    async def _take(self) -> list[Partition]:
        """Stop reading what is no longer assigned, and begin with what is."""
        known = await self.caller.partitions(*self.topics)
        places = [each for found in known.values() for each in found if (each.topic_id, each.index) in self._assigned]
        self._release(place for place in list(self._held) if place not in places)
        now = self.caller.history.now()
        for place in places:
            if place not in self._held:
                held = self._held[place] = Held(self._presence, place, now)
                self.caller.history.held.append(held)
        return places

    def _release(self, places: Any) -> None:
        now = self.caller.history.now()
        for place in places:
            self._held.pop(place).until = now

    async def _beat(self, *, whole: bool) -> None:
        """Say what it has; `whole`: and what it wants."""
        request = ConsumerGroupHeartbeatRequest(
            group_id=self.group,
            member_id=self._member,
            member_epoch=self._generation,
            instance_id=self._instance,
            topic_partitions=_owned(self._held),
        )
        if whole:
            request.rebalance_timeout_ms = REBALANCE_MS
            request.subscribed_topic_names = list(self.topics)
        asked = self.caller.history.now()
        try:
            reply: ConsumerGroupHeartbeatResponse = await self.caller.ask(request, timeout_ms=SESSION_MS)
        except Unanswered:
            self._presence.lost.append(frozenset(self._held))
            self._is_sure = False
            raise
        code = ErrorCode(reply.error_code)
        if code in TRY_AGAIN:
            raise Unanswered
        self.check(code, "ConsumerGroupHeartbeat")
        if self._generation <= 0:
            self._follow(asked)
        self._presence.heard = asked
        self._generation = reply.member_epoch
        if reply.assignment is not None:
            self._assigned, self._is_sure = _named(reply.assignment), True

    def _follow(self, asked: Moment) -> None:
        """A static member's place is this process's now: the one before it has nothing any more."""
        for held in self.caller.history.held:
            by = held.by
            if by.instance is not None and (by.group, by.instance) == (self.group, self._instance):
                held.until = min(held.until, asked)

    def check(self, code: ErrorCode, about: str) -> None:
        if code is ErrorCode.NONE:
            return
        if code in (ErrorCode.STALE_MEMBER_EPOCH, ErrorCode.UNRELEASED_INSTANCE_ID):
            raise Rejoin  # it hears of its epoch by the next heartbeat, or waits for the one before it
        self._release(list(self._held))
        self._presence = Presence(self.group, self._member, self._instance, self.caller.history.now())
        self._generation, self._assigned = 0, frozenset()
        if code is ErrorCode.FENCED_INSTANCE_ID:
            raise Replaced
        gone = (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.GROUP_ID_NOT_FOUND)
        if code not in gone and code not in TRY_AGAIN:
            self.caller.history.complain(self.caller.name, code, f"{about} in {self.group}")
        raise Rejoin

    async def leave(self) -> None:
        """Say goodbye, a static member sometimes for a while; whether it arrives does not matter.

        What it keeps for its next process is what it was last assigned. What it was asked to give back, it does."""
        epoch = AWAY if self._instance is not None and self.caller.random.random() < 0.5 else LEAVE
        kept = self._assigned if epoch == AWAY and self._is_sure else frozenset()
        self._release(place for place in list(self._held) if (place.topic_id, place.index) not in kept)
        request = ConsumerGroupHeartbeatRequest(
            group_id=self.group, member_id=self._member, member_epoch=epoch, instance_id=self._instance
        )
        try:
            await self.caller.ask(request)
        except Unanswered:
            return


def _owned(held: dict[Partition, Held]) -> list[TopicPartitions]:
    topics: dict[TopicId, list[int]] = {}
    for place in sorted(held):
        topics.setdefault(place.topic_id, []).append(place.index)
    return [TopicPartitions(topic_id=topic_id, partitions=indexes) for topic_id, indexes in topics.items()]


def _named(assignment: Assignment) -> frozenset[tuple[TopicId, int]]:
    return frozenset((each.topic_id, index) for each in assignment.topic_partitions for index in each.partitions)
