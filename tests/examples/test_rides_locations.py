"""Where cars are, who is near, and what the dashboard counts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numpy", reason="examples/rides needs its own libraries: make demo brings them")

from drave.streams import Stream
from examples.rides import dashboard, locations
from examples.rides.geography import distance
from examples.rides.locations import Nearby
from examples.rides.model import MINUTE_MS, Car, Position, Request, Trip


def at(car: int, minute: float, x: float = 0.0, *, free: bool = True) -> Position:
    return Position(car, x, 0.0, free, round(minute * MINUTE_MS))


def test_a_car_is_where_it_said_last():
    with locations.app.test() as t:
        t.send(locations.positions, at(1, 0, 1.0), at(1, 2, 1.5))
        car = t.read("cars")[-1]
        assert (car.x, car.mph) == (1.5, 15.0)


def test_a_position_that_comes_late_moves_no_car():
    with locations.app.test() as t:
        t.send(locations.positions, at(1, 2, 1.5), at(1, 1, 9.0))
        assert [car.x for car in t.read("cars")] == [1.5, 1.5]


def test_it_is_known_since_when_a_car_is_taken():
    with locations.app.test() as t:
        t.send(locations.positions, at(1, 0), at(1, 5, free=False), at(1, 8, free=False))
        car = t.read("cars")[-1]
        assert (car.free, car.since) == (False, 5 * MINUTE_MS)


def test_cars_are_known_again_after_a_crash():
    with locations.app.test(partitions=3) as t:
        t.send(locations.positions, *(at(number, 1, float(number), free=False) for number in range(9)))
        t.crash()
        t.lose_state()
        t.recover()
        t.send(locations.positions, *(at(number, 2, number + 0.5, free=False) for number in range(9)))
        assert all(car.since == MINUTE_MS for car in t.read("cars")[-9:])


places = st.tuples(st.floats(-1, 10), st.floats(-1, 7))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 12), places, st.booleans()), max_size=40), places, st.integers(1, 6))
def test_who_is_near_is_who_would_be_found_by_asking_everybody(moves, here, count):
    nearby = Nearby()
    for number, ((car, (x, y), free)) in enumerate(moves):
        nearby.see(Car(car, x, y, free, number, number))
    everybody = sorted((distance(here, (car.x, car.y)), car.car) for car in nearby.cars.values() if car.free)
    assert [(each.miles, each.car.car) for each in nearby.free_around(here, count)] == everybody[:count]


NAMES = (f"r{number}" for number in itertools.count())


def asked(zone: str, minute: float, riders: int = 1) -> Request:
    return Request(next(NAMES), zone, "elsewhere", riders, round(minute * MINUTE_MS))


def test_riders_of_a_zone_grow_with_each_request_in_each_window_that_it_lies_in():
    with dashboard.app.test() as t:
        t.send(dashboard.requests, asked("soho", 12, riders=2))
        t.send(dashboard.requests, asked("soho", 13))
        windows: dict[int, list[tuple[int, int]]] = {}
        for each in t.read("riders"):
            windows.setdefault(each.start // MINUTE_MS, []).append((each.riders, each.requests))
        assert windows == {0: [(2, 1), (3, 2)], 5: [(2, 1), (3, 2)], 10: [(2, 1), (3, 2)]}


def happening(minute: float, keys: range) -> list[tuple[Stream[Any], Any]]:
    return [
        each
        for key in keys
        for each in (
            (dashboard.requests, asked("soho", minute)),
            (dashboard.positions, at(key, minute)),
            (dashboard.trips, Trip("r", 1, f"zone {key}", "harlem", 1, 1.0, 5.0, 700, round(minute * MINUTE_MS))),
        )
    ]


def test_each_kind_of_event_is_counted_by_the_minute_and_told_when_the_minute_is_over():
    with dashboard.app.test() as t:
        for topic, event in [*happening(0.2, range(2)), *happening(0.9, range(3)), *happening(1.1, range(30))]:
            t.send(topic, event)
        assert t.read("rates") == []
        for topic, event in happening(3, range(30)):
            t.send(topic, event)
        told = {(rate.kind, rate.start): rate.events for rate in t.read("rates")}
        assert told == {("requests", 0): 5, ("positions", 0): 5, ("trips", 0): 5}
