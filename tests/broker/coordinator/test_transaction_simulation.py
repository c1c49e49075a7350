"""Transactional producers under chaos, a seed at a time: they repeat themselves, are replaced, fall silent; the
coordinator restarts between a decision and its markers, its log refuses, time passes. A checker watches every answer.

A failing seed is reproduced with `run(seed)`.
"""

from __future__ import annotations

import random
from typing import Final

import pytest

from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.transaction import Place
from drave.model.errors import ErrorCode
from tests.broker.coordinator.virtual_transactions import VirtualTransactions

STEPS: Final = 300
PLACES: Final[list[Place]] = [("a", 0), ("a", 1), ("b", 0)]
RETRIED: Final = {ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.COORDINATOR_NOT_AVAILABLE}
OVER: Final = {ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_ID_MAPPING, ErrorCode.INVALID_TXN_STATE}
"""What ends a producer's life: somebody has taken its place, or its time was up."""


class Partitions:
    """What the logs would hold: open transactions, and how each was decided."""

    def __init__(self) -> None:
        self.epochs: dict[tuple[Place, int], int] = {}
        self.open: dict[tuple[Place, int], int] = {}
        """By place and producer id: the transaction that is open, by its number."""
        self.decisions: dict[int, set[bool]] = {}
        self.seen = 0

    def write(self, place: Place, writer: Writer, transaction: int) -> None:
        at = place, writer.producer_id
        assert writer.producer_epoch >= self.epochs.get(at, -1), "a fenced producer wrote"
        self.epochs[at] = writer.producer_epoch
        assert self.open.setdefault(at, transaction) == transaction, "two transactions in one"

    def take(self, markers: list[tuple[Place, Writer, bool]]) -> None:
        """Markers may come twice; each ends what is open of its producer there."""
        for place, writer, commit in markers[self.seen :]:
            at = place, writer.producer_id
            assert writer.producer_epoch >= self.epochs.get(at, -1), "a marker of an older epoch"
            self.epochs[at] = writer.producer_epoch
            transaction = self.open.pop(at, None)
            if transaction is not None:
                self.decisions.setdefault(transaction, set()).add(commit)
        self.seen = len(markers)


class Producer:
    """A client that keeps to the protocol of its version, and loses some answers on the way."""

    def __init__(self, chaos: Chaos, version: int) -> None:
        self.chaos = chaos
        self.version = version
        self.writer: Writer | None = None
        self.alive = True
        self.transaction: int | None = None
        self.adding: tuple[int, Place] | None = None
        self.ending: bool | None = None

    def go_on(self) -> None:
        """One turn."""
        virtual, choose = self.chaos.virtual, self.chaos.random
        if self.adding is not None:
            self._after_add()
        elif self.writer is None:
            self._init()
        elif self.ending is not None:
            self._end()
        elif self.transaction is not None and choose.random() < 0.4:
            self.ending = choose.random() < 0.6
            self._end()
        else:
            place = choose.choice(PLACES)
            self.adding = virtual.start_adding(self.writer, place, version=self.version), place
            self._after_add()

    def _init(self) -> None:
        made = self.chaos.virtual.init(timeout_ms=self.chaos.random.choice([5_000, 60_000]))
        if isinstance(made, Writer):
            self.writer = made
        else:
            assert made in RETRIED

    def _after_add(self) -> None:
        assert self.adding is not None
        assert self.writer is not None
        token, place = self.adding
        code = self.chaos.virtual.answers.get(token)
        if code is None:
            if token not in self.chaos.virtual.parked:
                self.adding = None  # the coordinator has restarted: the connection broke
            return
        self.adding = None
        if code == ErrorCode.NONE:
            # Its write arrives at once, or not before it was fenced, in which case it is refused.
            found = self.chaos.virtual.shard.verify("t", self.writer)
            if not isinstance(found, ErrorCode) and place in found:
                if self.transaction is None:
                    self.transaction = self.chaos.next_transaction()
                self.chaos.partitions.write(place, self.writer, self.transaction)
        else:
            self._after_error(code)

    def _end(self) -> None:
        assert self.writer is not None
        assert self.ending is not None
        ended = self.chaos.virtual.end(self.writer, commit=self.ending, version=self.version)
        if ended.code is ErrorCode.NONE:
            if self.chaos.random.random() < 0.2:
                return  # the answer was lost: it asks once more
            self.chaos.promised[self.transaction] = self.ending
            self.transaction = self.ending = None
            if self.version == 2:
                self.writer = Writer(ended.producer_id, ended.producer_epoch)
        else:
            self._after_error(ended.code)

    def _after_error(self, code: ErrorCode) -> None:
        if code not in RETRIED:
            assert code in OVER, f"no client expects {code!r}"
            self.alive = False


class Chaos:
    """Decides what happens next."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.virtual = VirtualTransactions(writes_markers=self.random.random() < 0.3)
        self.version = self.random.choice([0, 2])
        self.partitions = Partitions()
        self.promised: dict[int | None, bool] = {}
        self.producers: list[Producer] = [Producer(self, self.version)]
        self.transactions = 0
        self.acts = {
            self.turn: 60,
            self.mark: 15,
            self.pass_time: 4,
            self.replace: 3,
            self.restart: 3,
            self.break_or_mend_log: 2,
        }

    def next_transaction(self) -> int:
        self.transactions += 1
        return self.transactions

    def run(self) -> None:
        acts, weights = list(self.acts), list(self.acts.values())
        for _ in range(STEPS):
            self.random.choices(acts, weights)[0]()
            self.check()
        self.settle()

    def check(self) -> None:
        self.partitions.take(self.virtual.markers)
        live = sorted(self.virtual.shard.live_records())
        assert live == sorted(self.virtual.replayed().live_records()), "replay gives another state than the live one"
        for transaction, decisions in self.partitions.decisions.items():
            assert len(decisions) == 1, f"transaction {transaction} was committed here and aborted there"
            if transaction in self.promised:
                assert decisions == {self.promised[transaction]}, "the producer was told otherwise"

    def settle(self) -> None:
        """Without further trouble, every transaction is decided everywhere, and the id can be used."""
        self.virtual.log_refuses_with = None
        for _ in range(4):
            self.virtual.write_markers()
            self.virtual.advance(70_000)
        self.check()
        assert not self.partitions.open, "a transaction hangs"
        assert not self.virtual.parked, "a request was never answered"
        assert isinstance(self.virtual.init(), Writer)

    # -- what can happen

    def turn(self) -> None:
        alive = [each for each in self.producers if each.alive]
        if not alive:
            alive = [Producer(self, self.version)]
            self.producers += alive
        self.random.choice(alive).go_on()

    def mark(self) -> None:
        self.virtual.write_markers()

    def pass_time(self) -> None:
        self.virtual.advance(self.random.choice([100, 1_000, 6_000, 61_000]))

    def replace(self) -> None:
        """The next of the same id begins, while the one before may still believe in itself."""
        self.producers.append(Producer(self, self.version))

    def restart(self) -> None:
        self.virtual.restart()

    def break_or_mend_log(self) -> None:
        broken = self.virtual.log_refuses_with is None
        self.virtual.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE if broken else None


def run(seed: int) -> None:
    Chaos(seed).run()


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_a_transaction_is_decided_once_and_everywhere_alike(seed: int) -> None:
    """Nobody is told what does not come true, nobody who was fenced writes, nothing hangs, replay equals life."""
    run(seed)
