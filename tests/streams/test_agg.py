"""Aggregates: what they are of all values, in one go or merged from parts."""

from __future__ import annotations

import statistics
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.streams import BadTopology, agg, count, distinct, first, last, mean, top
from drave.streams.agg import Aggregate
from drave.streams.formats import Packed


class Fare(msgspec.Struct, frozen=True):
    car: str
    price: int


fares = st.lists(st.tuples(st.builds(Fare, st.sampled_from("abc"), st.integers(-9, 9)), st.integers(0, 9)), max_size=12)
Fares = list[tuple[Fare, int]]


def prices(taken: Fares) -> list[int]:
    return [fare.price for fare, _ in taken]


def by_time(taken: Fares) -> list[Fare]:
    return [fare for fare, _ in sorted(taken, key=lambda pair: pair[1])]


ALL: dict[str, tuple[Aggregate, Any]] = {
    "count": (count(), len),
    "sum": (agg.sum("price"), lambda taken: sum(prices(taken))),
    "mean": (mean("price"), lambda taken: statistics.fmean(prices(taken)) if taken else None),
    "min": (agg.min("price"), lambda taken: min(prices(taken), default=None)),
    "max": (agg.max("price"), lambda taken: max(prices(taken), default=None)),
    "first": (first("price"), lambda taken: by_time(taken)[0].price if taken else None),
    "top": (top(2, by="price"), lambda taken: sorted((f for f, _ in taken), key=lambda f: -f.price)[:2]),
    "distinct": (distinct("car"), lambda taken: len({fare.car for fare, _ in taken})),
    "collect": (agg.collect("price"), prices),
    "reduce": (agg.reduce(lambda one, other: Fare(one.car, one.price + other.price)),
               lambda taken: Fare(taken[0][0].car, sum(prices(taken))) if taken else None),
    "fold": (agg.fold(0, lambda state, fare: state + 1, merge=lambda a, b: a + b, result=str),
             lambda taken: str(len(taken))),
}  # fmt: skip


def result(bound: agg.Bound, state: Any) -> Any:
    return state if bound.result is None else bound.result(state)


def folded(bound: agg.Bound, taken: Fares) -> Any:
    state = bound.initial
    for fare, time in taken:
        state = bound.add(state, fare, time)
    return state


@pytest.mark.parametrize("name", ALL)
@given(one=fares, other=fares)
def test_an_aggregate_is_the_same_at_once_and_merged_and_its_state_survives_being_stored(
    name: str, one: Fares, other: Fares
):
    aggregate, expected = ALL[name]
    bound = aggregate.bind(Fare)
    packed: Packed[Any] = Packed(bound.state_type)
    assert result(bound, folded(bound, one + other)) == expected(one + other)
    parts = [packed.decode(packed.encode(folded(bound, part))) for part in (one, other)]
    assert result(bound, bound.merge(*parts)) == expected(one + other)


@given(taken=fares)
def test_the_last_value_is_the_one_of_the_latest_time_and_of_equals_the_one_that_came_last(taken: Fares):
    bound = last().bind(Fare)
    expected = None
    for fare, time in taken:
        if expected is None or time >= expected[1]:
            expected = fare, time
    assert result(bound, folded(bound, taken)) == (expected and expected[0])


@given(taken=fares)
def test_adding_changes_no_state_that_was_there_before(taken: Fares):
    for aggregate, _ in ALL.values():
        bound = aggregate.bind(Fare)
        packed: Packed[Any] = Packed(bound.state_type)
        state = bound.initial
        for fare, time in taken:
            before = packed.encode(state)
            after = bound.add(state, fare, time)
            assert packed.encode(state) == before
            state = after


def test_a_fold_over_sessions_without_merge_is_refused_even_in_a_row():
    bound = agg.fold(0, lambda state, value: state).bind(Fare)
    with pytest.raises(BadTopology, match="needs merge="):
        bound.merge(1, 2)


def test_a_fold_whose_state_nobody_can_name_asks_for_its_type():
    with pytest.raises(BadTopology, match="type has to be known"):
        agg.fold(None, lambda state, value: state).bind(Fare)
