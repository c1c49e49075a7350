"""Aggregates: what becomes of many values.

    .agg(riders=count(), fare=agg.mean("fare"), best=agg.top(3, by="fare"))

Each is four functions on a state that is a plain value: `initial`, `add`, `merge` (of two sessions that became one) and
`result`. States are never changed in place: what was committed stays what it was.
"""

from __future__ import annotations

import builtins
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from types import GenericAlias
from typing import Any, Final

from drave.streams.errors import BadTopology
from drave.streams.fields import Selector, getter, returned_type, selected_type

Add = Callable[[Any, Any, int], Any]


@dataclass(frozen=True, slots=True)
class Bound:
    """An aggregate over values of a known type."""

    initial: Any
    add: Add
    """(state, value, time) → state"""
    merge: Callable[[Any, Any], Any]
    """(the earlier state, the later) → state"""
    result: Callable[[Any], Any] | None
    """None: the state is the result."""
    state_type: Any
    result_type: Any


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate that waits for the type of its values. `bind` raises BadTopology."""

    name: str
    bind: Callable[[Any], Bound]


def count() -> Aggregate:
    """How many."""
    bound = Bound(0, lambda state, value, time: state + 1, lambda one, other: one + other, None, int, int)
    return Aggregate("count", lambda kind: bound)


def sum(field: Selector) -> Aggregate:  # noqa: A001 - the field's own word; used as agg.sum
    """The sum of a field; 0 for none."""

    def bind(kind: Any) -> Bound:
        take = getter(field, kind)
        number = _number(field, kind)
        return Bound(0, lambda state, value, time: state + take(value), lambda a, b: a + b, None, number, number)

    return Aggregate("sum", bind)


def mean(field: Selector) -> Aggregate:
    """The arithmetic mean of a field; None for none."""

    def bind(kind: Any) -> Bound:
        take = getter(field, kind)
        return Bound(
            (0, 0),
            lambda state, value, time: (state[0] + take(value), state[1] + 1),
            lambda a, b: (a[0] + b[0], a[1] + b[1]),
            lambda state: state[0] / state[1] if state[1] else None,
            made_of(tuple, int | float, int),
            optional(float),
        )

    return Aggregate("mean", bind)


def min(field: Selector) -> Aggregate:  # noqa: A001
    """The least of a field; None for none."""
    return _extreme("min", field, builtins.min)


def max(field: Selector) -> Aggregate:  # noqa: A001
    """The greatest of a field; None for none."""
    return _extreme("max", field, builtins.max)


def first(field: Selector | None = None) -> Aggregate:
    """The earliest value, or its field, by event time; of two at the same time the one that came first."""
    return _by_time("first", field, lambda held, time: time < held)


def last(field: Selector | None = None) -> Aggregate:
    """The latest value, or its field, by event time; of two at the same time the one that came last."""
    return _by_time("last", field, lambda held, time: time >= held)


def top(size: int, *, by: Selector) -> Aggregate:
    """The `size` values with the greatest `by`, greatest first; of equals those that came first."""

    def bind(kind: Any) -> Bound:
        must_know("top", kind)
        rank = getter(by, kind)

        def add(state: list[Any], value: Any, time: int) -> list[Any]:
            if len(state) == size and rank(value) <= rank(state[-1]):
                return state
            return heapq.nlargest(size, [*state, value], key=rank)  # stable: equals keep their order

        def merge(one: list[Any], other: list[Any]) -> list[Any]:
            return heapq.nlargest(size, [*one, *other], key=rank)

        return Bound([], add, merge, None, made_of(list, kind), made_of(list, kind))

    return Aggregate("top", bind)


def distinct(field: Selector) -> Aggregate:
    """How many different values a field had. It keeps all of them: exact, and as large as they are."""

    def bind(kind: Any) -> Bound:
        take = getter(field, kind)
        taken = selected_type(field, kind)
        return Bound(
            frozenset(),
            lambda state, value, time: state if (item := take(value)) in state else state | {item},
            lambda one, other: one | other,
            len,
            made_of(frozenset, taken),
            int,
        )

    return Aggregate("distinct", bind)


def collect(field: Selector | None = None) -> Aggregate:
    """All values, or all of a field, in the order in which they came."""

    def bind(kind: Any) -> Bound:
        take, taken = _taking("collect", field, kind)
        return Bound(
            (),
            lambda state, value, time: (*state, take(value)),
            lambda one, other: (*one, *other),
            list,
            made_of(tuple, taken, ...),
            made_of(list, taken),
        )

    return Aggregate("collect", bind)


def reduce(function: Callable[[Any, Any], Any]) -> Aggregate:
    """The first value, then `function(so far, value)` for each. `function` must be associative for sessions."""

    def bind(kind: Any) -> Bound:
        must_know("reduce", kind)

        def merge(one: Any, other: Any) -> Any:
            return other if one is None else one if other is None else function(one, other)

        return Bound(
            None, lambda state, value, time: value if state is None else function(state, value), merge, None,
            optional(kind), optional(kind),
        )  # fmt: skip

    return Aggregate("reduce", bind)


def fold(
    initial: Any,
    add: Callable[[Any, Any], Any],
    *,
    merge: Callable[[Any, Any], Any] | None = None,
    result: Callable[[Any], Any] | None = None,
    type: Any = None,  # noqa: A002 - what everybody else calls it here
) -> Aggregate:
    """An aggregate of your own: `add(state, value)` gives the next state, and never changes the one that it is given.

    `type` is the state's; it is taken from `add`'s annotation, or from `initial`. `merge` is needed for sessions.
    """

    def bind(kind: Any) -> Bound:
        declared = type if type is not None else returned_type(add)
        state_type = builtins.type(initial) if declared is Any and initial is not None else declared
        must_know("fold", state_type)
        return Bound(
            initial,
            lambda state, value, time: add(state, value),
            merge or _cannot_merge,
            result,
            state_type,
            state_type if result is None else returned_type(result),
        )

    return Aggregate("fold", bind)


def together(aggregates: dict[str, Aggregate], into: Any, kind: Any) -> Bound:
    """Several aggregates as one, whose result is `into(name=result, …)`."""
    bounds = [aggregate.bind(kind) for aggregate in aggregates.values()]
    adds = [bound.add for bound in bounds]
    merges = [bound.merge for bound in bounds]
    results = [bound.result or _itself for bound in bounds]
    names = list(aggregates)

    def add(states: Any, value: Any, time: int) -> Any:
        return tuple([add(state, value, time) for add, state in zip(adds, states, strict=True)])

    def merge(one: Any, other: Any) -> Any:
        return tuple([merge(a, b) for merge, a, b in zip(merges, one, other, strict=True)])

    def result(states: Any) -> Any:
        return into(**{name: of(state) for name, of, state in zip(names, results, states, strict=True)})

    state_type = made_of(tuple, *(bound.state_type for bound in bounds))
    return Bound(tuple(bound.initial for bound in bounds), add, merge, result, state_type, into)


def optional(kind: Any) -> Any:
    """`kind` or None, where `kind` is only known when the app runs."""
    return Any if kind is Any else kind | None


def made_of(origin: Any, *arguments: Any) -> Any:
    """`origin[arguments]`, the same."""
    return GenericAlias(origin, arguments)


def _itself(state: Any) -> Any:
    return state


def _cannot_merge(one: Any, other: Any) -> Any:
    raise BadTopology("a fold over sessions needs merge=, for two sessions may become one")


def _extreme(name: str, field: Selector, pick: Callable[[Any, Any], Any]) -> Aggregate:
    def bind(kind: Any) -> Bound:
        take = getter(field, kind)
        taken = selected_type(field, kind)
        kept = optional(taken)

        def add(state: Any, value: Any, time: int) -> Any:
            item = take(value)
            return item if state is None else pick(state, item)

        def merge(one: Any, other: Any) -> Any:
            return other if one is None else one if other is None else pick(one, other)

        return Bound(None, add, merge, None, kept, kept)

    return Aggregate(name, bind)


def _by_time(name: str, field: Selector | None, replaces: Callable[[int, int], bool]) -> Aggregate:
    def bind(kind: Any) -> Bound:
        take, taken = _taking(name, field, kind)

        def add(state: Any, value: Any, time: int) -> Any:
            return (time, take(value)) if state is None or replaces(state[0], time) else state

        def merge(one: Any, other: Any) -> Any:
            if one is None or other is None:
                return other if one is None else one
            return other if replaces(one[0], other[0]) else one

        kept = optional(taken)
        return Bound(None, add, merge, lambda state: state and state[1], optional(made_of(tuple, int, taken)), kept)

    return Aggregate(name, bind)


def _taking(name: str, field: Selector | None, kind: Any) -> tuple[Callable[[Any], Any], Any]:
    if field is None:
        must_know(name, kind)
        return _itself, kind
    return getter(field, kind), selected_type(field, kind)


def _number(field: Selector, kind: Any) -> Any:
    taken = selected_type(field, kind)
    return int | float if taken is Any else taken


_UNKNOWN: Final = (
    "keeps whole values, so their type has to be known: annotate what the step before returns, or give it type="
)


def must_know(name: str, kind: Any) -> None:
    """Raises BadTopology when nothing says what type the values have."""
    if kind is Any:
        raise BadTopology(f"{name} {_UNKNOWN}")
