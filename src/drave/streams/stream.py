"""What an app is written with: streams, and what they become.

    Stream ─ map, filter, … ─▶ Stream ─ group_by ─▶ Grouped ─ window ─▶ WindowedGroups ─ agg ─▶ WindowedTable
       │                                              └ agg ─▶ Table                     .final(), .changes(), .late()
       └ join(Table or Stream) ─▶ Joined ─ map(fn(left, right)) ─▶ Stream ─ to("topic")

Each call adds a step to the app's topology and returns something to go on with; nothing runs. A step's name comes from
its function or is given; topics and stores are named after it, so a step that is added renames nothing. What groups
become is in `groups.py`, tables are in `tables.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from drave.streams.agg import must_know
from drave.streams.durations import Duration, milliseconds
from drave.streams.errors import BadTopology
from drave.streams.fields import (
    Selector,
    function_name,
    getter,
    is_async,
    item_type,
    mapped_type,
    selected_type,
    selector_name,
)
from drave.streams.formats import Format, key_format_for
from drave.streams.steps.base import OnError, Output, Step, Topic
from drave.streams.steps.joining import StreamJoin, TableJoin
from drave.streams.steps.mapping import Branch, Filter, FlatMap, KeyBy, Map, Merge, Peek
from drave.streams.steps.sources import Repartition, Sink, Source

if TYPE_CHECKING:
    from drave.streams.app import App
    from drave.streams.groups import Grouped
    from drave.streams.tables import Table

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
        self._keyed: dict[str, Stream[V]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.output.step.name}: {self.value_type}>"

    # -- one record at a time

    @overload
    def map(
        self, function: Callable[[V], Awaitable[W | None]], *, name: str | None = None, type: Any = None,
        on_error: Policy = None, concurrency: int = 16, retries: int = 0, retry_after: Duration = "100ms",
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
        retry_after: Duration = "100ms",
    ) -> Stream[Any]:
        """Another value for each record; None drops it. The key and the time stay.

        A coroutine function runs for up to `concurrency` records at a time; results keep the order of the records, and
        are awaited before a commit. One that fails is called again up to `retries` times, first after `retry_after`,
        then after twice as long, and so on. `type` says what it returns where no annotation does.
        """
        if is_async(function):
            return self._map_async(function, name, type, on_error, concurrency, retries, retry_after)
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
        self,
        topic: str | Stream[Any] | Topic,
        *,
        key: Selector | None = None,
        name: str | None = None,
        format: Format[Any] | None = None,  # noqa: A002 - what it is
    ) -> Stream[V]:
        """Write each record to a topic, with its key (or the field `key` of its value) and its time."""
        target = self.app.output(topic, self.key_type, self.value_type, key, format)
        step = Sink(name=name or f"{self.output.step.name}-to-{target.name}", parents=(self.output,), topic=target)
        self.app.add(step)
        return self

    # -- by key

    def key_by(self, key: Selector, *, name: str | None = None, key_type: Any = None) -> Stream[V]:
        """The same records with another key, brought to where that key lives through a topic of the app's own.

        A record whose key is None is dropped. Where the records have that key already nothing moves, and who asks for
        the same field twice is given the same stream.
        """
        if not isinstance(key, str) or name is not None or key_type is not None:
            return self._rekeyed(key, name, key_type)
        if key == self.keyed_by:
            return self
        if key not in self._keyed:
            self._keyed[key] = self._rekeyed(key, None, None)
        return self._keyed[key]

    def group_by(self, key: Selector, *, name: str | None = None, key_type: Any = None) -> Grouped[V]:
        """Bring all records with the same key to one task: `key_by`, and `by_key`."""
        return self.key_by(key, name=name, key_type=key_type).by_key()

    def by_key(self) -> Grouped[V]:
        """Group by the key that the records have. Those without one are dropped."""
        from drave.streams.groups import Grouped

        return Grouped(self)

    # -- with others

    @overload
    def join(self, other: Table[R], *, on: Selector | None = None, name: str | None = None) -> Joined[V, R]: ...
    @overload
    def join(
        self, other: Stream[R], *, within: Duration, grace: Duration | None = None, on: Selector | None = None,
        name: str | None = None,
    ) -> JoinedStreams[V, R]: ...  # fmt: skip
    def join(
        self,
        other: Table[R] | Stream[R],
        *,
        within: Duration | None = None,
        grace: Duration | None = None,
        on: Selector | None = None,
        name: str | None = None,
    ) -> Joined[V, R]:
        """Each record with the table's row for its key, or with each record of the other stream that is near in time.

        Keys are those of the records, or the field `on`. Records without a row are dropped. Two streams meet where
        their times are at most `within` apart; the pair has the later one. A record that is more than `grace` (by
        default `within`) behind its source partition is late.
        """
        return self._join(other, on, name, within, grace, (False, False))

    @overload
    def left_join(
        self, other: Table[R], *, on: Selector | None = None, name: str | None = None
    ) -> Joined[V, R | None]: ...
    @overload
    def left_join(
        self, other: Stream[R], *, within: Duration, grace: Duration | None = None, on: Selector | None = None,
        name: str | None = None,
    ) -> JoinedStreams[V, R | None]: ...  # fmt: skip
    def left_join(
        self,
        other: Table[R] | Stream[R],
        *,
        within: Duration | None = None,
        grace: Duration | None = None,
        on: Selector | None = None,
        name: str | None = None,
    ) -> Joined[V, R | None]:
        """The same; records that meet none come with None: beside a stream as soon as they can meet none any more."""
        return cast("Joined[V, R | None]", self._join(other, on, name, within, grace, (True, False)))

    def outer_join(
        self,
        other: Stream[R],
        *,
        within: Duration,
        grace: Duration | None = None,
        on: Selector | None = None,
        name: str | None = None,
    ) -> JoinedStreams[V | None, R | None]:
        """The same, of both streams."""
        joined = self._join(other, on, name, within, grace, (True, True))
        return cast("JoinedStreams[V | None, R | None]", joined)

    # -- how it is made

    def _join(
        self,
        other: Table[R] | Stream[R],
        on: Selector | None,
        name: str | None,
        within: Duration | None,
        grace: Duration | None,
        outer: tuple[bool, bool],
    ) -> Joined[V, R]:
        left = self if on is None else self.key_by(on)
        if isinstance(other, Stream):
            right = other if on is None else other.key_by(on)
            return _join_streams(left, right, name, within, grace, outer)
        if within is not None or grace is not None:
            raise BadTopology(
                f"{left.output.step.name}: a table has no time, so a join with it takes no within or grace"
            )
        joining = _joining(left, other, name)
        step = TableJoin(outer=outer[0], **joining)
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
        retry_after: Duration,
    ) -> Stream[Any]:
        from drave.streams.steps.asynchronous import AsyncMap  # brings asyncio along

        kind = mapped_type(function) if kind is None else kind
        if concurrency < 1 or retries < 0:
            raise BadTopology(f"{self.output.step.name}: concurrency={concurrency} and retries={retries} cannot be")
        step = self._calling(
            AsyncMap, function, name, "map", on_error,
            value_type=kind, concurrency=concurrency, retries=retries, retry_after_ms=milliseconds(retry_after),
        )  # fmt: skip
        return Stream(self.app, Output(step), self.key_type, kind)

    def _calling(
        self, kind: Callable[..., StepT], function: Callable[..., Any], name: str | None, verb: str, on_error: Policy,
        **more: Any,
    ) -> StepT:  # fmt: skip
        parent = self.output.step.name
        if verb != "map" and is_async(function):
            raise BadTopology(f"{parent}: {verb} takes no coroutine; await in map(), which may return None or go on")
        own = name or function_name(function)
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


class JoinedStreams(Joined[L, R]):
    """Pairs of two streams' records."""

    def __init__(self, left: Stream[L], right: Stream[R], step: StreamJoin) -> None:
        super().__init__(left.app, Output(step), left.key_type, step.value_type)
        self._sides = left, right
        self._step = step

    def late(self) -> tuple[Stream[L], Stream[R]]:
        """The records of the left and of the right that came too late."""
        left, right = self._sides
        return (
            Stream(self.app, Output(self._step, "late left"), left.key_type, left.value_type),
            Stream(self.app, Output(self._step, "late right"), right.key_type, right.value_type),
        )


