"""Steps that wait: in order, bounded, retried, and awaited before a commit."""

from __future__ import annotations

import asyncio

import pytest

from drave.streams import BadTopology, count, tumbling
from drave.streams.errors import StepFailed
from drave.streams.testing import Crash
from tests.streams.rides import Ride, ride, rides_app


def test_results_keep_the_order_of_the_records_however_late_the_first_comes():
    app, rides = rides_app()
    gate = asyncio.Event()

    async def ask(ride: Ride) -> str:
        if ride.time == 1:
            await gate.wait()
        elif ride.time == 3:
            gate.set()
        return ride.id

    rides.map(ask).to("out")
    with app.test() as t:
        t.send("rides", ride(1), ride(2), ride(3))
        assert t.read("out") == ["r1", "r2", "r3"]


def test_no_more_than_concurrency_are_under_way():
    app, rides = rides_app()
    under_way, most = 0, 0

    async def ask(ride: Ride) -> str:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return ride.id

    rides.map(ask, concurrency=3).to("out")
    with app.test() as t:
        t.send("rides", *(ride(time) for time in range(50)))
        assert len(t.read("out")) == 50
        assert most <= 3


def test_one_that_fails_is_called_again_and_then_is_the_step_s_failure():
    app, rides = rides_app()
    calls: list[str] = []

    async def ask(ride: Ride) -> str:
        calls.append(ride.id)
        if ride.time == 2 or len(calls) < 3:
            raise OSError("no answer")
        return ride.id

    rides.map(ask, retries=2, retry_after=0, on_error="skip").to("out")
    with app.test() as t:
        t.send("rides", ride(1))
        t.send("rides", ride(2))
        assert calls == ["r1"] * 3 + ["r2"] * 3
        assert t.read("out") == ["r1"]
        assert t.engine.skipped == {"ask": 1}


def test_a_failure_names_the_step_and_the_record():
    app, rides = rides_app()

    async def ask(ride: Ride) -> str:
        raise OSError("no answer")

    rides.map(ask).to("out")
    with pytest.raises(StepFailed, match="ask failed, at offset 0 of rides-0: OSError: no answer"), app.test() as t:
        t.send("rides", ride(1))


def test_an_answer_is_awaited_before_event_time_ends_its_window():
    app, rides = rides_app()
    gate = asyncio.Event()

    async def ask(ride: Ride) -> Ride:
        if ride.time == 1:
            await gate.wait()
        else:
            gate.set()
        return ride

    rides.map(ask).by_key().window(tumbling(10)).agg(n=count()).final().to("out")
    with app.test() as t:
        t.send("rides", ride(1), ride(2), ride(30))
        assert [each.value.n for each in t.read("out")] == [2]


def test_what_a_crash_interrupts_is_asked_again_and_nothing_comes_twice():
    app, rides = rides_app()

    async def ask(ride: Ride) -> str:
        return ride.id

    rides.map(ask).to("out")
    with app.test() as t:

        def crash(call: str) -> None:
            if call == "commit":
                t.on_call = lambda call: None
                raise Crash

        t.on_call = crash
        t.send("rides", ride(1), ride(2))
        assert not t.read("out")
        t.recover()
        assert t.read("out") == ["r1", "r2"]


def test_a_concurrency_of_none_is_refused():
    async def ask(ride: Ride) -> str:
        return ride.id

    _, rides = rides_app()
    with pytest.raises(BadTopology, match="concurrency=0"):
        rides.map(ask, concurrency=0)
