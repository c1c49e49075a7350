"""Tables: the newest value of each key.

    app.table("zones", Zone, key="id")             a compacted topic
    rides.by_key().agg(rides=count())              aggregates of a stream
    zones.map(…)   zones.filter(…)   zones.join(other)   tables of tables, which store nothing

A stream is joined with any of them; `changes()` is a stream again, and `to()` writes a compacted topic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from drave.streams.errors import BadTopology
from drave.streams.fields import Selector, function_name, is_async, mapped_type
from drave.streams.formats import Format
from drave.streams.steps.base import OnError, Output, Step, Topic
from drave.streams.steps.sources import Sink
from drave.streams.steps.tables import Changes, TableFilter, TableMap, TableTableJoin
from drave.streams.stream import Joined, Policy, Stream

if TYPE_CHECKING:
    from drave.streams.app import App

V = TypeVar("V")
W = TypeVar("W")
L = TypeVar("L")
R = TypeVar("R")


class Table(Generic[V]):
    """The newest value of each key."""

    _spread = False

    def __init__(self, app: App, output: Output, key_type: Any, value_type: Any) -> None:
        self.app = app
        self.output = output
        self.key_type = key_type
        self.value_type = value_type
        self._changes: Stream[V] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.value_type}>"

    @property
    def name(self) -> str:
        """The name of the step that makes it."""
        return self.output.step.name

    def changes(self) -> Stream[V]:
        """Each new value, as it comes. Of a row that is gone nothing comes."""
        if self._changes is None:
            step = self._step(Changes, f"{self.name}-changes", self.value_type)
            kind = cast("type[Stream[V]]", Joined if self._spread else Stream)
            self._changes = kind(self.app, Output(step), self.key_type, self.value_type)
        return self._changes

    def to(
        self, topic: str | Stream[Any] | Topic, *, key: Selector | None = None, name: str | None = None,
        format: Format[Any] | None = None,  # noqa: A002
    ) -> Table[V]:  # fmt: skip
        """Write each change to a topic, a row that is gone as a record without a value: compacted it is this table."""
        target = self.app.output(topic, self.key_type, self.value_type, key, format)
        self.app.add(Sink(name=name or f"{self.name}-to-{target.name}", parents=(self.output,), topic=target))
        return self

    def map(
        self,
        function: Callable[[V], W | None],
        *,
        name: str | None = None,
        type: Any = None,  # noqa: A002
        on_error: Policy = None,
    ) -> Table[W]:
        """Another value for each row; None for no row."""
        kind = mapped_type(function) if type is None else type
        return Table(
            self.app, Output(self._calling(TableMap, function, name, "map", on_error, kind)), self.key_type, kind
        )

    def filter(self, function: Callable[[V], object], *, name: str | None = None, on_error: Policy = None) -> Table[V]:
        """The rows for which `function` is true."""
        step = self._calling(TableFilter, function, name, "filter", on_error, self.value_type)
        return self._like(step)

    def join(self, other: Table[R], *, name: str | None = None) -> JoinedTable[V, R]:
        """The rows that both have, as pairs."""
        return self._join(other, name, (False, False))

    def left_join(self, other: Table[R], *, name: str | None = None) -> JoinedTable[V, R | None]:
        """The rows of this one, with None where the other has none."""
        return cast("JoinedTable[V, R | None]", self._join(other, name, (True, False)))

    def outer_join(self, other: Table[R], *, name: str | None = None) -> JoinedTable[V | None, R | None]:
        """The rows that any of the two has."""
        return cast("JoinedTable[V | None, R | None]", self._join(other, name, (True, True)))

    # -- how it is made

    def _like(self, step: Step) -> Table[V]:
        return type(self)(self.app, Output(step), self.key_type, self.value_type)

    def _join(self, other: Table[R], name: str | None, outer: tuple[bool, bool]) -> JoinedTable[V, R]:
        step = TableTableJoin(
            name=name or f"{self.name}-with-{other.name}",
            parents=(self.output, other.output),
            key_type=self.key_type,
            value_type=tuple[self.value_type, other.value_type],  # type: ignore[name-defined]  # a type made here
            outer=outer,
        )
        self.app.add(step)
        return JoinedTable(self.app, Output(step), self.key_type, step.value_type)

    def _calling(
        self,
        step: type[TableMap],
        function: Callable[..., Any],
        name: str | None,
        verb: str,
        on_error: Policy,
        kind: Any,
    ) -> Step:
        if is_async(function):
            raise BadTopology(f"{self.name}: a table's {verb} takes no coroutine; use .changes().map(…)")
        return self.app.add(
            step(
                name=name or function_name(function) or f"{self.name}-{verb}",
                parents=(self.output,),
                key_type=self.key_type,
                value_type=kind,
                on_error=None if on_error is None else OnError(on_error),
                function=function,
                spread=self._spread,
            )
        )

    def _step(self, step: type[Step], name: str, kind: Any) -> Step:
        return self.app.add(step(name=name, parents=(self.output,), key_type=self.key_type, value_type=kind))


class JoinedTable(Table[tuple[L, R]]):
    """A table of pairs; functions take the two halves."""

    _spread = True

    if TYPE_CHECKING:  # the same methods, for functions of two

        def map(self, function: Callable[[L, R], W | None], **more: Any) -> Table[W]: ...  # type: ignore[override]
        def filter(self, function: Callable[[L, R], object], **more: Any) -> JoinedTable[L, R]: ...  # type: ignore[override]
        def changes(self) -> Joined[L, R]: ...
