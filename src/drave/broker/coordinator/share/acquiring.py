"""What one member is given of a share-partition in one go (KIP-932, KIP-1206).

    available again   unit by unit, whole ones as far as Kafka goes: the limit is where it stops, not what it cuts
    never given       up to the end of the log's batch that reaches the limit, in units of about `batch_size`
    record limit      exactly as many as were asked for, and no more

What was delivered in vain several times comes in ever smaller pieces, its last time alone: one record that nobody can
digest then takes few others with it. The rule is Apache Kafka's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

from drave.broker.coordinator.share.delivery import RecordState
from drave.broker.coordinator.share.runs import Run, Runs, Unit

SLOW_COUNT_MIN: Final = 2
"""So often a record may come without anybody suspecting it, at least."""


class Span(NamedTuple):
    """The offsets of one batch in the log."""

    first: int
    last: int


class Asked(NamedTuple):
    """What a member asks for."""

    member: str
    records_max: int
    batch_size: int
    exactly: bool = False
    """KIP-1206's `record_limit`."""


class Acquired(NamedTuple):
    """Offsets that a member holds now, and which delivery this is."""

    first: int
    last: int
    delivery_count: int


class Acquisition:
    """One member taking what it can get from `first` to `last`."""

    __slots__ = ("_asked", "_now_ms", "_room", "_runs", "_slow_count", "_spans", "_times_max", "_until", "found")

    def __init__(
        self, runs: Runs, asked: Asked, spans: Sequence[Span], room: int, *, times_max: int, now_ms: int, until: int
    ) -> None:
        self._runs = runs
        self._asked = asked
        self._spans = spans
        self._room = room
        """How many more."""
        self._times_max = times_max
        self._slow_count = max(SLOW_COUNT_MIN, (times_max + 1) // 2)
        """From how many deliveries on a record is suspected."""
        self._now_ms = now_ms
        self._until = until
        self.found: list[Acquired] = []

    def take(self, first: int, last: int) -> None:
        """What is available, then what nobody has had."""
        for unit, runs in groupby(self._available(first, min(last, self._runs.end - 1)), attrgetter("unit")):
            if unit is None:
                for run in list(runs):
                    self._take_new(run.first, run.last)
            else:
                self._take_again(unit, list(runs))
            if self._room <= 0:
                return
        if self._runs.end <= last:
            self._take_new(self._runs.end, last)

    def _available(self, first: int, last: int) -> Iterator[Run]:
        """As they are before anybody takes one, without what lies outside. No further than somebody takes them: where
        records come one by one, there may be a thousand behind."""
        for run in self._runs.between(max(first, self._runs.start), last):
            if run.state is RecordState.AVAILABLE and run.until <= self._now_ms:
                low, high = max(run.first, first), min(run.last, last)
                yield Run(first=low, last=high, state=run.state, count=run.count, unit=run.unit)

    def _take_again(self, unit: Unit, runs: list[Run]) -> None:
        is_slow = max(run.count for run in runs) >= self._slow_count
        if is_slow and self.found:
            self._room = 0
            return
        most = self._room if self._asked.exactly else unit.last - unit.first + 1
        taken: list[Acquired] = []
        for run in runs:
            is_last = run.count + 1 >= self._times_max > SLOW_COUNT_MIN
            if is_last and taken:
                break
            if run.count >= self._slow_count:
                most = min(most, max(1, (unit.last - unit.first + 1) >> (run.count - self._slow_count + 1)))
            size = min(run.size, most, 1 if is_last else most)
            if size <= 0:
                break
            most -= size
            _extend(taken, self._hold(run.first, run.first + size - 1, run.count + 1, unit))
            if is_last or size < run.size:
                break
        self._room -= sum(each.last - each.first + 1 for each in taken)
        self.found += taken
        if is_slow and taken:
            self._room = 0

    def _take_new(self, first: int, last: int) -> None:
        if self._room <= 0:
            return
        if self._room < last - first + 1:
            wanted = first + self._room - 1
            last = wanted if self._asked.exactly else min(last, _end_of_batch(self._spans, wanted))
        for unit in self._new_units(first, last):
            self.found.append(self._hold(*unit, 1, unit))
        self._room -= last - first + 1

    def _new_units(self, first: int, last: int) -> Iterator[Unit]:
        """About `batch_size` records each: they end where a batch of the log ends."""
        size = self._asked.batch_size
        if not self._asked.exactly and last - first >= size:
            for span in self._spans:
                if first < span.first <= last and span.first - first >= size:
                    yield Unit(first, span.first - 1)
                    first = span.first
        yield Unit(first, last)

    def _hold(self, first: int, last: int, count: int, unit: Unit) -> Acquired:
        runs, member = self._runs, self._asked.member
        held = RecordState.ACQUIRED
        if first == runs.end:
            run = Run(first=first, last=last, state=held, count=count, member=member, until=self._until, unit=unit)
            runs.append(run)
        else:
            for run in runs.cut(first, last):
                run.state, run.count, run.member, run.until, run.unit = held, count, member, self._until, unit
            runs.settle(first, last)
        return Acquired(first, last, count)


def _extend(taken: list[Acquired], more: Acquired) -> None:
    if taken and taken[-1].last + 1 == more.first and taken[-1].delivery_count == more.delivery_count:
        taken[-1] = taken[-1]._replace(last=more.last)
    else:
        taken.append(more)


def _end_of_batch(spans: Sequence[Span], offset: int) -> int:
    """Where the batch of this offset ends; the offset itself where it is in none."""
    for span in spans:
        if span.first <= offset <= span.last:
            return span.last
    return offset


def without(acquired: Sequence[Acquired], spans: Sequence[Span]) -> list[Acquired]:
    """What was acquired, but for these; both in order."""
    found = list(acquired)
    for span in spans:
        left: list[Acquired] = []
        for each in found:
            if each.last < span.first or each.first > span.last:
                left.append(each)
                continue
            if each.first < span.first:
                left.append(each._replace(last=span.first - 1))
            if each.last > span.last:
                left.append(each._replace(first=span.last + 1))
        found = left
    return found
