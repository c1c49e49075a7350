"""The records of one share-partition that are on their way: who holds which, and what became of the others.

    start                                                           end
      │ held by A │ accepted │ available, after 2 │ held by B │ new … │ nobody has had these yet
      └──────────────────────── runs ─────────────────────────────────┘

    acquire ──▶ ACQUIRED ──accept──▶ ACKNOWLEDGED ┐
       ▲           │ ├─────reject──▶ ARCHIVED     ├ once all before it is over, too, the start moves
       │           │ └─after the last delivery──┘ ┘
       └ AVAILABLE ◀── release, the lock's time is over, the member has gone

The law: every offset from the start to the end is in exactly one run; a held one has one holder and a moment at which
its lock ends; a count never falls. What changed is returned, to be written down: held records are not (KIP-932), so
after a crash they are available, as often delivered as was written last.

Where dead letters are wanted, what is given up is first LEAVING: nobody gets it and the start stays before it, until
its dead letter is durable and `bury` is called. After a crash in between it is available, so none is ever lost.

Pure: the time is given, in milliseconds of any clock that never goes back.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar, Final, NamedTuple

from drave.broker.coordinator.share.acquiring import Acquired, Acquisition, Asked, Span, without
from drave.broker.coordinator.share.delivery import Progress, RecordState, StateBatch
from drave.broker.coordinator.share.runs import ANY_TIME, NOBODY, Run, Runs, Unit
from drave.model.errors import ErrorCode, ProtocolError


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """What the settings and the group's configs say."""

    lock_ms: int = 30_000
    """How long a member may keep a record without a word."""
    deliveries_max: int = 5
    """After so many a record is given up."""
    in_flight_max: int = 2_000
    """Offsets from the start to the end."""
    renews: bool = True
    """Whether a member may ask for more time (KIP-1222)."""
    redelivery_delay_ms: int = 0
    """How long what was released, or timed out, is kept back."""
    dead_letters: bool = False
    """Whether what is given up is wanted elsewhere first."""


class AcknowledgeType(enum.IntEnum):
    """Kafka's numbers."""

    GAP = 0
    """There is no such record in the log."""
    ACCEPT = 1
    RELEASE = 2
    REJECT = 3
    RENEW = 4


class Acknowledgement(NamedTuple):
    """What a member says of offsets in a row: one type for all, or one for each."""

    first: int
    last: int
    types: Sequence[int]


class GivenUp(enum.Enum):
    """Why nobody gets a record any more."""

    REJECTED = enum.auto()
    DELIVERIES = enum.auto()
    """It was delivered as often as the group wants it to be."""


class Leaving(NamedTuple):
    """Records whose dead letters are wanted before they go."""

    first: int
    last: int
    delivery_count: int
    why: GivenUp


class InvalidRecordState(ProtocolError):
    """An acknowledgement of what the member does not hold: it never did, or the lock's time was over."""

    code: ClassVar[ErrorCode] = ErrorCode.INVALID_RECORD_STATE

    def __init__(self, first: int, last: int, why: str) -> None:
        super().__init__(first, last, why)
        self.first = first
        self.last = last
        self.why = why

    def __str__(self) -> str:
        return f"Offsets {self.first} to {self.last} cannot be acknowledged: {self.why}."


class BeyondAcquired(ProtocolError):
    """An acknowledgement of what nobody has had yet."""

    code: ClassVar[ErrorCode] = ErrorCode.INVALID_REQUEST

    def __init__(self, first: int, last: int, end: int) -> None:
        super().__init__(first, last, end)
        self.first = first
        self.last = last
        self.end = end

    def __str__(self) -> str:
        return f"Offsets {self.first} to {self.last} are acknowledged; nothing from {self.end} on was delivered."


class Changes:
    """What a step has changed."""

    __slots__ = ("batches", "freed", "leaving")

    def __init__(self) -> None:
        self.batches: list[StateBatch] = []
        """To be written down."""
        self.leaving: list[Leaving] = []
        self.freed = False
        """Whether something is available that was not."""

    def note(self, run: Run) -> None:
        """The run is as it is to be written down."""
        batches = self.batches
        if batches and batches[-1].last + 1 == run.first and batches[-1][2:] == (run.state, run.count):
            batches[-1] = batches[-1]._replace(last=run.last)
        else:
            batches.append(StateBatch(run.first, run.last, run.state, run.count))


_ENDS: Final = {
    AcknowledgeType.GAP: RecordState.ARCHIVED,
    AcknowledgeType.ACCEPT: RecordState.ACKNOWLEDGED,
}


_Test = Callable[[Run], bool]


