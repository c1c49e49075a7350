"""Steps without state: one record in, none, one or many out.

A function that fails takes its record out of this branch only, by the step's policy; other branches go on with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from drave.streams.steps.base import Outputs, Receiver, Step, TaskView


@dataclass(frozen=True, eq=False, kw_only=True)
class Calling(Step):
    """A step that calls the user's function with the value, or with its two halves where it is a joined pair."""

    function: Callable[..., Any]
    spread: bool = False

    def call(self) -> Callable[[Any], Any]:
        function = self.function
        return (lambda pair: function(*pair)) if self.spread else function


@dataclass(frozen=True, eq=False, kw_only=True)
class Map(Calling):
    """Another value for each; None drops the record."""

    kind: ClassVar[str] = "map"

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        function = self.call()
        forward = outputs["out"]

        def receive(key: Any, value: Any, time: int) -> None:
            try:
                result = function(value)
            except Exception as error:
                task.failed(self, error, key, value, time)
                return
            if result is not None:
                forward(key, result, time)

        return (receive,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Filter(Calling):
    """Records for which the function is true."""

    kind: ClassVar[str] = "filter"

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        function = self.call()
        forward = outputs["out"]

        def receive(key: Any, value: Any, time: int) -> None:
            try:
                keeps = function(value)
            except Exception as error:
                task.failed(self, error, key, value, time)
                return
            if keeps:
                forward(key, value, time)

        return (receive,)


@dataclass(frozen=True, eq=False, kw_only=True)
class FlatMap(Calling):
    """Any number of values for each. All of them are made before the first goes on, so a failure halfway sends none."""

    kind: ClassVar[str] = "flat map"

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        function = self.call()
        forward = outputs["out"]

        def receive(key: Any, value: Any, time: int) -> None:
            try:
                results = tuple(function(value))
            except Exception as error:
                task.failed(self, error, key, value, time)
                return
            for result in results:
                forward(key, result, time)

        return (receive,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Peek(Calling):
    """The function sees each record, which then goes on as it was."""

    kind: ClassVar[str] = "peek"

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        function = self.call()
        forward = outputs["out"]

        def receive(key: Any, value: Any, time: int) -> None:
            try:
                function(value)
            except Exception as error:
                task.failed(self, error, key, value, time)
                return
            forward(key, value, time)

        return (receive,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Branch(Calling):
    """Records for which the function is true leave by "out", the others by "rest"."""

    kind: ClassVar[str] = "branch"

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        function = self.call()
        forward = outputs["out"]
        rest = outputs["rest"]

        def receive(key: Any, value: Any, time: int) -> None:
            try:
                chosen = forward if function(value) else rest
            except Exception as error:
                task.failed(self, error, key, value, time)
                return
            chosen(key, value, time)

        return (receive,)


@dataclass(frozen=True, eq=False, kw_only=True)
class KeyBy(Calling):
    """Another key for each. Records stay where they are; `Repartition` moves them."""

    kind: ClassVar[str] = "key by"

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        function = self.call()
        forward = outputs["out"]

        def receive(key: Any, value: Any, time: int) -> None:
            try:
                new_key = function(value)
            except Exception as error:
                task.failed(self, error, key, value, time)
                return
            forward(new_key, value, time)

        return (receive,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Merge(Step):
    """Several streams as one. Nothing is promised about the order between them but event time's."""

    kind: ClassVar[str] = "merge"

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        return (outputs["out"],) * len(self.parents)
