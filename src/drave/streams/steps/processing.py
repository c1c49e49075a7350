"""A function with a state for each key, and timers: for whatever does not fit the other steps.

    record ─▶ function(value, cell) ─▶ results ─▶ "out"
                            │ cell.state, cell.at(moment)
    event time reaches the moment ─▶ on_timer(cell) ─▶ results, with the moment as their time

State and timers of a key are one row, so both are there after a crash, or neither.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from drave.streams.agg import made_of, optional
from drave.streams.formats import Packed, key_format_for
from drave.streams.state import StoreSpec
from drave.streams.state.keyed import KeyedStore
from drave.streams.steps.base import ALWAYS, NEVER, Outputs, Receiver, Step, TaskView
from drave.streams.steps.deadlines import Deadlines

S = TypeVar("S")


class Cell(Generic[S]):
    """What a processor has of one key while it handles a record or a timer."""

    __slots__ = ("_earliest", "_timers", "key", "state", "time")

    def __init__(self, key: Any, time: int, state: S | None, timers: Iterable[int], earliest: int = ALWAYS) -> None:
        self.key = key
        self.time = time
        """The record's event time, or the timer's moment; milliseconds since the epoch."""
        self.state = state
        """None until something is put here, and again when None is: then the key takes no room.

        Put another value here rather than change this one: a function that fails leaves what was here.
        """
        self._timers = list(timers)
        self._earliest = earliest

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
    state_type: Any

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        return (StoreSpec(self.name),)

    def prepare(self, task: TaskView) -> KeyedStore[Row]:
        rows: Packed[Row] = Packed(made_of(tuple, optional(self.state_type), made_of(tuple, int, ...)))
        store = KeyedStore(self.stores[0], task.state, key_format_for(self.key_type), rows)
        task.adopt(store)
        return store

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        run = _Run(self, task, outputs["out"])
        task.fire_at(self, run)
        return (run.receive,)


class _Run:
    """The cells of one task."""

    has_results = True

    def __init__(self, step: Process, task: TaskView, forward: Receiver) -> None:
        self._step = step
        self._task = task
        self._forward = forward
        self._store: KeyedStore[Row] = task.prepared(step)
        self._lag = task.lag_of(step)
        self._timers = Deadlines(key_format_for(step.key_type).encode)
        for key, (_, timers) in self._store.items():
            if timers:
                self._timers.note(key, timers[0] + self._lag)

    @property
    def deadline(self) -> int:
        return self._timers.first

    def receive(self, key: Any, value: Any, time: int) -> None:
        if key is None:
            return
        state, timers = self._store.get(key) or (None, ())
        cell = Cell(key, time, state, timers, ALWAYS if self._step.on_timer else NEVER)
        try:
            results = _results(self._step.function(value, cell))
        except Exception as error:
            self._task.failed(self._step, error, key, value, time)
            return
        self._keep(cell)
        for result in results:
            self._forward(key, result, time)

    def _keep(self, cell: Cell[Any]) -> None:
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
        state, timers = self._store.get(key) or (None, ())
        if moment not in timers:
            return  # one that rang before has cancelled it
        rest = [each for each in timers if each != moment]
        cell = Cell(key, moment, state, rest, moment + 1)
        on_timer = self._step.on_timer
        assert on_timer is not None, "without on_timer no cell takes a timer"
        results: tuple[Any, ...] = ()
        try:
            results = _results(on_timer(cell))
        except Exception as error:
            self._task.failed(self._step, error, key, state, moment)
            cell = Cell(key, moment, state, rest)
        self._keep(cell)
        for result in results:
            self._forward(key, result, moment)


def _results(returned: Any) -> tuple[Any, ...]:
    """None is none, a generator's values are many, and anything else is one."""
    if returned is None:
        return ()
    return tuple(returned) if isinstance(returned, Generator) else (returned,)
