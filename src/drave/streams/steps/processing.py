"""A function with a state for each key, and timers: for whatever does not fit the other steps.

    record ─▶ function(value, cell) ─▶ results ─▶ "out"
                            │ cell.state, cell.at(moment), cell.wake("30s")
    event time reaches the moment ─▶ on_timer(cell) ─▶ results, with the moment as their time
    30 s have passed on the clock ─▶ on_wake(cell) ──▶ results, with the task's event time as their time

State and timers of a key are one row, so both are there after a crash, or neither. When somebody is to be woken is a
store of its own, which only those have who ask for it. Who was woken, what it did and that it was woken are committed
together: after a crash before that it is woken again, and nothing of the first time is seen.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from drave.streams.agg import made_of, optional
from drave.streams.durations import Duration, milliseconds
from drave.streams.formats import Number, Packed, key_format_for
from drave.streams.state import StoreSpec
from drave.streams.state.keyed import KeyedStore
from drave.streams.steps.base import ALWAYS, NEVER, Outputs, Receiver, Step, TaskView
from drave.streams.steps.deadlines import Deadlines

S = TypeVar("S")


class Cell(Generic[S]):
    """What a processor has of one key while it handles a record or a timer."""

    __slots__ = ("_earliest", "_now_ms", "_timers", "key", "state", "time", "wakes_at")

    def __init__(
        self,
        key: Any,
        time: int,
        state: S | None,
        timers: Iterable[int],
        earliest: int = ALWAYS,
        *,
        wakes_at: int | None = None,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        self.key = key
        self.time = time
        """The record's event time, the timer's moment, or how far event time is; milliseconds since the epoch."""
        self.state = state
        """None until something is put here, and again when None is: then the key takes no room.

        Put another value here rather than change this one: a function that fails leaves what was here.
        """
        self.wakes_at = wakes_at
        """When the clock is to wake this key, in milliseconds since the epoch; None: it is not to."""
        self._timers = list(timers)
        self._earliest = earliest
        self._now_ms = now_ms

    def at(self, moment: int) -> None:
        """Call `on_timer` for this key when event time reaches `moment`; once, however often it is asked for.

        From a timer only for later. Raises ValueError.
        """
        if self._earliest == NEVER:
            raise ValueError("a timer needs a function to call: process(…, on_timer=…)")
        if moment < self._earliest:
            raise ValueError(f"a timer for {moment}, asked for by the one of {self.time}, would ring for ever")
        if moment not in self._timers:
            insort(self._timers, moment)

    def cancel(self, moment: int | None = None) -> None:
        """Forget the timer of that moment, or all of this key's."""
        self._timers = [] if moment is None else [each for each in self._timers if each != moment]

    def wake(self, after: Duration | None) -> None:
        """Call `on_wake` for this key when so much time has passed on the clock: whoever asks again, asks instead.

        None: do not. It is not before its time, and may be later, by as long as no process has the task. What it gives
        is part of event time as far as that is, so a replay gives other results. Raises ValueError.
        """
        if self._now_ms is None:
            raise ValueError("to be woken needs a function to call: process(…, on_wake=…)")
        span = None if after is None else milliseconds(after)
        if span is not None and span <= 0:
            raise ValueError(f"{after!r} is no time to wait: a key that is woken at once would be woken for ever")
        self.wakes_at = None if span is None else self._now_ms() + span

    @property
    def timers(self) -> tuple[int, ...]:
        """The moments that are asked for, earliest first."""
        return tuple(self._timers)


