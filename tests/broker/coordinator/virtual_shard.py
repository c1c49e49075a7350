"""A shard's surroundings, as lists and numbers: what the runtime does, in small, driven by hand or by a seed."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol, TypeVar

from drave.broker.coordinator.outcome import KeyValue, Outcome, TimerName
from drave.model.errors import ErrorCode


class Shard(Protocol):
    """What the runtime asks of a machine."""

    def replay(self, key: bytes, value: bytes | None) -> None: ...

    def loaded(self, now_ms: int) -> Outcome: ...

    def refuse(self, outcome: Outcome, code: ErrorCode) -> None: ...

    def timer_fired(self, name: TimerName, now_ms: int) -> Outcome: ...


S = TypeVar("S", bound=Shard)


class VirtualShard(ABC, Generic[S]):
    """A log, a clock, timers, and requests. A request returns a token; its answer is looked up under it."""

    def __init__(self) -> None:
        self.shard = self.fresh()
        self.now_ms = 1_750_000_000_000
        self.log: list[KeyValue] = []
        self.timers: dict[TimerName, int] = {}
        self.answers: dict[int, Any] = {}
        self.parked: set[int] = set()
        self.log_refuses_with: ErrorCode | None = None
        self._tokens = itertools.count(1)

    @abstractmethod
    def fresh(self) -> S:
        """A machine without state."""

    def carry_out(self, outcome: Outcome) -> None:
        if outcome.records and self.log_refuses_with is not None:
            self.shard.refuse(outcome, self.log_refuses_with)
        self.log += outcome.records
        for key, value in outcome.records:
            self.shard.replay(key, value)
        for name, after_ms in outcome.timers:
            if after_ms is None:
                self.timers.pop(name, None)
            else:
                self.timers[name] = self.now_ms + after_ms
        for token, response in outcome.replies:
            assert token in self.parked, "a request is answered exactly once"
            self.parked.remove(token)
            self.answers[token] = response

    def token(self) -> int:
        token = next(self._tokens)
        self.parked.add(token)
        return token

    def advance(self, ms: int) -> None:
        """Let time pass; deadlines on the way are met in order."""
        until = self.now_ms + ms
        while due := [(at, name) for name, at in self.timers.items() if at <= until]:
            at, name = min(due)
            self.now_ms = max(self.now_ms, at)
            del self.timers[name]
            self.carry_out(self.shard.timer_fired(name, self.now_ms))
        self.now_ms = until

    def restart(self) -> None:
        """Lose all that is soft, and read the log again."""
        self.shard = self.replayed()
        self.timers.clear()
        self.parked.clear()
        self.carry_out(self.shard.loaded(self.now_ms))

    def replayed(self) -> S:
        shard = self.fresh()
        for key, value in self.log:
            shard.replay(key, value)
        return shard
