"""The proof's judge: it believes what is exact, and sees what is lost, doubled, reordered or made up."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest

pytest.importorskip("river", reason="examples/rides needs its own libraries: make demo brings them")

from examples.rides import dashboard, locations, pricing
from examples.rides.city import City, Event, invented_wishes
from examples.rides.exact import CLOSING, Expected, Results, differences, expected_of, told
from examples.rides.geography import invented_zones
from examples.rides.model import MINUTE_MS, RESULTS, Position, Request, Trip

DAY_MS = 24 * 60 * MINUTE_MS


def a_day() -> list[Event]:
    chance = random.Random(2)
    zones = invented_zones(random.Random(3))
    wishes = itertools.islice(invented_wishes(zones, chance, DAY_MS, a_minute=5), 150)
    return list(City(zones, wishes, chance, cars=30).events())


def closing(at: int) -> list[Event]:
    """Something a day later, so that all windows are over."""
    return [
        Event(at, "requests", Request(CLOSING, CLOSING, CLOSING, 1, at)),
        Event(at, "positions", Position(0, 0.0, 0.0, True, at)),
        Event(at, "trips", Trip(CLOSING, 0, CLOSING, CLOSING, 1, 1.0, 1.0, 1, at)),
    ]


def made_by_the_apps(events: list[Event]) -> Results:
    results = Results()
    for module in (pricing, locations, dashboard):
        with module.app.test(seed=1) as t:
            inputs = {"pricing": ("requests", "trips"), "locations": ("positions",)}.get(
                module.app.name, ("requests", "trips", "positions")
            )
            for event in events:
                if event.topic in inputs:
                    t.publish(event.topic, event.value, at=event.due_ms)
            for event in closing(events[-1].due_ms + DAY_MS):
                if event.topic in inputs:
                    for number in range(1000, 1040):  # some in every partition
                        t.publish(event.topic, event.value, key=number if event.topic == "positions" else str(number))
            t.run()
            for topic in RESULTS:
                if topic in {each.name for each in t.topology.outputs}:
                    for value in t.read(topic):
                        results.add(topic, value)
    return results


@pytest.fixture(scope="module")
def judged() -> tuple[Expected, Results]:
    events = a_day()
    return expected_of(events), made_by_the_apps(events)


def copy(results: Results) -> Results:
    same = Results()
    same.records.update({topic: list(records) for topic, records in results.records.items()})
    return same


def test_what_the_apps_make_is_exact(judged: tuple[Expected, Results]) -> None:
    expected, results = judged
    assert told(differences(expected, results)) == []
    assert results.counts == expected.counts
    assert all(count > 10 for count in expected.counts.values())


@pytest.mark.parametrize("topic", RESULTS)
def test_a_record_that_is_lost_is_seen(judged: tuple[Expected, Results], topic: str) -> None:
    expected, results = judged[0], copy(judged[1])
    del results.records[topic][5]
    assert differences(expected, results)[topic]


@pytest.mark.parametrize("topic", RESULTS)
def test_a_record_that_is_there_twice_is_seen(judged: tuple[Expected, Results], topic: str) -> None:
    expected, results = judged[0], copy(judged[1])
    results.records[topic].insert(6, results.records[topic][5])
    assert differences(expected, results)[topic]


@pytest.mark.parametrize(("topic", "key"), [("cars", "car"), ("fares", "zone"), ("forecasts", "zone")])
def test_two_records_of_a_key_in_the_wrong_order_are_seen(
    judged: tuple[Expected, Results], topic: str, key: str
) -> None:
    expected, results = judged[0], copy(judged[1])
    records = results.records[topic]
    one = 3
    other = next(
        at
        for at, each in enumerate(records)
        if at > one and getattr(each, key) == getattr(records[one], key) and each != records[one]
    )
    records[one], records[other] = records[other], records[one]
    assert differences(expected, results)[topic]


@pytest.mark.parametrize(
    ("topic", "field", "value"),
    [("cars", "x", 9.9), ("fares", "cents", 1.0), ("forecasts", "expected", 0.1), ("quotes", "cents", 7),
     ("riders", "requests", 99), ("rates", "events", 9999)],
)  # fmt: skip
def test_a_value_that_is_a_little_wrong_is_seen(
    judged: tuple[Expected, Results], topic: str, field: str, value: float
) -> None:
    expected, results = judged[0], copy(judged[1])
    results.records[topic][7] = msgspec.structs.replace(results.records[topic][7], **{field: value})
    assert differences(expected, results)[topic]


def test_what_is_wrong_is_told_in_a_few_sentences(judged: tuple[Expected, Results]) -> None:
    lines = told(differences(judged[0], Results()))
    assert any(line.startswith("cars: car 1: 0 records instead of ") for line in lines)
    assert len(lines) <= 4 * len(RESULTS)
