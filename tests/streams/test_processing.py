"""A function with a state for each key, and timers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec
import pytest

from drave.streams import App, BadTopology, Cell
from drave.streams.errors import StepFailed
from drave.streams.testing import Crash
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


# -- the clock on the wall


def listen(ride: Ride, cell: Cell[int]) -> None:
    cell.state = (cell.state or 0) + 1
    cell.wake("30s")


def gone_quiet(cell: Cell[int]) -> Iterator[list[object]]:
    yield [cell.key, cell.state]
    cell.state = None


def quiet_app(**settings: Any) -> App:
    app, rides = rides_app(**settings)
    rides.by_key().process(listen, on_wake=gone_quiet, state=int, type=list).to("out")
    return app


def test_who_is_to_be_woken_is_woken_by_the_clock_though_nothing_comes_also_after_a_crash_and_lost_state():
    with quiet_app(idle="1h").test() as t:
        t.send("rides", ride(5))
        t.advance("20s")
        t.send("rides", ride(7), ride(8, zone="city"))
        t.crash()
        t.lose_state()
        t.recover()
        t.advance("29s")
        assert not t.read("out")
        t.advance("2s")
        assert sorted((each.value, each.time) for each in t.records("out")) == [(["city", 1], 8), (["soho", 2], 8)]
        t.advance("2m")
        assert not t.read("out")
        (task,) = t.engine.tasks.values()
        assert [list(store.items()) for store in task.stores] == [[], []]


def test_time_that_passes_while_nobody_has_the_task_passes():
    with quiet_app().test() as t:
        t.send("rides", ride(5))
        t.crash()
        t.advance("10m")
        t.recover()
        assert t.read("out") == [["soho", 1]]


@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_a_crash_in_any_call_wakes_nobody_twice_and_forgets_nobody(guarantee: str):
    expected = [["city", 1], ["soho", 3]]
    for victim in count(1, 7):
        with quiet_app(guarantee=guarantee).test(processes=2, partitions=2) as t:
            calls = count(1)

            def on_call(call: str, calls: Iterator[int] = calls, victim: int = victim) -> None:
                if next(calls) == victim:
                    raise Crash

            t.on_call = on_call
            for time in range(3):
                t.send("rides", ride(time), *([ride(time, zone="city")] if time == 1 else []))
                t.advance("10s")
            t.advance("1m")
            for process in (0, 1):
                if not t.is_running(process):
                    t.recover(process)
            t.advance("1m")
            found = sorted(t.read("out"))
            if guarantee == "exactly_once":
                assert found == expected, f"crash in call {victim}"
            else:
                most = dict(found)
                assert all(most.get(zone, 0) >= rides for zone, rides in expected), f"crash in call {victim}"
            died = next(calls) > victim
        if not died:
            assert victim > 30
            break


def test_who_was_replaced_and_does_not_know_it_wakes_nobody():
    """KIP-447: without offsets in its transaction a broker would take a corpse's results."""
    with quiet_app().test() as t:
        t.send("rides", ride(5))
        committed: list[int] = []
        assert t.processes[0].transport is not None
        commit = t.processes[0].transport.commit
        t.processes[0].transport.commit = lambda offsets: committed.append(len(offsets)) or commit(offsets)
        t.advance("40s")
        assert t.read("out") == [["soho", 1]]
        assert 0 not in committed


def test_a_key_can_ask_again_and_again_and_be_left_in_peace():
    def tick(cell: Cell[int]) -> int | None:
        cell.state = (cell.state or 0) + 1
        cell.wake("10s" if cell.state < 3 else None)
        return cell.state

    def start(ride: Ride, cell: Cell[int]) -> None:
        cell.wake("10s" if ride.fare else None)

    app, rides = rides_app()
    rides.by_key().process(start, on_wake=tick, state=int, type=int, name="tick").to("out")
    with app.test() as t:
        t.send("rides", ride(5), ride(6, zone="city"), ride(7, zone="city", fare=0))
        t.advance("2m")
        assert t.read("out") == [1, 2, 3]


def test_who_fails_when_woken_is_not_woken_for_it_again():
    def fail(cell: Cell[int]) -> None:
        cell.state = 100
        raise ValueError("no")

    app, rides = rides_app(on_error="skip")
    rides.by_key().process(listen, on_wake=fail, state=int, name="listen")
    with app.test() as t:
        t.send("rides", ride(5))
        t.advance("5m")
        assert t.engine.skipped == {"listen": 1}
        (task,) = t.engine.tasks.values()
        assert [list(store.items()) for store in task.stores] == [[("soho", (1, ()))], []]


@pytest.mark.parametrize("after", [0, "0s"])
def test_to_be_woken_at_once_is_refused(after: Any):
    app, rides = rides_app()
    rides.by_key().process(lambda ride, cell: cell.wake(after), on_wake=lambda cell: None, state=int, name="hasty")
    with pytest.raises(StepFailed, match="would be woken for ever"), app.test() as t:
        t.send("rides", ride(1))


def test_to_be_woken_without_on_wake_is_the_record_s_failure():
    app, rides = rides_app(on_error="skip")
    rides.by_key().process(lambda ride, cell: cell.wake("1s"), state=int, name="watch")
    with app.test() as t:
        t.send("rides", ride(1))
        assert t.engine.skipped == {"watch": 1}