class InFlight:
    """One share-partition."""

    __slots__ = ("_may_be_available", "_runs")

    def __init__(self, start: int, known: Iterable[StateBatch] = ()) -> None:
        """`known` as it was written down, in order; what lies before and between was never delivered."""
        runs = self._runs = Runs(start)
        for batch in known:
            if batch.first > runs.end:
                runs.append(Run(first=runs.end, last=batch.first - 1, state=RecordState.AVAILABLE))
            unit = Unit(batch.first, batch.last)
            runs.append(
                Run(first=batch.first, last=batch.last, state=batch.state, count=batch.delivery_count, unit=unit)
            )
        if runs.end > start:
            runs.settle(start, start)
        self._may_be_available = True

    # -- how it stands

    @property
    def start(self) -> int:
        """Everything before it is over."""
        return self._runs.start

    @property
    def end(self) -> int:
        """Nobody has had anything from here on."""
        return self._runs.end

    def __iter__(self) -> Iterator[Run]:
        """The runs, in order."""
        return iter(self._runs)

    def progress(self, changes: Changes | None = None) -> Progress:
        """What there is to be written down now."""
        batches = () if changes is None else tuple(changes.batches)
        return Progress(self._runs.start, self._runs.complete, batches)

    def next_offset(self, limits: DeliveryLimits, now_ms: int) -> int | None:
        """From where to read; None while the limit lets nobody have more."""
        if self._may_be_available:
            self._may_be_available = False
            for run in self._runs:
                if run.state is RecordState.AVAILABLE:
                    self._may_be_available = True
                    if run.until <= now_ms:
                        return run.first
        runs = self._runs
        return runs.end if runs.end - runs.start < limits.in_flight_max else None

    def next_moment(self) -> int | None:
        """When the next lock ends, or something that is kept back becomes available."""
        return min((run.until for run in self._runs if run.until != ANY_TIME), default=None)

    @property
    def is_idle(self) -> bool:
        """Whether nobody holds anything, and nothing waits for its dead letter, or to come again: what there is to know
        is written down."""
        return not any(run.state is RecordState.LEAVING or run.until != ANY_TIME for run in self._runs)

    # -- giving

    def acquire(
        self, asked: Asked, spans: Sequence[Span], read_from: int, limits: DeliveryLimits, now_ms: int
    ) -> list[Acquired]:
        """Give the member of what was read from `read_from` on: these batches of the log."""
        runs = self._runs
        first, last = spans[0].first, spans[-1].last
        self._pass_over(read_from, first)
        room = min(asked.records_max, limits.in_flight_max - (runs.end - runs.start))
        if room <= 0:
            room, last = min(asked.records_max, runs.end - read_from), min(last, runs.end - 1)
        if room <= 0 or last < runs.start:
            return []
        acquisition = Acquisition(
            runs,
            asked,
            spans,
            room,
            times_max=limits.deliveries_max,
            now_ms=now_ms,
            until=now_ms + limits.lock_ms,
        )
        acquisition.take(first, last)
        return acquisition.found

    def _pass_over(self, read_from: int, first: int) -> None:
        """The log has nothing from `read_from` to before `first`: compaction has taken it."""
        runs = self._runs
        if first <= read_from:
            return
        low, high = max(read_from, runs.start), min(first, runs.end) - 1
        for run in runs.cut(low, high) if low <= high else ():
            if run.state is RecordState.AVAILABLE:
                runs.over(run, RecordState.ARCHIVED)
        if low <= high:
            runs.settle(low, high)
        if runs.end == runs.start:
            runs.begin_at(first)
        elif runs.end < first:
            runs.append(Run(first=runs.end, last=first - 1, state=RecordState.ARCHIVED))

    def drop(self, spans: Sequence[Span], acquired: Sequence[Acquired]) -> list[Acquired]:
        """What was acquired, without these batches, which belong to transactions that were aborted."""
        runs = self._runs
        for span in spans:
            low, high = max(span.first, runs.start), min(span.last, runs.end - 1)
            if low > high:
                continue
            for run in runs.cut(low, high):
                if run.state is RecordState.ACQUIRED:
                    runs.over(run, RecordState.ARCHIVED)
            runs.settle(low, high)
        return without(acquired, spans)

    # -- taking back

    def acknowledge(
        self, member: str, acknowledgements: Iterable[Acknowledgement], limits: DeliveryLimits, now_ms: int
    ) -> Changes:
        """Do what the member says of what it holds: all of it, or nothing.

        Raises InvalidRecordState, BeyondAcquired.
        """
        pieces: list[tuple[int, int, int]] = []
        for each in acknowledgements:
            if each.last >= self.start:
                self._check_delivered(each)
                for first, last, kind in _ranges(each):
                    if last >= self.start:
                        pieces.append(self._checked(member, max(first, self.start), last, kind, limits, pieces))
        changes = Changes()
        for first, last, kind in pieces:
            for run in self._runs.cut(first, last):
                self._answer(run, kind, changes, limits, now_ms)
        if pieces:
            self._runs.settle(pieces[0][0], pieces[-1][1])
        return changes

    def _check_delivered(self, said: Acknowledgement) -> None:
        if self.end == self.start:
            raise InvalidRecordState(said.first, said.last, "nothing is held by anybody")
        if said.last >= self.end:
            raise BeyondAcquired(said.first, said.last, self.end)

    def _checked(
        self,
        member: str,
        first: int,
        last: int,
        kind: int,
        limits: DeliveryLimits,
        before: Sequence[tuple[int, int, int]],
    ) -> tuple[int, int, int]:
        if kind == AcknowledgeType.RENEW and not limits.renews:
            raise InvalidRecordState(first, last, "the group does not let its members renew their locks")
        if before and before[-1][1] >= first and before[-1][2] != AcknowledgeType.RENEW:
            raise InvalidRecordState(first, last, f"offset {before[-1][1]} is acknowledged twice")
        for run in self._runs.between(first, last):
            if run.state is not RecordState.ACQUIRED:
                raise InvalidRecordState(first, last, f"from {run.first} to {run.last} nobody holds them")
            if run.member != member:
                raise InvalidRecordState(first, last, f"from {run.first} to {run.last} another member holds them")
        return first, last, kind

    def _answer(self, run: Run, kind: int, changes: Changes, limits: DeliveryLimits, now_ms: int) -> None:
        if kind == AcknowledgeType.RENEW:
            run.until = now_ms + limits.lock_ms
        elif kind == AcknowledgeType.RELEASE:
            self._free(run, changes, limits, now_ms)
        elif kind == AcknowledgeType.REJECT:
            self._give_up(run, GivenUp.REJECTED, changes, limits)
        else:
            self._runs.over(run, _ENDS[AcknowledgeType(kind)])
            changes.note(run)

    def release(self, member: str, limits: DeliveryLimits, now_ms: int) -> Changes:
        """The member has gone: what it held is for others."""
        return self._free_all(lambda run: run.member == member, limits, now_ms)

    def expire(self, limits: DeliveryLimits, now_ms: int) -> Changes:
        """Free what has been held for too long, and what was kept back until now."""
        changes = self._free_all(lambda run: run.until <= now_ms, limits, now_ms)
        for run in self._runs:
            if run.state is RecordState.AVAILABLE and ANY_TIME < run.until <= now_ms:
                run.until = ANY_TIME
                changes.freed = True
        return changes

    def _free_all(self, ends: _Test, limits: DeliveryLimits, now_ms: int) -> Changes:
        changes = Changes()
        held = [run for run in self._runs if run.state is RecordState.ACQUIRED and ends(run)]
        for run in held:
            self._free(run, changes, limits, now_ms)
        if held:
            self._runs.settle(held[0].first, held[-1].last)
        return changes

    def _free(self, run: Run, changes: Changes, limits: DeliveryLimits, now_ms: int) -> None:
        if run.count >= limits.deliveries_max:
            self._give_up(run, GivenUp.DELIVERIES, changes, limits)
            return
        run.state, run.member = RecordState.AVAILABLE, NOBODY
        run.until = now_ms + limits.redelivery_delay_ms if limits.redelivery_delay_ms else ANY_TIME
        self._may_be_available = True
        changes.freed = True
        changes.note(run)

    def _give_up(self, run: Run, why: GivenUp, changes: Changes, limits: DeliveryLimits) -> None:
        if limits.dead_letters:
            run.state, run.member, run.until = RecordState.LEAVING, NOBODY, ANY_TIME
            changes.leaving.append(Leaving(run.first, run.last, run.count, why))
        else:
            self._runs.over(run, RecordState.ARCHIVED)
            changes.note(run)

    def bury(self, leaving: Iterable[Leaving]) -> Changes:
        """The dead letters of these are durable: they may go."""
        changes = Changes()
        for each in leaving:
            low = max(each.first, self.start)
            if low > each.last:
                continue
            for run in self._runs.cut(low, each.last):
                if run.state is RecordState.LEAVING:
                    self._runs.over(run, RecordState.ARCHIVED)
                    changes.note(run)
            self._runs.settle(low, each.last)
        return changes

    # -- the log

    def begin_at(self, log_start: int) -> None:
        """The log begins here now: what lay before cannot be delivered any more."""
        if log_start > self.start:
            self._runs.begin_at(log_start)


def _ranges(said: Acknowledgement) -> Iterator[tuple[int, int, int]]:
    """Offsets in a row of which the same is said."""
    if len(said.types) == 1:
        yield said.first, said.last, said.types[0]
        return
    first = said.first
    for kind, same in groupby(said.types):
        last = first + sum(1 for _ in same) - 1
        yield first, last, kind
        first = last + 1
