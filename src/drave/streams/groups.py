"""Groups: records with the same key in the same task, and what is made of them.

rides.group_by("zone").agg(rides=count())                              a table
rides.group_by("zone").window(tumbling("1m")).agg(…).final()            a stream of Windowed results
rides.by_key().process(watch, on_timer=overdue, state=Trip)             whatever does not fit
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from drave.streams import agg as aggregates_of
from drave.streams.agg import Aggregate, Bound, must_know, together
from drave.streams.durations import Duration, milliseconds
from drave.streams.errors import BadTopology
from drave.streams.fields import function_name, is_async, is_generator, item_type, mapped_type
from drave.streams.steps.aggregating import TableAggregate
from drave.streams.steps.base import OnError, Output, Step
from drave.streams.steps.processing import Cell, Process
from drave.streams.steps.sessions import SessionAggregate
from drave.streams.steps.sliding import SlidingAggregate
from drave.streams.steps.windowing import WindowedAggregate
from drave.streams.stream import Policy, Stream
from drave.streams.tables import Table
from drave.streams.windows import SlidingWindows, TimeWindows, Windowed, Windows

V = TypeVar("V")
W = TypeVar("W")
S = TypeVar("S")


class Grouped(Generic[V]):
    """Records with the same key in the same task."""

    def __init__(self, stream: Stream[V]) -> None:
        self._stream = stream

    def window(self, windows: Windows) -> WindowedGroups[V]:
        """Aggregates by key and window: `tumbling`, `hopping`, `sliding` or `session`."""
        return WindowedGroups(self._stream, windows)

    def agg(
        self,
        into: type[W] | None = None,
        *,
        name: str | None = None,
        ttl: Duration | None = None,
        **aggregates: Aggregate,
    ) -> Table[Any]:
        """A row of aggregates for each key, as `into(name=result, …)` or as a struct of its own.

        A row that had no record for `ttl` of event time is forgotten; without it rows stay for ever.
        """
        name = name or f"{self._base}-{'-'.join(aggregates)}"
        return self._table(name, _row(into, name, aggregates, self._stream.value_type), ttl)

    def count(self, *, name: str | None = None, ttl: Duration | None = None) -> Table[int]:
        """How many records each key has had."""
        return self._table(name or f"{self._base}-count", self._bind(aggregates_of.count()), ttl)

    def reduce(
        self, function: Callable[[V, V], V], *, name: str | None = None, ttl: Duration | None = None
    ) -> Table[V]:
        """Each key's first value, then `function(so far, value)`."""
        return self._table(self._named(name, function, "reduce"), self._bind(aggregates_of.reduce(function)), ttl)

    def fold(
        self,
        initial: S,
        add: Callable[[S, V], S],
        *,
        name: str | None = None,
        ttl: Duration | None = None,
        type: Any = None,  # noqa: A002 - what everybody else calls it here
    ) -> Table[S]:
        """`add(state, value)` for each record, beginning with `initial`."""
        bound = self._bind(aggregates_of.fold(initial, add, type=type))
        return self._table(self._named(name, add, "fold"), bound, ttl)

    def process(
        self,
        function: Callable[[V, Cell[S]], Any],
        *,
        state: type[S] | Any,
        on_timer: Callable[[Cell[S]], Any] | None = None,
        on_wake: Callable[[Cell[S]], Any] | None = None,
        name: str | None = None,
        type: Any = None,  # noqa: A002
        on_error: Policy = None,
    ) -> Stream[Any]:
        """`function(value, cell)` with a state of type `state` for each key, and timers.

        It returns None or one value, or is a generator of many. `on_timer(cell)`, the same, is called when event
        time reaches a moment that `cell.at` was given, `on_wake(cell)` when the time that `cell.wake` was given has
        passed on the clock.
        """
        stream = self._stream
        if is_async(function):
            raise BadTopology(f"{self._base}: process takes no coroutine; await in map() before or after it")
        returned = item_type(function) if is_generator(function) else mapped_type(function)
        kind = returned if type is None else type
        step = Process(
            name=self._named(name, function, "process"),
            parents=(stream.output,),
            key_type=stream.key_type,
            value_type=kind,
            on_error=None if on_error is None else OnError(on_error),
            function=function,
            on_timer=on_timer,
            on_wake=on_wake,
            state_type=state,
        )
        stream.app.add(step)
        return Stream(stream.app, Output(step), stream.key_type, kind)

    @property
    def _base(self) -> str:
        return self._stream.output.step.name

    def _named(self, name: str | None, function: Callable[..., Any], verb: str) -> str:
        return name or function_name(function) or f"{self._base}-{verb}"

    def _bind(self, aggregate: Aggregate) -> Bound:
        return aggregate.bind(self._stream.value_type)

    def _table(self, name: str, bound: Bound, ttl: Duration | None) -> Table[Any]:
        stream = self._stream
        step = TableAggregate(
            name=name, parents=(stream.output,), key_type=stream.key_type, value_type=bound.result_type, bound=bound,
            ttl_ms=None if ttl is None else milliseconds(ttl),
        )  # fmt: skip
        stream.app.add(step)
        return Table(stream.app, Output(step), stream.key_type, bound.result_type)


