"""Offsets in a row that share one fate, and all of a share-partition's in order.

    runs   │ 5..7 │ 8 │ 9..20 │ 21..400 │        no gap between them, none empty
    cut(9, 12) ──▶ │ 5..7 │ 8 │ 9..12 │ 13..20 │ 21..400 │

A *unit* is what was given out together for the first time, and is given out together again where nobody has said
otherwise. Neighbours of one unit that are alike become one run; so do neighbours that are over, whatever they were.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from drave.broker.coordinator.share.delivery import TERMINAL, RecordState

_FIRST: Final = attrgetter("first")
NOBODY: Final = ""
ANY_TIME: Final = 0


class Unit(NamedTuple):
    """The offsets that were given out together for the first time."""

    first: int
    last: int


class Run(msgspec.Struct, gc=False, kw_only=True):
    """Offsets from `first` to `last` that share one fate. A msgspec struct: single acknowledgements make many."""

    first: int
    last: int
    state: RecordState
    count: int = 0
    """How often they were delivered."""
    member: str = NOBODY
    """Who holds them."""
    until: int = ANY_TIME
    """Of held ones: when their lock ends, in milliseconds. Of available ones: before when nobody gets them."""
    unit: Unit | None = None
    """None where nobody has had them yet."""

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def goes_with(self, other: Run) -> bool:
        """Whether the two, which are neighbours, may be one."""
        if self.state in TERMINAL:
            return other.state in TERMINAL
        return (
            self.state is other.state
            and self.count == other.count
            and self.unit == other.unit
            and self.member == other.member
            and self.until == other.until
        )


class Runs:
    """The runs from `start` to before `end`."""

    __slots__ = ("_runs", "complete", "end", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        """Everything before it is over."""
        self.end = start
        """Behind the last that anybody has had."""
        self.complete = 0
        """How many from `start` on are over."""
        self._runs: list[Run] = []

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def append(self, run: Run) -> None:
        """Go on with this one, which begins at the end."""
        assert run.first == self.end <= run.last, "runs leave no gap"
        self.end = run.last + 1
        if run.state in TERMINAL:
            self.complete += run.size
        self._runs.append(run)
        self._join(len(self._runs) - 1, len(self._runs))

    def between(self, first: int, last: int) -> list[Run]:
        """The runs that have any of these offsets."""
        return self._runs[self._find(first) : self._find(last) + 1] if first <= last else []

    def cut(self, first: int, last: int) -> list[Run]:
        """The runs that have these offsets and no others; all of them must be there."""
        begin = self._find(first)
        if self._runs[begin].first < first:
            self._split(begin, first)
            begin += 1
        end = self._find(last)
        if self._runs[end].last > last:
            self._split(end, last + 1)
        return self._runs[begin : end + 1]

    def over(self, run: Run, state: RecordState) -> None:
        """The run has come to its end. `settle` has to follow."""
        if run.state not in TERMINAL:
            self.complete += run.size
        run.state, run.member, run.until = state, NOBODY, ANY_TIME

    def settle(self, first: int, last: int) -> None:
        """These have changed: neighbours that are alike become one, and the start moves behind what is over."""
        runs = self._runs
        self._join(self._find(first), self._find(last) + 1)
        if runs[0].state in TERMINAL:
            begins = runs[0].last + 1
            self.complete -= runs[0].size
            del runs[0]
            self.start = begins

    def begin_at(self, start: int) -> None:
        """Everything before `start` is over: it is not in the log any more."""
        runs = self._runs
        while runs and runs[0].first < start:
            run = runs[0]
            gone = min(run.last + 1, start) - run.first
            if run.state in TERMINAL:
                self.complete -= gone
            if run.last < start:
                del runs[0]
            else:
                run.first = start
        self.start = max(self.start, start)
        self.end = max(self.end, start)
        if runs:
            self.settle(self.start, self.start)

    def _find(self, offset: int) -> int:
        """Where the run of this offset is; of the first or last run for one that is beyond it."""
        return max(bisect_right(self._runs, offset, key=_FIRST) - 1, 0)

    def _split(self, index: int, at: int) -> None:
        """Let the run end before `at`, and another one go on from there."""
        run = self._runs[index]
        rest = Run(
            first=at,
            last=run.last,
            state=run.state,
            count=run.count,
            member=run.member,
            until=run.until,
            unit=run.unit,
        )
        run.last = at - 1
        self._runs.insert(index + 1, rest)

    def _join(self, begin: int, end: int) -> None:
        """Make one of neighbours that are alike, among those from `begin` to before `end` and the two around them."""
        runs = self._runs
        index = max(begin, 1)
        last = min(end + 1, len(runs))
        while index < last:
            if runs[index - 1].goes_with(runs[index]):
                runs[index - 1].last = runs[index].last
                del runs[index]
                last -= 1
            else:
                index += 1
