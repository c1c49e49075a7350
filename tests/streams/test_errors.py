"""Records that cannot be read or processed: fail, skip, or a dead-letter topic with all that helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drave.streams import App, BadRecord, Stream, agg, hopping, session, sliding, tumbling
from drave.streams.errors import StepFailed
from tests.streams.rides import Ride, Zone, ride, rides_app


def fails(ride: Ride, *rest: Any) -> Any:
    if ride.fare == 13:
        raise ValueError("thirteen")
    return ride


def add(state: int, ride: Ride) -> int:
    return state + fails(ride).fare


def windowed(windows: Any) -> Callable[[Stream[Ride]], Stream[Any]]:
    return lambda rides: rides.by_key().window(windows).fold(0, add, merge=lambda a, b: a + b, name="bad").changes()


STEPS: dict[str, Callable[[Stream[Ride]], Stream[Any]]] = {
    "map": lambda rides: rides.map(fails, name="bad", type=Ride),
    "filter": lambda rides: rides.filter(fails, name="bad"),
    "flat map": lambda rides: rides.flat_map(lambda ride: [fails(ride)], name="bad", type=Ride),
    "peek": lambda rides: rides.peek(fails, name="bad"),
    "branch": lambda rides: rides.branch(fails, name="bad")[0],
    "key by": lambda rides: rides.key_by(lambda ride: fails(ride).zone, name="by", key_type=str),
    "aggregate": lambda rides: rides.by_key().fold(0, add, name="bad").changes(),
    "tumbling": windowed(tumbling(10)),
    "hopping": windowed(hopping(10, every=5)),
    "sliding": windowed(sliding(10)),
    "session": windowed(session(10)),
    "process": lambda rides: rides.by_key().process(fails, state=int, name="bad", type=Ride),
    "sink": lambda rides: rides.map(lambda ride: "x" if ride.fare == 13 else b"x", name="mixed", type=bytes),
}


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("policy", ["fail", "skip", "dead-letter"])
def test_a_record_that_a_step_cannot_process_goes_where_the_app_says(kind: str, policy: str):
    app, rides = rides_app(on_error=policy)
    STEPS[kind](rides).to("out", name="bad" if kind == "sink" else None)
    with app.test() as t:
        t.send("rides", ride(1))
        before = len(t.read("out"))
        assert before
        if policy == "fail":
            with pytest.raises(StepFailed):
                t.send("rides", ride(2, fare=13))
            return
        t.send("rides", ride(2, fare=13), ride(3))
        assert len(t.read("out")) >= before
        name = "by-key" if kind == "key by" else "bad"
        assert t.engine.skipped == {name: 1}
        letters = [message for log in t.cluster.topics.get("app-dead-letters", []) for message in log]
        assert len(letters) == (policy == "dead-letter")


def test_a_dead_letter_is_the_record_as_it_came_with_its_place_and_reason_in_headers():
    app, rides = rides_app()
    rides.map(fails, on_error="dead-letter", type=Ride).to("out")
    with app.test() as t:
        t.send("rides", ride(1), ride(7, fare=13))
        (letter,) = t.cluster.topics["app-dead-letters"][0]
        assert (letter.key(), letter.value()) == (b"soho", t.cluster.topics["rides"][0][1].value())
        headers = dict(letter.headers() or ())
        assert headers.pop("drave.trace").startswith(b"Traceback")
        assert headers == {
            "drave.step": b"fails", "drave.error": b"ValueError: thirteen", "drave.time": b"7",
            "drave.topic": b"rides", "drave.partition": b"0", "drave.offset": b"1",
        }  # fmt: skip


@pytest.mark.parametrize("joined", [False, True])
def test_a_record_that_cannot_be_read_becomes_one_dead_letter_however_often_the_app_crashes(joined: bool):
    app, rides = rides_app(on_error="dead-letter")
    if joined:
        zones = app.table("zones", Zone, key="id")
        rides.left_join(zones).map(lambda ride, zone: ride.id, name="id", type=str).to("out")
    else:
        rides.map(lambda ride: ride.id, name="id", type=str).to("out")
    with app.test() as t:
        t.publish("rides", ride(1))
        t.cluster.append("rides", b"soho", b"{", 2)
        t.run()
        t.crash()
        t.lose_state()
        t.recover()
        t.send("rides", ride(3))
        assert t.read("out") == ["r1", "r3"]
        assert len(t.cluster.topics["app-dead-letters"][0]) == 1


def test_a_policy_of_a_step_goes_for_those_behind_it_too():
    app, rides = rides_app()
    rides.map(lambda ride: ride, name="same", type=Ride, on_error="skip").map(fails, type=Ride).to("out")
    with app.test() as t:
        t.send("rides", ride(1, fare=13), ride(2))
        assert [each.id for each in t.read("out")] == ["r2"]


def test_an_error_in_a_result_that_event_time_fires_names_the_step():
    def bad(state: int) -> int:
        raise ValueError("no result")

    app, rides = rides_app()
    windows = rides.by_key().window(tumbling(10)).agg(n=agg.fold(0, lambda state, ride: state, result=bad), name="bad")
    windows.final().to("out")
    with pytest.raises(StepFailed, match="the step bad failed: ValueError: no result"), app.test() as t:
        t.send("rides", ride(1), ride(11))


def test_a_record_of_a_table_needs_a_key():
    app = App("app", on_error="skip")
    app.table("zones", Zone, key_type=str).changes().to("out")
    with app.test() as t:
        t.cluster.append("zones", None, b'{"id": "soho", "base": 1}', 0)
        t.run()
        assert t.engine.skipped == {"zones": 1}


def test_a_bad_record_says_what_it_is_not():
    with pytest.raises(BadRecord, match=r"b'\{' is no Ride"):
        rides_app()[1].output.step.topic.values.decode(b"{")  # type: ignore[attr-defined]
