"""A shard of transactional ids with a log, a clock, timers and partitions that are lists and numbers."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from drave.broker.coordinator.outcome import KeyValue, Outcome, TimerName, Writer
from drave.broker.coordinator.transaction import Place, Transaction
from drave.broker.coordinator.transaction_shard import Addition, TransactionLimits, TransactionShard
from drave.model.errors import ErrorCode
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest
from drave.wire.messages.k26_end_txn import EndTxnRequest

TIMEOUT_MS = 60_000


class Ended(NamedTuple):
    """What EndTxn was answered with."""

    code: ErrorCode
    producer_id: int
    producer_epoch: int


class VirtualTransactions:
    """One shard and its surroundings. Markers are written when the test says so, unless `writes_markers`."""

    def __init__(self, *, writes_markers: bool = True, **limits: int) -> None:
        self.limits = TransactionLimits(**limits)
        self.producer_ids = itertools.count(100)
        self.shard = self.fresh()
        self.now_ms = 1_750_000_000_000
        self.log: list[KeyValue] = []
        self.timers: dict[TimerName, int] = {}
        self.answers: dict[int, Any] = {}
        self.waiting: set[int] = set()
        self.writes_markers = writes_markers
        self.decided: list[Transaction] = []
        self.markers: list[tuple[Place, Writer, bool]] = []
        self.log_refuses_with: ErrorCode | None = None
        self._tokens = itertools.count(1)

    def fresh(self) -> TransactionShard:
        return TransactionShard(self.limits, lambda: next(self.producer_ids))

    # -- the runtime in small

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
            assert token in self.waiting, "a request is answered exactly once"
            self.waiting.remove(token)
            self.answers[token] = response
        self.decided += outcome.duties
        if self.writes_markers:
            self.write_markers()

    def write_markers(self) -> None:
        """Of every decided transaction, and then its end."""
        decided, self.decided = self.decided, []
        for each in decided:
            writer = Writer(each.producer_id, each.producer_epoch)
            self.markers += [(place, writer, each.commits) for place in sorted(each.places)]
            if self.ended(each) is not ErrorCode.NONE:
                self.decided.append(each)

    def ended(self, decided: Transaction) -> ErrorCode:
        token = self.token()
        self.carry_out(self.shard.ended(decided, token, self.now_ms))
        return ErrorCode(self.answers[token])

    def token(self) -> int:
        token = next(self._tokens)
        self.waiting.add(token)
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
        self.waiting.clear()
        self.decided.clear()
        self.carry_out(self.shard.loaded(self.now_ms))

    def replayed(self) -> TransactionShard:
        shard = self.fresh()
        for key, value in self.log:
            shard.replay(key, value)
        return shard

    # -- requests

    def init(
        self, expected: Writer | None = None, *, tid: str = "t", timeout_ms: int = TIMEOUT_MS
    ) -> Writer | ErrorCode:
        token = self.token()
        producer_id, producer_epoch = expected or (-1, -1)
        request = InitProducerIdRequest(
            transactional_id=tid,
            transaction_timeout_ms=timeout_ms,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
        )
        self.carry_out(self.shard.init_producer_id(request, token, self.now_ms))
        answer = self.answers[token]
        return ErrorCode(answer.error_code) or Writer(answer.producer_id, answer.producer_epoch)

    def start_adding(self, writer: Writer, *places: Place, tid: str = "t", version: int = 0) -> int:
        token = self.token()
        addition = Addition(tid, writer, frozenset(places), version)
        self.carry_out(self.shard.add(addition, token, self.now_ms))
        return token

    def add(self, writer: Writer, *places: Place, tid: str = "t", version: int = 0) -> ErrorCode:
        return ErrorCode(self.answers[self.start_adding(writer, *places, tid=tid, version=version)])

    def end(self, writer: Writer, *, commit: bool = True, tid: str = "t", version: int = 0) -> Ended:
        token = self.token()
        request = EndTxnRequest(
            transactional_id=tid,
            producer_id=writer.producer_id,
            producer_epoch=writer.producer_epoch,
            committed=commit,
        )
        self.carry_out(self.shard.end(request, version, token, self.now_ms))
        answer = self.answers[token]
        return Ended(ErrorCode(answer.error_code), answer.producer_id, answer.producer_epoch)

    def state(self, tid: str = "t") -> str | None:
        found = self.shard.describe(tid)
        return None if found is None else found.transaction_state