Row = tuple[Any, tuple[int, ...]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Process(Step):
    """The user's function of a value and its key's cell."""

    kind: ClassVar[str] = "process"
    function: Callable[[Any, Cell[Any]], Any]
    on_timer: Callable[[Cell[Any]], Any] | None = None
    on_wake: Callable[[Cell[Any]], Any] | None = None
    state_type: Any

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        rows = StoreSpec(self.name)
        return (rows,) if self.on_wake is None else (rows, StoreSpec(f"{self.name}-wakes"))

    def prepare(self, task: TaskView) -> tuple[KeyedStore[Row], KeyedStore[int] | None]:
        keys = key_format_for(self.key_type)
        packed: Packed[Row] = Packed(made_of(tuple, optional(self.state_type), made_of(tuple, int, ...)))
        rows = KeyedStore(self.stores[0], task.state, keys, packed)
        task.adopt(rows)
        if self.on_wake is None:
            return rows, None
        wakes: KeyedStore[int] = KeyedStore(self.stores[1], task.state, keys, Number())
        task.adopt(wakes)
        return rows, wakes

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        run = _Run(self, task, outputs["out"])
        task.fire_at(self, run)
        if self.on_wake is not None:
            task.wake_by_clock(run)
        return (run.receive,)


class _Run:
    """The cells of one task."""

    has_results = True

    def __init__(self, step: Process, task: TaskView, forward: Receiver) -> None:
        self._step = step
        self._task = task
        self._forward = forward
        self._store: KeyedStore[Row]
        self._wakes: KeyedStore[int] | None
        self._store, self._wakes = task.prepared(step)
        self._lag = task.lag_of(step)
        self._timers = Deadlines(key_format_for(step.key_type).encode)
        for key, (_, timers) in self._store.items():
            if timers:
                self._timers.note(key, timers[0] + self._lag)
        self._alarms = Deadlines(key_format_for(step.key_type).encode)
        for key, moment in () if self._wakes is None else self._wakes.items():
            self._alarms.note(key, moment)

    @property
    def deadline(self) -> int:
        return self._timers.first

    @property
    def alarm(self) -> int:
        return self._alarms.first

    def receive(self, key: Any, value: Any, time: int) -> None:
        if key is None:
            return
        cell = self._cell(key, time)
        try:
            results = _results(self._step.function(value, cell))
        except Exception as error:
            self._task.failed(self._step, error, key, value, time)
            return
        self._keep(cell)
        for result in results:
            self._forward(key, result, time)

    def _cell(self, key: Any, time: int, left: Sequence[int] | None = None, earliest: int = ALWAYS) -> Cell[Any]:
        """As it is stored, but for the timers when these are `left`."""
        state, timers = self._store.get(key) or (None, ())
        if left is not None:
            timers = tuple(left)
        if self._step.on_timer is None:
            earliest = NEVER
        if self._wakes is None:
            return Cell(key, time, state, timers, earliest)
        wakes_at = self._wakes.get(key)
        return Cell(key, time, state, timers, earliest, wakes_at=wakes_at, now_ms=self._task.wall_ms)

    def _keep(self, cell: Cell[Any]) -> None:
        if self._wakes is not None and cell.wakes_at != self._wakes.get(cell.key):
            self._wakes.put(cell.key, cell.wakes_at)
            if cell.wakes_at is not None:
                self._alarms.note(cell.key, cell.wakes_at)
        row = (cell.state, cell.timers)
        self._store.put(cell.key, None if row == (None, ()) else row)
        if cell.timers:
            self._timers.note(cell.key, cell.timers[0] + self._lag)
            self._task.clock.deadline = min(self._task.clock.deadline, self._timers.first)

    def fire(self, watermark: int) -> None:
        for key in self._timers.due(watermark):
            _, timers = self._store.get(key) or (None, ())
            ripe = bisect_right(timers, watermark - self._lag)
            for moment in timers[:ripe]:
                self._ring(key, moment)
            if not ripe and timers:
                self._timers.note(key, timers[0] + self._lag)

    def _ring(self, key: Any, moment: int) -> None:
        _, timers = self._store.get(key) or (None, ())
        if moment not in timers:
            return  # one that rang before has cancelled it
        rest = [each for each in timers if each != moment]
        cell = self._cell(key, moment, rest, moment + 1)
        on_timer = self._step.on_timer
        assert on_timer is not None, "without on_timer no cell takes a timer"
        results: tuple[Any, ...] = ()
        try:
            results = _results(on_timer(cell))
        except Exception as error:
            self._task.failed(self._step, error, key, self._cell(key, moment).state, moment)
            cell = self._cell(key, moment, rest)
        self._keep(cell)
        for result in results:
            self._forward(key, result, moment)

    def wake(self, now_ms: int) -> None:
        """Whose time has come by the clock, one key after the other."""
        assert self._wakes is not None, "only who has on_wake asks for it"
        for key in self._alarms.due(now_ms):
            moment = self._wakes.get(key)
            if moment is not None and moment <= now_ms:
                self._rouse(key)
            elif moment is not None:
                self._alarms.note(key, moment)

    def _rouse(self, key: Any) -> None:
        time = self._task.clock.watermark - self._lag
        on_wake = self._step.on_wake
        assert on_wake is not None, "without on_wake nobody is woken"
        cell = self._cell(key, time)
        cell.wakes_at = None
        results: tuple[Any, ...] = ()
        try:
            results = _results(on_wake(cell))
        except Exception as error:
            cell = self._cell(key, time)
            cell.wakes_at = None
            self._task.failed(self._step, error, key, cell.state, time)
        self._keep(cell)
        for result in results:
            self._forward(key, result, time)


def _results(returned: Any) -> tuple[Any, ...]:
    """None is none, a generator's values are many, and anything else is one."""
    if returned is None:
        return ()
    return tuple(returned) if isinstance(returned, Generator) else (returned,)
