"""What an app is written with: streams, tables, groups and windows.

    Stream ─ map, filter, … ─▶ Stream ─ group_by ─▶ Grouped ─ window ─▶ WindowedGroups ─ agg ─▶ WindowedTable
       │                                              └ agg ─▶ Table                     .final(), .changes(), .late()
       └ join(Table) ─▶ Joined ─ map(fn(left, right)) ─▶ Stream ─ to("topic")

Each call adds a step to the app's topology and returns something to go on with; nothing runs. A step's name comes from
its function or is given; topics and stores are named after it, so a step that is added renames nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import msgspec

from drave.streams.agg import Aggregate, Bound, count, together
from drave.streams.errors import BadTopology
from drave.streams.fields import (
    Selector,
    function_name,
    getter,
    is_async,
    is_generator,
    item_type,
    mapped_type,
    selected_type,
    selector_name,
)
from drave.streams.formats import key_format_for
from drave.streams.steps.aggregating import TableAggregate
from drave.streams.steps.base import OnError, Output, Step, Topic
from drave.streams.steps.joining import TableJoin
from drave.streams.steps.mapping import Branch, Filter, FlatMap, KeyBy, Map, Merge, Peek
from drave.streams.steps.sources import Repartition, Sink, Source
from drave.streams.steps.windowing import WindowedAggregate
from drave.streams.windows import TimeWindows, Windowed, Windows

if TYPE_CHECKING:
    from drave.streams.app import App

V = TypeVar("V")
W = TypeVar("W")
L = TypeVar("L")
R = TypeVar("R")
StepT = TypeVar("StepT", bound=Step)
Policy = OnError | str | None


class Stream(Generic[V]):
    """Records of one type, each with a key and an event time, processed one at a time."""

    _spread = False
    """Whether functions take the two halves of a joined pair."""

    def __init__(
        self, app: App, output: Output, key_type: Any, value_type: Any, *, keyed_by: str | None = None
    ) -> None:
        self.app = app
        self.output = output
        self.key_type = key_type
        self.value_type = value_type
        self.keyed_by = keyed_by
        """The field of the value that is the key, where it is one: grouping by it moves nothing."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.output.step.name}: {self.value_type}>"

    # -- one record at a time

    @overload
    def map(
        self, function: Callable[[V], Awaitable[W | None]], *, name: str | None = None, type: Any = None,
        on_error: Policy = None, concurrency: int = 16, retries: int = 0,
    ) -> Stream[W]: ...  # fmt: skip
    @overload
    def map(
        self, function: Callable[[V], W | None], *, name: str | None = None, type: Any = None, on_error: Policy = None
    ) -> Stream[W]: ...
    def map(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        type: Any = None,  # noqa: A002 - what everybody else calls it here
        on_error: Policy = None,
        concurrency: int = 16,
        retries: int = 0,
    ) -> Stream[Any]:
        """Another value for each record; None drops it. The key and the time stay.

        A coroutine function runs for up to `concurrency` records at a time; results keep the order of the records, and
        are awaited before a commit. `type` says what it returns where no annotation does.
        """
        if is_async(function):
            return self._map_async(function, name, type, on_error, concurrency, retries)
        kind = mapped_type(function) if type is None else type
        step = self._calling(Map, function, name, "map", on_error, value_type=kind)
        return Stream(self.app, Output(step), self.key_type, kind)

    def flat_map(
        self,
        function: Callable[[V], Iterable[W]],
        *,
        name: str | None = None,
        type: Any = None,  # noqa: A002
        on_error: Policy = None,
    ) -> Stream[W]:
        """Any number of values for each record, as a generator or a list."""
        kind = item_type(function) if type is None else type
        step = self._calling(FlatMap, function, name, "flat-map", on_error, value_type=kind)
        return Stream(self.app, Output(step), self.key_type, kind)

    def filter(self, function: Callable[[V], object], *, name: str | None = None, on_error: Policy = None) -> Stream[V]:
        """The records for which `function` is true."""
        return self._same(self._calling(Filter, function, name, "filter", on_error))

    def peek(self, function: Callable[[V], object], *, name: str | None = None, on_error: Policy = None) -> Stream[V]:
        """`function` sees each record, which goes on as it was. After a crash it may see some again."""
        return self._same(self._calling(Peek, function, name, "peek", on_error))

    def branch(
        self, function: Callable[[V], object], *, name: str | None = None, on_error: Policy = None
    ) -> tuple[Stream[V], Stream[V]]:
        """Two streams: the records for which `function` is true, and the others."""
        step = self._calling(Branch, function, name, "branch", on_error)
        return self._same(step), self._same(step, "rest")

    def merge(self, *others: Stream[V], name: str | None = None) -> Stream[V]:
        """The records of all of them."""
        streams = (self, *others)
        parents = tuple(stream.output for stream in streams)
        names = "-and-".join(stream.output.step.name for stream in streams)
        step = self.app.add(
            Merge(name=name or names, parents=parents, key_type=self.key_type, value_type=self.value_type)
        )
        keyed_by = self.keyed_by if len({stream.keyed_by for stream in streams}) == 1 else None
        return Stream(self.app, Output(step), self.key_type, self.value_type, keyed_by=keyed_by)

    # -- where records go

    def to(
        self, topic: str | Stream[Any] | Topic, *, key: Selector | None = None, name: str | None = None
    ) -> Stream[V]:
        """Write each record to a topic, with its key (or the field `key` of its value) and its time."""
        target = self.app.output(topic, self.key_type, self.value_type, key)
        step = Sink(name=name or f"{self.output.step.name}-to-{target.name}", parents=(self.output,), topic=target)
        self.app.add(step)
        return self

    # -- by key

    def group_by(self, key: Selector, *, name: str | None = None, key_type: Any = None) -> Grouped[V]:
        """Bring all records with the same key to one task, through a topic of the app's own where they are not yet.

        A record whose key is None is dropped.
        """
        if isinstance(key, str) and key == self.keyed_by:
            return Grouped(self)
        return Grouped(self._rekeyed(key, name, key_type))

    def by_key(self) -> Grouped[V]:
        """Group by the key that the records have."""
        return Grouped(self)

    def join(self, table: Table[R], *, on: Selector | None = None, name: str | None = None) -> Joined[V, R]:
        """Each record with the table's row for its key, or for the field `on`; records without a row are dropped."""
        return self._join(table, on, name, outer=False)

    def left_join(self, table: Table[R], *, on: Selector | None = None, name: str | None = None) -> Joined[V, R | None]:
        """The same; records without a row come with None."""
        return cast("Joined[V, R | None]", self._join(table, on, name, outer=True))

    # -- how it is made

    def _join(self, table: Table[R], on: Selector | None, name: str | None, *, outer: bool) -> Joined[V, R]:
        left = self if on is None or on == self.keyed_by else self._rekeyed(on, None, None)
        step = TableJoin(
            name=name or f"{left.output.step.name}-with-{table.output.step.name}",
            parents=(left.output, table.output),
            key_type=left.key_type,
            value_type=tuple[left.value_type, table.value_type],  # type: ignore[name-defined]  # a type made here
            outer=outer,
        )
        self.app.add(step)
        return Joined(self.app, Output(step), left.key_type, step.value_type)

    def _rekeyed(self, key: Selector, name: str | None, key_type: Any) -> Stream[V]:
        """The same records in the partitions that another key decides."""
        field = selector_name(key)
        if name is None and field is None:
            raise BadTopology(
                f"{self.output.step.name}: a group by a lambda needs name=, for a topic is named after it"
            )
        step_name = name or f"{self.output.step.name}-by-{field}"
        declared = selected_type(key, self.value_type) if key_type is None else key_type
        kind = str if declared is Any else declared
        keyed = self.app.add(
            KeyBy(
                name=f"{step_name}-key",
                parents=(self.output,),
                key_type=kind,
                value_type=self.value_type,
                function=getter(key, self.value_type),
                spread=self._spread,
            )
        )
        topic = Topic(
            name=f"{self.app.name}-{step_name}-repartition",
            key_type=kind,
            value_type=self.value_type,
            keys=key_format_for(kind),
            values=self.app.format_for(self.value_type),
        )
        self.app.add(Repartition(name=f"{step_name}-repartition", parents=(Output(keyed),), topic=topic))
        source = self.app.add(
            Source(name=step_name, key_type=kind, value_type=self.value_type, topic=topic,
                   on_error=self.app.policy_of(self.output.step))
        )  # fmt: skip
        return Stream(self.app, Output(source), kind, self.value_type, keyed_by=key if isinstance(key, str) else None)

    def _map_async(
        self,
        function: Callable[..., Any],
        name: str | None,
        kind: Any,
        on_error: Policy,
        concurrency: int,
        retries: int,
    ) -> Stream[Any]:
        from drave.streams.steps.asynchronous import AsyncMap  # brings asyncio along

        kind = mapped_type(function) if kind is None else kind
        step = self._calling(AsyncMap, function, name, "map", on_error, value_type=kind)
        step = self.app.instead(step, replace(step, concurrency=concurrency, retries=retries))
        return Stream(self.app, Output(step), self.key_type, kind)

    def _calling(
        self, kind: Callable[..., StepT], function: Callable[..., Any], name: str | None, verb: str, on_error: Policy,
        **more: Any,
    ) -> StepT:  # fmt: skip
        own = name or function_name(function)
        parent = self.output.step.name
        step = kind(
            **{
                "name": own if own is not None else f"{parent}-{verb}",
                "parents": (self.output,),
                "key_type": self.key_type,
                "value_type": self.value_type,
                "on_error": None if on_error is None else OnError(on_error),
                "function": function,
                "spread": self._spread,
                **more,
            }
        )
        return self.app.add(step)

    def _same(self, step: Step, port: str = "out") -> Stream[V]:
        return type(self)(self.app, Output(step, port), self.key_type, self.value_type, keyed_by=self.keyed_by)


