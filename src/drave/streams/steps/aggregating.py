"""Aggregates without windows: a table, one state for each key, for as long as the app lives or `ttl` says.

record ─▶ add ─▶ state ─▶ "out": the key's new result, at once
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from drave.streams.agg import Bound
from drave.streams.formats import Packed, key_format_for
from drave.streams.state import StoreSpec
from drave.streams.state.keyed import KeyedStore
from drave.streams.steps.base import Outputs, Receiver, Step, TaskView


class Results:
    """The aggregate as a table of results."""

    def __init__(self, states: KeyedStore[Any], bound: Bound) -> None:
        self.states = states
        self._bound = bound

    def get(self, key: Any) -> Any:
        """None for a key without records."""
        state = self.states.get(key)
        return state if state is None or self._bound.result is None else self._bound.result(state)


@dataclass(frozen=True, eq=False, kw_only=True)
class TableAggregate(Step):
    """One state for each key."""

    kind: ClassVar[str] = "aggregate"
    bound: Bound

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        return (StoreSpec(self.name),)

    def prepare(self, task: TaskView) -> Results:
        store: KeyedStore[Any] = KeyedStore(
            self.stores[0], task.state, key_format_for(self.key_type), Packed(self.bound.state_type)
        )
        task.adopt(store)
        return Results(store, self.bound)

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        bound = self.bound
        store = task.prepared(self).states
        forward = outputs["out"]

        def receive(key: Any, value: Any, time: int) -> None:
            state = store.get(key)
            try:
                state = bound.add(bound.initial if state is None else state, value, time)
                result = state if bound.result is None else bound.result(state)
            except Exception as error:
                task.failed(self, error, key, value, time)
                return
            store.put(key, state)
            forward(key, result, time)

        return (receive,)
