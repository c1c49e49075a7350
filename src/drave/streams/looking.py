"""A table's rows, computed from a state that somebody else keeps.

    state ─▶ the stores of the tables it is made of ─▶ map, filter, join ─▶ get(key), rows(low, high)

The steps themselves compute them, so what is seen is what the app's own joins would see; and since the state holds only
what is committed, nothing else is seen. Nothing is kept from one look to the next.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import groupby
from typing import Any, cast

from drave.streams.agg import made_of, optional
from drave.streams.formats import Format, format_for, key_format_for
from drave.streams.state import StoreSpec, TaskState, TaskStore
from drave.streams.steps.aggregating import TableAggregate
from drave.streams.steps.base import Step
from drave.streams.steps.sources import TableSource
from drave.streams.steps.tables import TableMap, TableTableJoin


def is_table(step: Step) -> bool:
    """Whether it has a row for each key."""
    return isinstance(step, TableSource | TableAggregate | TableMap | TableTableJoin)


class Looked:
    """One table, looked at in any state that has its stores."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.leaves = tuple(dict.fromkeys(_leaves(step)))
        """The steps with rows of their own that the table is made of."""

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        """Those of the rows."""
        return tuple(leaf.stores[0] for leaf in self.leaves)

    @property
    def keys(self) -> Format[Any]:
        step = self.leaves[0]
        return step.topic.keys if isinstance(step, TableSource) else key_format_for(step.key_type)

    @property
    def values(self) -> Format[Any]:
        """How a row travels."""
        step = self.step
        if isinstance(step, TableSource):
            return step.topic.values
        if isinstance(step, TableTableJoin):
            left, right = (optional(parent.step.value_type) for parent in step.parents)
            return format_for(made_of(tuple, left, right))
        return format_for(step.value_type)

    def get(self, state: TaskState, key: Any) -> Any:
        """The key's row; None when it has none. Raises what the functions of a mapped table raise."""
        return _Look(state).prepared(self.step).get(key)

    def rows(self, state: TaskState, low: bytes = b"", high: bytes | None = None) -> Iterator[tuple[bytes, Any, Any]]:
        """The key's bytes, the key and its row (None for none), in the order of the bytes, from `low` to below `high`.

        Raises what the functions of a mapped table raise.
        """
        get = _Look(state).prepared(self.step).get
        decode = self.keys.decode
        scans = [((data for data, _ in state.scan(store.name, low, high))) for store in self.stores]
        for data, _ in groupby(heapq.merge(*scans)):
            key = decode(data)
            yield data, key, get(key)


class _Look:
    """As much of a task as a step asks for that is only read."""

    def __init__(self, state: TaskState) -> None:
        self.state = state

    def prepared(self, step: Step) -> Any:
        return step.prepare(cast("Any", self))

    def adopt(self, store: TaskStore) -> None:
        """Nothing changes here, so there is nothing to commit."""


def _leaves(step: Step) -> Iterator[Step]:
    if step.stores:
        yield step
    else:
        for parent in step.parents:
            yield from _leaves(parent.step)
