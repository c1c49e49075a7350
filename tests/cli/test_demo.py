"""The main job: three groups see the same rides, each ride once."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.cli.demo.city import Fleet, Ride, invented_rides, recorded_rides
from drave.cli.demo.views import Cars, Prices, Riders, all_views
from drave.client.errors import ClientError

HEADING = "pickup,dropoff,passengers,pickup_zone,dropoff_zone\n"
TRIPS = HEADING + "".join(
    f"2019-03-{day:02} 10:{minute:02}:00,2019-03-{day:02} 11:00:00,{minute % 4},{'Soho' if minute % 3 else ''},Harlem\n"
    for day in range(1, 21)
    for minute in range(60)
)


@pytest.fixture
def trips(tmp_path: Path) -> Path:
    path = tmp_path / "trips.csv"
    path.write_text(TRIPS)
    return path


def test_recorded_trips_are_seen_once_by_each_group_and_the_end_is_three_plain_lines(drave, kafka, trips):
    result = drave(f"demo --trips {trips} --bootstrap {kafka}")
    assert result.stdout.splitlines()[-3:] == ["prices: 1200 rides", "cars: 1200 rides", "riders: 1200 rides"]
    assert "\x1b" not in result.stdout


def test_a_demo_cleans_up_after_itself_on_somebody_else_s_kafka(drave, kafka, trips):
    drave(f"demo --trips {trips} --bootstrap {kafka}")
    assert not any(each["topic"].startswith("rides-") for each in json.loads(drave("topic list --json").stdout))
    assert not any(each["group"].startswith("rides-") for each in json.loads(drave("group list --json").stdout))


def test_without_a_kafka_it_brings_its_own_and_the_city_stops_after_its_time(drave):
    document = json.loads(drave("demo --seconds 0.5 --speed max --json").stdout)
    assert document["published"] > 0
    assert set(document["groups"].values()) == {document["published"]}


def test_trips_can_be_replayed_in_their_own_time(drave, kafka, tmp_path):
    path = tmp_path / "two.csv"
    path.write_text(HEADING + "2019-03-01 10:00:00,,,a,b\n2019-03-01 10:05:00,,,a,b\n")
    document = json.loads(drave(f"demo --trips {path} --speed 1000 --bootstrap {kafka} --json").stdout)
    assert document == {"published": 2, "groups": {"prices": 2, "cars": 2, "riders": 2}}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a,b\n1,2\n", "has no column pickup"),
        ("pickup,zone\n2019-03-01,x\n", "is no file of trips: it has no column dropoff, passengers"),
        (HEADING + "2019-03-01,soon,1,a,b\n", "the trip that began 2019-03-01: 'soon' is no time"),
        (HEADING + "2019-03-01,,many,a,b\n", "the trip that began 2019-03-01"),
    ],
)
def test_a_file_that_holds_no_trips_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(ClientError, match=complaint):
        list(recorded_rides(path))


def test_holes_in_the_input_become_unknown(trips: Path) -> None:
    rides = list(recorded_rides(trips))
    assert len(rides) == 1200
    assert {ride.pickup_zone for ride in rides} == {"Soho", "unknown"}
    assert [ride.ride for ride in rides] == list(range(1, 1201))


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 100)), max_size=50))
def test_no_car_has_two_rides_at_once(spans: list[tuple[int, int]]) -> None:
    fleet = Fleet()
    free_at: dict[int, int] = {}
    for pickup, length in sorted(spans):
        car = fleet.car_for(pickup, pickup + length)
        assert free_at.get(car, 0) <= pickup
        free_at[car] = pickup + length
    assert fleet.size == len(free_at)


def test_the_city_is_the_same_for_the_same_seed_and_goes_on_for_ever() -> None:
    once, again = (list(itertools.islice(invented_rides(random.Random(7), 1_700_000_000_000), 300)) for _ in range(2))
    assert once == again
    assert all(ride.pickup_ms <= ride.dropoff_ms for ride in once)
    assert all(first.pickup_ms <= second.pickup_ms for first, second in itertools.pairwise(once))


def ride(zone: str, at_minute: int, *, car: int = 1, riders: int = 1, to: str = "away") -> Ride:
    return Ride(1, car, zone, to, at_minute * 60_000, (at_minute + 10) * 60_000, riders)


def test_prices_rise_with_demand_and_fade_with_time() -> None:
    prices = Prices()
    for _ in range(5):
        prices.see(ride("busy", 0))
    prices.see(ride("calm", 0))
    assert [name for name, _, _ in prices.rows(5)] == ["busy", "calm"]
    for minute in range(300, 303):
        prices.see(ride("calm", minute))
    assert [name for name, _, _ in prices.rows(5)] == ["calm", "busy"]


def test_a_car_is_on_its_way_and_then_there_and_the_newest_news_stand_first() -> None:
    cars = Cars()
    cars.see(ride("a", 0, car=1, to="b"))
    cars.see(ride("a", 20, car=2, to="c"))
    assert cars.rows(5) == [("car 2", 0.0, "to c"), ("car 1", 1.0, "in b")]


def test_riders_are_summed_by_zone() -> None:
    riders = Riders()
    for zone, count in (("a", 2), ("b", 1), ("a", 3)):
        riders.see(ride(zone, 0, riders=count))
    assert riders.rows(5) == [("a", 1.0, "5"), ("b", 0.2, "1")]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100), st.integers(0, 9)), max_size=30))
def test_every_view_counts_every_ride_and_draws_bars_that_fit(spans: list[tuple[str, int, int]]) -> None:
    for view in all_views():
        for zone, minute, riders in spans:
            view.see(ride(zone, minute, car=minute, riders=riders))
        assert view.rides == len(spans)
        assert all(0 <= share <= 1 for _, share, _ in view.rows(5))
