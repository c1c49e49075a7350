"""A group of many members that one more joins, or one leaves: how long until all of them are stable again.

    the last one   Join ──────────────┐
    a scout        Heartbeat ─▶ 27    │                            27: REBALANCE_IN_PROGRESS
    the others     Heartbeat ─▶ 27 ─▶ Join ─▶ generation n + 1 ─▶ Sync ─▶ assigned

Members of real clients hear of a rebalance with their next heartbeat, seconds later; that wait would be all one sees.
Here one member asks at once, and when it is told, the others ask too. Each request is encoded by hand.
"""

from __future__ import annotations

import select
import statistics
import time
from dataclasses import dataclass
from enum import Enum
from typing import Final

from bench import frames
from bench.brokers import receive
from bench.wire import Wrong, connect

LOADING, UNAVAILABLE, NOT_COORDINATOR = 14, 15, 16
ILLEGAL_GENERATION, REBALANCING, MEMBER_ID_REQUIRED = 22, 27, 79
NOT_YET: Final = (LOADING, UNAVAILABLE, NOT_COORDINATOR)
JOIN_AGAIN: Final = (ILLEGAL_GENERATION, REBALANCING)
TIMEOUT_S: Final = 60.0
ROUNDS_MIN: Final = 3


@dataclass(frozen=True, slots=True)
class Rebalanced:
    """Milliseconds, the middle of several rounds."""

    join_ms: float
    leave_ms: float


class State(Enum):
    """Which reply a member waits for, or that it waits for none."""

    JOINING = 1
    SYNCING = 2
    ASKING = 3
    STABLE = 4
    """It has its part of a generation, and nothing under way."""


class Member:
    """One connection, one member."""

    def __init__(self, port: int, group: str) -> None:
        self.socket = connect(port)
        self.state = State.STABLE
        self.generation = -1
        self._group = group
        self._id = ""

    def join(self) -> None:
        self.state = State.JOINING
        self.socket.sendall(frames.join_group(self._group, self._id))

    def ask(self) -> None:
        """Heartbeat: is all well?"""
        self.state = State.ASKING
        self.socket.sendall(frames.heartbeat(self._group, self.generation, self._id))

    def leave(self) -> None:
        """Go, and wait until that is accepted."""
        self.socket.sendall(frames.leave_group(self._group, self._id))
        self._expect(frames.parse_error(receive(self.socket)), "LeaveGroup")
        self.generation, self._id = -1, ""

    def hear(self) -> bool:
        """Take the reply and do what follows from it; whether it says that the group rebalances. Raises Wrong."""
        reply = receive(self.socket)
        if len(reply) < 14:
            raise Wrong("the broker closed a member's connection")
        match self.state:
            case State.JOINING:
                self._joined(frames.parse_join_group(reply))
            case State.SYNCING:
                self._synced(frames.parse_error(reply))
            case State.ASKING:
                return self._answered(frames.parse_error(reply))
            case State.STABLE:
                raise Wrong("a reply that nobody asked for")
        return False

    def _joined(self, joined: frames.Joined) -> None:
        if joined.error in (MEMBER_ID_REQUIRED, *JOIN_AGAIN):
            self._id = joined.member or self._id
            self.join()
            return
        self._expect(joined.error, "JoinGroup")
        self._id, self.generation = joined.member, joined.generation
        self.state = State.SYNCING
        assigned = joined.members if joined.leader == joined.member else []
        self.socket.sendall(frames.sync_group(self._group, self.generation, self._id, assigned))

    def _synced(self, error: int) -> None:
        if error in JOIN_AGAIN:
            self.join()
        else:
            self._expect(error, "SyncGroup")
            self.state = State.STABLE

    def _answered(self, error: int) -> bool:
        self.state = State.STABLE
        if error in JOIN_AGAIN:
            self.join()
            return True
        self._expect(error, "Heartbeat")
        return False

    @staticmethod
    def _expect(error: int, what: str) -> None:
        if error:
            raise Wrong(f"{what} was answered with error {error}")


class Crowd:
    """The members, and the one loop that hears them all."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._members: dict[int, Member] = {}

    def add(self, member: Member) -> None:
        self._members[member.socket.fileno()] = member
        self._poll.register(member.socket, select.EPOLLIN)

    def remove(self, member: Member) -> None:
        del self._members[member.socket.fileno()]
        self._poll.unregister(member.socket)

    def settle(self, generation: int) -> int:
        """Until all have their part of one generation above `generation`; which one that is. Raises Wrong."""
        members = self._members.values()
        while True:
            reached = {member.generation if member.state is State.STABLE else -1 for member in members}
            if len(reached) == 1 and min(reached) > generation:
                return reached.pop()
            self._scout()
            ready = self._poll.poll(TIMEOUT_S)
            if not ready:
                raise Wrong(f"nothing was heard of a rebalance for {TIMEOUT_S:.0f} seconds")
            told = [self._members[descriptor].hear() for descriptor, _ in ready]
            if any(told):
                for member in members:
                    if member.state is State.STABLE:
                        member.ask()

    def _scout(self) -> None:
        """One asks, unless somebody does already."""
        members = self._members.values()
        if not any(member.state is State.ASKING for member in members):
            for member in members:
                if member.state is State.STABLE:
                    member.ask()
                    return

    def close(self) -> None:
        self._poll.close()
        for member in self._members.values():
            member.socket.close()


def run(port: int, group: str, *, members: int, seconds: float) -> Rebalanced:
    """Let the last of so many members join and leave, again and again. Raises Wrong."""
    _find_coordinator(port, group)
    crowd = Crowd()
    last = Member(port, group)
    try:
        for _ in range(members - 1):
            member = Member(port, group)
            crowd.add(member)
            member.join()
        generation = crowd.settle(0)
        joins: list[float] = []
        leaves: list[float] = []
        deadline = time.perf_counter() + seconds
        while len(joins) < ROUNDS_MIN or time.perf_counter() < deadline:
            began = time.perf_counter()
            crowd.add(last)
            last.join()
            generation = crowd.settle(generation)
            joins.append(time.perf_counter() - began)
            crowd.remove(last)
            began = time.perf_counter()
            last.leave()
            generation = crowd.settle(generation)
            leaves.append(time.perf_counter() - began)
    finally:
        crowd.close()
        last.socket.close()
    return Rebalanced(statistics.median(joins) * 1000, statistics.median(leaves) * 1000)


def _find_coordinator(port: int, group: str) -> None:
    """Until the group has one: the first group makes the broker create a topic."""
    deadline = time.monotonic() + TIMEOUT_S
    with connect(port) as connection:
        while True:
            connection.sendall(frames.find_coordinator(group))
            error = frames.parse_error(receive(connection))
            if not error:
                break
            if error not in NOT_YET or time.monotonic() > deadline:
                raise Wrong(f"FindCoordinator was answered with error {error}")
            time.sleep(0.05)
        while True:  # the coordinator may still be loading what it knows of its groups
            connection.sendall(frames.heartbeat(group, 0, "nobody"))
            error = frames.parse_error(receive(connection))
            if error not in NOT_YET:
                return
            if time.monotonic() > deadline:
                raise Wrong(f"the group's coordinator still answered with error {error} after {TIMEOUT_S:.0f} seconds")
            time.sleep(0.05)
