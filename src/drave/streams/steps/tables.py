"""Tables made of tables: nothing is stored twice; a row is computed from its parents' when somebody asks.

    table ─▶ map, filter, join ─▶ "out": the row's new value, or None when it is gone
                │
                └ get(key), for joins

A view's row is what its functions make of the parents' rows as they are now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from drave.streams.steps.base import Outputs, Receiver, Step, TaskView
from drave.streams.steps.mapping import Calling


class View(Protocol):
    """What a table's step prepares."""

    def get(self, key: Any) -> Any:
        """The row, or None. Raises what the functions on the way raise."""
        ...


class Computed:
    """A view by a function of the key."""

    def __init__(self, get: Callable[[Any], Any]) -> None:
        self.get = get


@dataclass(frozen=True, eq=False, kw_only=True)
class TableMap(Calling):
    """Another value for each row; None where there is no row."""

    kind: ClassVar[str] = "table map"

    def row(self) -> Callable[[Any], Any]:
        """The row here of the row above."""
        return self.call()

    def prepare(self, task: TaskView) -> View:
        above: View = task.prepared(self.parents[0].step)
        row = self.row()

        def get(key: Any) -> Any:
            value = above.get(key)
            return None if value is None else row(value)

        return Computed(get)

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        row = self.row()
        forward = outputs["out"]

        def receive(key: Any, value: Any, time: int) -> None:
            try:
                result = None if value is None else row(value)
            except Exception as error:
                task.failed(self, error, key, value, time)
                return
            forward(key, result, time)

        return (receive,)


@dataclass(frozen=True, eq=False, kw_only=True)
class TableFilter(TableMap):
    """The rows for which the function is true."""

    kind: ClassVar[str] = "table filter"

    def row(self) -> Callable[[Any], Any]:
        keeps = self.call()
        return lambda value: value if keeps(value) else None


@dataclass(frozen=True, eq=False, kw_only=True)
class TableTableJoin(Step):
    """Rows of two tables with the same key, as pairs. A side that is outer needs no row on the other."""

    kind: ClassVar[str] = "table join"
    outer: tuple[bool, bool] = (False, False)

    def prepare(self, task: TaskView) -> View:
        left, right = self._views(task)
        return Computed(lambda key: self._pair(left.get(key), right.get(key)))

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        left, right = self._views(task)
        forward = outputs["out"]

        def changed(key: Any, value: Any, time: int) -> None:
            try:
                pair = self._pair(left.get(key), right.get(key))
            except Exception as error:
                task.failed(self, error, key, value, time)
                return
            forward(key, pair, time)

        return changed, changed

    def _views(self, task: TaskView) -> tuple[View, View]:
        return task.prepared(self.parents[0].step), task.prepared(self.parents[1].step)

    def _pair(self, left: Any, right: Any) -> Any:
        if left is None:
            return (None, right) if self.outer[1] and right is not None else None
        return (left, right) if self.outer[0] or right is not None else None


@dataclass(frozen=True, eq=False, kw_only=True)
class Changes(Step):
    """A table's new values as a stream. Rows that are gone are none."""

    kind: ClassVar[str] = "changes"

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        forward = outputs["out"]

        def receive(key: Any, value: Any, time: int) -> None:
            if value is not None:
                forward(key, value, time)

        return (receive,)
