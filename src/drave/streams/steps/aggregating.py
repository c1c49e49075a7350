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
from drave.streams.steps.expiry import Expiry


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
    ttl_ms: int | None = None

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        states = StoreSpec(self.name)
        return (states,) if self.ttl_ms is None else (states, StoreSpec(f"{self.name}-times"))

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
        expiry = expiring(self, self.ttl_ms, store, task, forward)

        def receive(key: Any, value: Any, time: int) -> None:
            if key is None:
                return
            state = store.get(key)
            try:
                state = bound.add(bound.initial if state is None else state, value, time)
                result = state if bound.result is None else bound.result(state)
            except Exception as error:
                task.failed(self, error, key, value, time)
                return
            store.put(key, state)
            if expiry is not None:
                expiry.touch(key, time)
            forward(key, result, time)

        return (receive,)


def expiring(
    step: Step, ttl_ms: int | None, store: KeyedStore[Any], task: TaskView, forward: Receiver
) -> Expiry | None:
    """What forgets a store's keys; its times are the second of the step's stores."""
    if ttl_ms is None:
        return None

    def forget(key: Any, time: int) -> None:
        store.put(key, None)
        forward(key, None, time)

    expiry = Expiry(task, step.stores[1], key_format_for(step.key_type), ttl_ms, forget)
    task.fire_at(step, expiry)
    return expiry
