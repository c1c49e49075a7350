"""A function with a state for each key, and timers."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from drave.streams import BadTopology, Cell
from drave.streams.errors import StepFailed
from tests.streams.rides import Ride, ride, rides_app


class Trip(msgspec.Struct):
    rides: int
    last: int


def watch(ride: Ride, cell: Cell[Trip]) -> None:
    rides = cell.state.rides if cell.state else 0
    cell.state = Trip(rides + 1, ride.time)
    cell.cancel()
    cell.at(ride.time + 100)


def overdue(cell: Cell[Trip]) -> Iterator[list[object]]:
    assert cell.state is not None
    yield [cell.key, cell.state.rides, cell.time]
    cell.state = None


def test_a_timer_rings_when_event_time_reaches_it_also_after_a_crash_and_lost_state():
    app, rides = rides_app()
    rides.by_key().process(watch, on_timer=overdue, state=Trip, type=list).to("out")
    with app.test() as t:
        t.send("rides", ride(0), ride(50))
        t.crash()
        t.lose_state()
        t.recover()
        t.send("rides", ride(149, zone="camden"))
        assert not t.read("out")
        t.send("rides", ride(150, zone="camden"))
        assert [(each.value, each.time) for each in t.records("out")] == [(["soho", 2, 150], 150)]
        (task,) = t.engine.tasks.values()
        assert [key for key, _ in task.stores[0].items()] == ["camden"]


def test_timers_ring_moment_by_moment_however_far_event_time_jumps():
    def ask(ride: Ride, cell: Cell[int]) -> None:
        cell.at(ride.time + 10)
        cell.at(ride.time + 30)

    app, rides = rides_app()
    rides.by_key().process(ask, on_timer=lambda cell: [cell.key, cell.time], state=int, type=list, name="ask").to("out")
    with app.test() as t:
        t.send("rides", ride(0, zone="b"), ride(1, zone="a"), ride(500, zone="c"))
        assert [each.time for each in t.records("out")] == [10, 11, 30, 31]


def test_a_timer_that_asks_for_its_own_moment_again_is_refused():
    app, rides = rides_app()
    rides.by_key().process(
        lambda ride, cell: cell.at(5), on_timer=lambda cell: cell.at(cell.time), state=int, name="loop"
    )  # fmt: skip
    with pytest.raises(StepFailed, match="would ring for ever"), app.test() as t:
        t.send("rides", ride(1), ride(9))


def test_a_timer_without_on_timer_is_the_record_s_failure():
    app, rides = rides_app(on_error="skip")
    rides.by_key().process(lambda ride, cell: cell.at(5), state=int, name="watch")
    with app.test() as t:
        t.send("rides", ride(1), ride(9))
        assert t.engine.skipped == {"watch": 2}


def test_a_coroutine_is_refused():
    async def ask(ride: Ride, cell: Cell[int]) -> None: ...

    _, rides = rides_app()
    with pytest.raises(BadTopology, match="takes no coroutine"):
        rides.by_key().process(ask, state=int)
