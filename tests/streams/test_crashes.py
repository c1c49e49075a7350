"""Exactly once, and at least once, whatever call a process dies in."""

from __future__ import annotations

from itertools import count as numbers

import pytest

from drave.streams import App, agg, count, tumbling
from drave.streams.errors import Aborted, StreamsError
from drave.streams.testing import Crash, TestDriver
from tests.streams.rides import Ride, Zone, ride


def build(guarantee: str = "exactly_once") -> App:
    """A bit of everything that keeps something: windows, a repartition topic, a table, an aggregate."""
    app = App("app", guarantee=guarantee)
    rides = app.topic("rides", Ride, key="id", time="time")
    zones = app.table("zones", Zone, key="id")
    rides.group_by("zone").window(tumbling(10)).agg(n=count(), fare=agg.sum("fare")).final().to("windows")
    rides.join(zones, on="zone", name="priced").map(
        lambda ride, zone: ride.fare + zone.base, name="price", type=int
    ).to("prices")
    rides.by_key().agg(n=count(), name="per-id").to("counts")
    return app


def feed(t: TestDriver) -> None:
    """In three goes, with a recovery after each: whatever has died by then goes on."""
    for time in (0, 10, 20):
        t.publish("zones", Zone("soho", time), at=time)
        t.publish("rides", ride(time + 1, id="a"), ride(time + 2, id="b", zone="camden"))
        t.run()
        recover(t)
    t.advance("1m")
    recover(t)
    t.advance("1m")
    recover(t)


def recover(t: TestDriver) -> None:
    for number in range(len(t.processes)):
        while not t.is_running(number):
            t.recover(number)


def outputs(t: TestDriver) -> dict[str, list[str]]:
    return {topic: sorted(str(each.value) for each in t.records(topic)) for topic in ("windows", "prices", "counts")}


def undisturbed() -> dict[str, list[str]]:
    with build().test() as t:
        feed(t)
        return outputs(t)


class DiesIn:
    """The process dies in the call of this number, with its disk if that is `lost`."""

    def __init__(self, t: TestDriver, victim: int, *, lost: bool = False) -> None:
        self.died = False
        self._t = t
        self._left = victim
        self._lost = lost
        t.on_call = self

    def __call__(self, call: str) -> None:
        self._left -= 1
        if self._left == 0:
            self.died = True
            if self._lost:
                self._t.lose_state()
            raise Crash


@pytest.mark.parametrize("lost", [False, True], ids=["with its state", "without its state"])
def test_a_crash_in_any_call_loses_nothing_and_repeats_nothing(lost: bool):
    expected = undisturbed()
    assert len(expected["windows"]) == 6
    for victim in numbers(1, 4 if lost else 2):
        t = build().test()
        fault = DiesIn(t, victim, lost=lost)
        with t:
            recover(t)
            feed(t)
            assert outputs(t) == expected, f"crash in call {victim}"
        if not fault.died:
            assert victim > 20
            break


def test_a_transaction_that_is_aborted_is_done_again():
    expected = undisturbed()
    commits = numbers(1)

    def on_call(call: str) -> None:
        if call == "commit" and (number := next(commits)) % 3 == 0 and number < 20:
            raise Aborted("by the test")

    with build().test() as t:
        t.on_call = on_call
        feed(t)
        assert outputs(t) == expected


def test_at_least_once_repeats_but_loses_nothing():
    expected = {topic: set(rows) for topic, rows in undisturbed().items()}
    for victim in numbers(1, 5):
        t = build("at_least_once").test()
        fault = DiesIn(t, victim)
        with t:
            recover(t)
            feed(t)
            assert expected["prices"] <= set(outputs(t)["prices"]), f"crash in call {victim}"
        if not fault.died:
            assert victim > 20
            break


def test_two_processes_share_the_work_and_one_takes_over_when_the_other_dies():
    expected = undisturbed()
    with build().test(partitions=4, processes=2, seed=5) as t:
        assert all(process.engine is not None and process.engine.tasks for process in t.processes)
        feed(t)
        t.crash(1)
        t.recover(2)
        t.stop(0)
        assert outputs(t) == expected


def test_the_same_seed_gives_the_same_run():
    def run(seed: int) -> list[tuple[str, int]]:
        with build().test(partitions=3, processes=2, seed=seed) as t:
            calls: list[tuple[str, int]] = []
            t.on_call = lambda call: calls.append((call, t._written()))
            feed(t)
            return calls

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_driver_says_what_cannot_be_done():
    with build().test() as t:
        with pytest.raises(StreamsError, match="process 0 is running"):
            t.recover()
        t.crash()
        with pytest.raises(StreamsError, match="process 0 is not running"):
            t.crash()
        with pytest.raises(StreamsError, match="no topic nowhere; it has rides"):
            t.read("nowhere")
