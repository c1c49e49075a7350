"""What a share group has done elsewhere before it answers: its share-partitions' state made or deleted.

    step ──→ record "initializing" ──→ Initialize ──→ ShareStates ──→ ended ──→ record "initialized" ──→ answers
    step ──→ record "deleting"     ──→ Delete     ──→ ShareStates ──→ ended ──→ record without them  ──→ answers

A duty carries what is needed to answer who asked for it. It is known to be under way until it has ended, well or not;
a broker that restarts in between finds the first record and begins again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from drave.broker.coordinator.group import Caller
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.share.assignor import NOTHING, Partitions
from drave.broker.coordinator.share.state import SharePartition
from drave.model.ids import Offset
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatRequest


class Waiting(NamedTuple):
    """A heartbeat that is answered when partitions have got their state."""

    request: ShareGroupHeartbeatRequest
    caller: Caller
    token: Token


class Initialize(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Give these share-partitions a state that begins here."""

    group_id: str
    starts: Mapping[SharePartition, Offset]
    state_epoch: int
    answer: tuple[Token, Any] | None = None
    """The administrator's token, and the response that each error is still to be put into."""


class Delete(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Forget the state of these share-partitions."""

    group_id: str
    partitions: Partitions
    token: Token
    answer: Any = None
    """The response about the topics that there is nothing of; None: the group goes as a whole."""


ShareDuty = Initialize | Delete


class UnderWay:
    """The duties of one shard that have not ended, and the heartbeats that wait for that. Nothing here is durable."""

    __slots__ = ("_duties", "_waiting")

    def __init__(self) -> None:
        self._duties: dict[str, list[ShareDuty]] = {}
        """By group."""
        self._waiting: dict[str, list[Waiting]] = {}

    def __contains__(self, group_id: str) -> bool:
        return group_id in self._duties

    def begin(self, duty: ShareDuty, out: Outcome) -> None:
        """Have it done once what the outcome writes is durable."""
        self._duties.setdefault(duty.group_id, []).append(duty)
        out.duties.append(duty)

    def end(self, duty: ShareDuty) -> None:
        """It has been done, or will not be."""
        left = self._duties[duty.group_id]
        left.remove(duty)
        if not left:
            del self._duties[duty.group_id]

    def initializing(self, group_id: str) -> Partitions:
        """What is about to get a state."""
        duties = self._duties.get(group_id, ())
        return NOTHING.union(*(duty.starts for duty in duties if isinstance(duty, Initialize)))

    def park(self, heartbeat: Waiting) -> None:
        """It is answered when nothing is under way for its group any more."""
        self._waiting.setdefault(heartbeat.request.group_id, []).append(heartbeat)

    def resume(self, group_id: str) -> list[Waiting]:
        """The heartbeats that need not wait any longer."""
        return [] if group_id in self else self._waiting.pop(group_id, [])
