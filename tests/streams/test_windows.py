"""Windows: which records are in which, when they are over, and what is late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.streams import BadTopology, agg, count, hopping, session, sliding, top, tumbling
from tests.streams.rides import Ride, ride, rides_app, span


@given(size=st.integers(1, 50), every=st.integers(1, 50), time=st.integers(-200, 200))
def test_a_time_lies_in_each_window_that_begins_at_or_before_it_and_ends_after_it(size: int, every: int, time: int):
    if every > size:
        with pytest.raises(BadTopology):
            hopping(size, every=every)
        return
    starts = list(hopping(size, every=every).starts(time))
    expected = [start for start in range(-300, 300) if start % every == 0 and start <= time < start + size]
    assert starts == ([start for start in expected if start >= 0] if time >= 0 else expected)


def test_a_tumbling_window_gives_one_final_result_when_event_time_reaches_its_end():
    app, rides = rides_app()
    rides.group_by("zone").window(tumbling(10)).agg(n=count(), fare=agg.sum("fare")).final().to("out")
    with app.test() as t:
        t.send("rides", ride(1), ride(9, fare=5))
        assert not t.read("out")
        t.send("rides", ride(10))
        (result,) = t.records("out")
        assert (result.key, result.time, span(result.value)[:2]) == ("soho", 9, (0, 10))
        assert (result.value.value.n, result.value.value.fare) == (2, 6)


def test_grace_keeps_a_window_open_and_what_comes_after_it_is_late():
    app, rides = rides_app()
    windows = rides.group_by("zone").window(tumbling(10, grace=5)).count()
    windows.final().to("out")
    windows.late().to("late")
    with app.test() as t:
        t.send("rides", ride(1), ride(14), ride(2), ride(15), ride(3))
        assert [span(each) for each in t.read("out")] == [(0, 10, 2)]
        assert [each.time for each in t.read("late")] == [3]


def test_changes_come_at_once_and_finals_in_the_order_of_ends_and_keys():
    app, rides = rides_app()
    windows = rides.group_by("zone").window(hopping(20, every=10)).count()
    windows.changes().to("changes")
    windows.final().to("out")
    with app.test() as t:
        t.send("rides", ride(15, zone="b"), ride(16, zone="a"))
        assert [(each.key, *span(each)) for each in t.read("changes")] == [
            ("b", 0, 20, 1), ("b", 10, 30, 1), ("a", 0, 20, 1), ("a", 10, 30, 1),
        ]  # fmt: skip
        t.send("rides", ride(99))
        assert [(each.key, each.start) for each in t.read("out")] == [("a", 0), ("b", 0), ("a", 10), ("b", 10)]


def test_a_session_grows_merges_with_its_neighbour_and_ends_after_the_gap_and_grace():
    app, rides = rides_app()
    windows = rides.group_by("zone").window(session(10, grace=12)).agg(fares=agg.collect("fare"))
    windows.final().to("out")
    windows.late().to("late")
    with app.test() as t:
        t.send("rides", ride(0, fare=1), ride(18, fare=2), ride(9, fare=3))
        t.send("rides", ride(40, fare=4))
        assert not t.read("out")
        t.send("rides", ride(41, fare=5), ride(29, fare=6), ride(28, fare=7))
        assert [(each.start, each.end, sorted(each.value.fares)) for each in t.read("out")] == [(0, 19, [1, 2, 3])]
        assert [each.time for each in t.read("late")] == [28]
        t.advance("1m")
        assert [(each.start, each.end) for each in t.read("out")] == [(29, 30), (40, 42)]


def test_a_pause_as_long_as_the_gap_is_still_one_session():
    app, rides = rides_app()
    rides.group_by("zone").window(session(10)).count().final().to("out")
    with app.test() as t:
        t.send("rides", ride(0), ride(10), ride(21))
        t.advance("1m")
        assert [span(each) for each in t.read("out")] == [(0, 11, 2), (21, 22, 1)]


def test_a_sliding_window_ends_with_each_record_and_counts_what_is_at_most_its_size_older():
    app, rides = rides_app()
    windows = rides.group_by("zone").window(sliding(10)).count()
    windows.final().to("out")
    windows.late().to("late")
    with app.test() as t:
        t.send("rides", ride(0), ride(10), ride(10), ride(21), ride(15), ride(9))
        t.advance("1m")
        assert [span(each) for each in t.read("out")] == [(-10, 1, 1), (0, 11, 3), (11, 22, 2)]
        assert [each.time for each in t.read("late")] == [9]


def test_changes_of_sliding_windows_are_its_own_and_those_it_also_lies_in():
    app, rides = rides_app()
    rides.group_by("zone").window(sliding(10, grace=10)).count().changes().to("out")
    with app.test() as t:
        t.send("rides", ride(10), ride(5))
        assert [span(each) for each in t.read("out")] == [(0, 11, 1), (-5, 6, 1), (0, 11, 2)]


def test_windows_of_windows_take_every_result_whatever_grace_the_first_have():
    app, rides = rides_app()
    first = rides.group_by("zone").window(tumbling(10, grace=7)).agg(n=count()).final()
    best = first.group_by("start", name="best").window(tumbling(10)).agg(top=top(2, by="value.n"))
    best.final().to("out")
    best.late().to("late")
    with app.test(partitions=3) as t:
        t.publish("rides", *(ride(1, zone=zone) for zone in "abbccc"))
        t.advance("1m")
        (result,) = t.read("out")
        assert [(each.key, each.value.n) for each in result.value.top] == [("c", 3), ("b", 2)]
        assert not t.read("late")


def test_a_fold_over_sessions_needs_a_merge():
    _, rides = rides_app()
    with pytest.raises(BadTopology, match="needs merge="):
        rides.group_by("zone").window(session(10)).fold(0, lambda state, value: state + 1)


def test_reduce_and_fold_are_aggregates_too():
    def dearest(one: Ride, other: Ride) -> Ride:
        return max(one, other, key=lambda ride: ride.fare)

    def total(so_far: int, ride: Ride) -> int:
        return so_far + ride.fare

    app, rides = rides_app()
    rides.by_key().reduce(dearest).to("dearest")
    rides.by_key().window(session(5)).fold(0, total, merge=lambda one, other: one + other).final().to("totals")
    with app.test() as t:
        t.send("rides", ride(1, fare=2), ride(2, fare=9), ride(3, fare=4))
        t.advance("1m")
        assert [each.fare for each in t.read("dearest")] == [2, 9, 9]
        assert [each.value for each in t.read("totals")] == [15]


def test_an_aggregate_that_needs_whole_values_asks_for_their_type():
    _, rides = rides_app()
    with pytest.raises(BadTopology, match="their type has to be known"):
        rides.map(lambda ride: ride, name="same").by_key().window(sliding(5)).count()
