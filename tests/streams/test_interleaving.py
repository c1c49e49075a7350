"""Tasks with several inputs: records run in the order of event time, and what has to wait does so within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.streams import App
from drave.streams.engine import POLL_RECORDS_MAX, Engine
from drave.streams.testing import TestDriver
from drave.streams.transport import Place
from tests.streams.rides import Ride, Zone, ride

TIMES = st.lists(st.integers(0, 30), max_size=12)


def merging(inputs: int) -> App:
    """An app that writes down the order in which a task runs what it reads."""
    app = App("merging")
    first, *others = [app.topic(f"rides-{number}", Ride, key="zone", time="time") for number in range(inputs)]
    first.merge(*others, name="rides").map(lambda ride: ride.id, name="id").to("out")
    return app


def paused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[Place]:
    """Every place that the engine pauses from now on, as often as it does."""
    found: list[Place] = []
    transport: Any = engine._transport
    pause = transport.pause

    def noted(places: Sequence[Place]) -> None:
        found.extend(places)
        pause(places)

    monkeypatch.setattr(transport, "pause", noted)
    return found


def hold_at_most(t: TestDriver, held_bytes: int) -> None:
    t.engine._settings = replace(t.engine._settings, held_bytes_max=held_bytes)


@given(st.lists(TIMES, min_size=2, max_size=4))
def test_records_run_as_the_inputs_least_time_says_and_each_inputs_own_in_its_order(topics: list[list[int]]) -> None:
    """The reference takes one record at a time; of equal times the first input's comes first."""
    rides = [[ride(time, id=f"{number}-{place}") for place, time in enumerate(times)]
             for number, times in enumerate(topics)]  # fmt: skip
    t = merging(len(topics)).test()
    for number, each in enumerate(rides):
        t.publish(f"rides-{number}", *each)
    expected = []
    while waiting := [each for each in rides if each]:
        expected.append(min(waiting, key=lambda each: each[0].time).pop(0).id)
    with t:
        assert t.read("out") == expected


def test_a_task_that_has_read_its_table_keeps_its_stream_flowing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client drops what it has fetched of a place that is paused: in each turn that costs more than all else."""
    app = App("app")
    rides = app.topic("rides", Ride, key="zone", time="time")
    rides.join(app.table("zones", Zone, key="id")).map(lambda ride, zone: ride.id, name="id").to("out")
    with app.test() as t:
        t.put("zones", Zone("soho", 1))
        hold_at_most(t, 1)
        pauses = paused(t.engine, monkeypatch)
        t.send("rides", *(ride(time) for time in range(POLL_RECORDS_MAX + 1)))
        assert len(t.read("out")) == POLL_RECORDS_MAX + 1
        assert pauses == []


def test_records_that_wait_for_another_place_are_held_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    with merging(2).test() as t:
        hold_at_most(t, 1)
        pauses = paused(t.engine, monkeypatch)
        t.publish("rides-0", *(ride(time, id="first") for time in range(POLL_RECORDS_MAX)))
        t.publish("rides-1", *(ride(time, id="other") for time in range(3)))
        t.engine.turn(0.0)
        assert pauses == [("rides-0", 0)]
        assert t.read("out") == []
        t.run()
        assert t.read("out")[:8] == ["first", "other"] * 3 + ["first"] * 2
        assert pauses == [("rides-0", 0)]


def test_a_record_that_cannot_be_read_goes_to_the_dead_letters_once_and_holds_nobody_up() -> None:
    app = App("merging", on_error="dead-letter", guarantee="at_least_once")
    first, other = (app.topic(f"numbers-{number}", int) for number in range(2))
    first.merge(other, name="numbers").to("out")
    with app.test() as t:
        t.cluster.append("numbers-0", b"k", b"no number", 1)
        t.cluster.append("numbers-0", b"k", b"1", 2)
        t.publish("numbers-1", 2)
        t.run()
        assert sorted(t.read("out")) == [1, 2]
        assert [message.value() for message in t.cluster.topics["merging-dead-letters"][0]] == [b"no number"]
        t.crash()
        t.recover()
        t.run()
        assert len(t.cluster.topics["merging-dead-letters"][0]) == 1