class Joined(Stream[tuple[L, R]]):
    """A stream of pairs; functions take the two halves: `map(lambda ride, zone: …)`."""

    _spread = True

    if TYPE_CHECKING:  # the same methods, for functions of two

        def map(self, function: Callable[[L, R], W | None], **more: Any) -> Stream[W]: ...  # type: ignore[override]
        def flat_map(self, function: Callable[[L, R], Iterable[W]], **more: Any) -> Stream[W]: ...  # type: ignore[override]
        def filter(self, function: Callable[[L, R], object], **more: Any) -> Joined[L, R]: ...  # type: ignore[override]
        def peek(self, function: Callable[[L, R], object], **more: Any) -> Joined[L, R]: ...  # type: ignore[override]


class Table(Generic[V]):
    """The newest value of each key."""

    def __init__(self, app: App, output: Output, key_type: Any, value_type: Any) -> None:
        self.app = app
        self.output = output
        self.key_type = key_type
        self.value_type = value_type

    @property
    def name(self) -> str:
        return self.output.step.name

    def changes(self) -> Stream[V]:
        """Each new value, as it comes. A key that is deleted comes with None."""
        return Stream(self.app, self.output, self.key_type, self.value_type)


class Grouped(Generic[V]):
    """Records with the same key in the same task."""

    def __init__(self, stream: Stream[V]) -> None:
        self._stream = stream

    def window(self, windows: Windows) -> WindowedGroups[V]:
        return WindowedGroups(self._stream, windows)

    def agg(self, into: type[W] | None = None, *, name: str | None = None, **aggregates: Aggregate) -> Table[Any]:
        """A row of aggregates for each key, as `into(name=result, …)` or as a struct of its own."""
        stream = self._stream
        name = name or f"{stream.output.step.name}-{'-'.join(aggregates)}"
        bound = _bound(into, name, aggregates, stream.value_type)
        return self._table(name, bound)

    def count(self, *, name: str | None = None) -> Table[int]:
        """How many records each key has had."""
        stream = self._stream
        return self._table(name or f"{stream.output.step.name}-count", count().bind(stream.value_type))

    def _table(self, name: str, bound: Bound) -> Table[Any]:
        stream = self._stream
        step = TableAggregate(
            name=name, parents=(stream.output,), key_type=stream.key_type, value_type=bound.result_type, bound=bound
        )
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
        return self._table(name, _bound(into, name, aggregates, self._stream.value_type))

    def count(self, *, name: str | None = None) -> WindowedTable[V, int]:
        """How many records each key has in each window."""
        return self._table(name or f"{self._base}-count", count().bind(self._stream.value_type))

    @property
    def _base(self) -> str:
        return f"{self._stream.output.step.name}-{self._windows}"

    def _table(self, name: str, bound: Bound) -> WindowedTable[V, Any]:
        stream = self._stream
        if not isinstance(self._windows, TimeWindows):
            raise BadTopology(f"{self._windows}: only tumbling and hopping windows are there")
        step = WindowedAggregate(
            name=name,
            parents=(stream.output,),
            key_type=stream.key_type,
            value_type=Windowed[bound.result_type],  # type: ignore[name-defined]  # a type made here
            windows=self._windows,
            bound=bound,
        )
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
        """Each new result of each window, at once."""
        return self._results("changes")

    def late(self) -> Stream[V]:
        """The records that came when all their windows were over."""
        stream = self._stream
        return Stream(stream.app, Output(self._step, "late"), stream.key_type, stream.value_type)

    def _results(self, port: str) -> Stream[Windowed[W]]:
        return Stream(self._stream.app, Output(self._step, port), self._stream.key_type, self._step.value_type)


def _bound(into: Any, name: str, aggregates: dict[str, Aggregate], kind: Any) -> Bound:
    if not aggregates:
        raise BadTopology(f"{name.rstrip('-')}: agg() needs at least one aggregate, such as riders=count()")
    if into is None:
        fields = [(field, aggregate.bind(kind).result_type) for field, aggregate in aggregates.items()]
        class_name = "".join(part.title() for part in name.replace("-", "_").split("_"))
        into = msgspec.defstruct(class_name, fields, frozen=True)
    return together(aggregates, into, kind)


def is_many(function: Callable[..., Any]) -> bool:
    """Whether a function gives any number of values."""
    return is_generator(function)