class WindowedGroups(Generic[V]):
    """Records with the same key, in windows of event time."""

    def __init__(self, stream: Stream[V], windows: Windows) -> None:
        self._stream = stream
        self._windows = windows

    def agg(
        self, into: type[W] | None = None, *, name: str | None = None, **aggregates: Aggregate
    ) -> WindowedTable[V, Any]:
        """A row of aggregates for each key and window, as `into(name=result, …)` or as a struct of its own."""
        name = name or f"{self._base}-{'-'.join(aggregates)}"
        return self._table(name, _row(into, name, aggregates, self._stream.value_type))

    def count(self, *, name: str | None = None) -> WindowedTable[V, int]:
        """How many records each key has in each window."""
        return self._table(name or f"{self._base}-count", self._bind(aggregates_of.count()))

    def reduce(self, function: Callable[[V, V], V], *, name: str | None = None) -> WindowedTable[V, V]:
        """Each key's and window's first value, then `function(so far, value)`; associative for sessions."""
        bound = self._bind(aggregates_of.reduce(function))
        return self._table(name or function_name(function) or f"{self._base}-reduce", bound)

    def fold(
        self,
        initial: S,
        add: Callable[[S, V], S],
        *,
        merge: Callable[[S, S], S] | None = None,
        name: str | None = None,
        type: Any = None,  # noqa: A002
    ) -> WindowedTable[V, S]:
        """`add(state, value)` for each record, beginning with `initial`; sessions that become one need `merge`."""
        if merge is None and not isinstance(self._windows, TimeWindows | SlidingWindows):
            raise BadTopology(f"{self._base}: a fold over sessions needs merge=, for two sessions may become one")
        bound = self._bind(aggregates_of.fold(initial, add, merge=merge, type=type))
        return self._table(name or function_name(add) or f"{self._base}-fold", bound)

    @property
    def _base(self) -> str:
        return f"{self._stream.output.step.name}-{self._windows}"

    def _bind(self, aggregate: Aggregate) -> Bound:
        return aggregate.bind(self._stream.value_type)

    def _table(self, name: str, bound: Bound) -> WindowedTable[V, Any]:
        stream, windows = self._stream, self._windows
        common: dict[str, Any] = {
            "name": name,
            "parents": (stream.output,),
            "key_type": stream.key_type,
            "value_type": Windowed[bound.result_type],  # type: ignore[name-defined]  # a type made here
            "bound": bound,
        }
        step: Step
        if isinstance(windows, TimeWindows):
            step = WindowedAggregate(windows=windows, **common)
        elif isinstance(windows, SlidingWindows):
            must_know(f"{name}: a sliding window", stream.value_type)
            step = SlidingAggregate(windows=windows, kept_type=stream.value_type, **common)
        else:
            step = SessionAggregate(windows=windows, **common)
        stream.app.add(step)
        return WindowedTable(stream, step)


class WindowedTable(Generic[V, W]):
    """Aggregates by key and window, and what becomes of them."""

    def __init__(self, stream: Stream[V], step: Step) -> None:
        self._stream = stream
        self._step = step

    def final(self) -> Stream[Windowed[W]]:
        """One result for each key and window, when the window and its grace are over."""
        return self._results("final")

    def changes(self) -> Stream[Windowed[W]]:
        """Each new result of each window, at once. A session that grew comes with its new bounds."""
        return self._results("changes")

    def late(self) -> Stream[V]:
        """The records that came when all their windows were over."""
        stream = self._stream
        return Stream(stream.app, Output(self._step, "late"), stream.key_type, stream.value_type)

    def _results(self, port: str) -> Stream[Windowed[W]]:
        return Stream(self._stream.app, Output(self._step, port), self._stream.key_type, self._step.value_type)


def _row(into: Any, name: str, aggregates: dict[str, Aggregate], kind: Any) -> Bound:
    if not aggregates:
        raise BadTopology(f"{name.rstrip('-')}: agg() needs at least one aggregate, such as riders=count()")
    if into is None:
        fields = [(field, aggregate.bind(kind).result_type) for field, aggregate in aggregates.items()]
        class_name = "".join(part.title() for part in name.replace("-", "_").split("_"))
        into = msgspec.defstruct(class_name, fields, frozen=True)
    return together(aggregates, into, kind)