def _join_streams(
    left: Stream[L],
    right: Stream[R],
    name: str | None,
    within: Duration | None,
    grace: Duration | None,
    outer: tuple[bool, bool],
) -> JoinedStreams[L, R]:
    own = left.output.step.name
    if within is None or (within_ms := milliseconds(within)) < 0:
        raise BadTopology(f'{own}: a join of two streams needs within=, such as "5m"')
    for each in (left, right):
        must_know(f"a join keeps the records of {each.output.step.name} for a while; it", each.value_type)
    step = StreamJoin(
        within_ms=within_ms,
        grace_ms=within_ms if grace is None else milliseconds(grace),
        kept_types=(left.value_type, right.value_type),
        outer=outer,
        **_joining(left, right, name),
    )
    left.app.add(step)
    return JoinedStreams(left, right, step)


def _joining(left: Stream[Any], other: Table[Any] | Stream[Any], name: str | None) -> dict[str, Any]:
    own, others = left.output.step.name, other.output.step.name
    if left.key_type != other.key_type:
        raise BadTopology(f"{own} and {others} have keys of different types: {left.key_type}, {other.key_type}")
    return {
        "name": name or f"{own}-with-{others}",
        "parents": (left.output, other.output),
        "key_type": left.key_type,
        "value_type": tuple[left.value_type, other.value_type],  # type: ignore[name-defined]  # a type made here
    }
