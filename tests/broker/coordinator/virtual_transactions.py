"""A shard of transactional ids with a log, a clock, timers and partitions that are lists and numbers."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from drave.broker.coordinator.outcome import Outcome, Writer
from drave.broker.coordinator.transaction import Place, Transaction
from drave.broker.coordinator.transaction_shard import Addition, TransactionLimits, TransactionShard
from drave.model.errors import ErrorCode
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest
from drave.wire.messages.k26_end_txn import EndTxnRequest
from tests.broker.coordinator.virtual_shard import VirtualShard

TIMEOUT_MS = 60_000


class Ended(NamedTuple):
    """What EndTxn was answered with."""

    code: ErrorCode
    producer_id: int
    producer_epoch: int


class VirtualTransactions(VirtualShard[TransactionShard]):
    """One shard and its surroundings. Markers are written when the test says so, unless `writes_markers`."""

    def __init__(self, *, writes_markers: bool = True, **limits: int) -> None:
        self.limits = TransactionLimits(**limits)
        self.producer_ids = itertools.count(100)
        super().__init__()
        self.writes_markers = writes_markers
        self.decided: list[Transaction] = []
        self.markers: list[tuple[Place, Writer, bool]] = []

    def fresh(self) -> TransactionShard:
        return TransactionShard(self.limits, lambda: next(self.producer_ids))

    def carry_out(self, outcome: Outcome) -> None:
        super().carry_out(outcome)
        self.decided += outcome.duties
        if self.writes_markers:
            self.write_markers()

    def restart(self) -> None:
        self.decided.clear()
        super().restart()

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
