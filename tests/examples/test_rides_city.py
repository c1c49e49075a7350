"""The city: what phones publish, and that it could have happened."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="examples/rides needs its own libraries: make demo brings them")

from drave.client.errors import ClientError
from examples.rides.city import WITHOUT_SIGNAL_MS, City, Event, Wish, invented_wishes
from examples.rides.geography import HEIGHT, WIDTH, distance, invented_zones, zones_from_trips
from examples.rides.model import MINUTE_MS, Zone
from examples.rides.recorded import recorded_trips

ZONES = invented_zones(random.Random(3))
HEADING = "pickup,dropoff,passengers,distance,total,pickup_zone,dropoff_zone\n"


def events_of(seed: int, trips: int = 60, cars: int = 20) -> list[Event]:
    chance = random.Random(seed)
    wishes = itertools.islice(invented_wishes(ZONES, chance, 0, a_minute=3), trips)
    return list(City(ZONES, wishes, chance, cars=cars).events())


def inside(point: tuple[float, float], zone: Zone) -> bool:
    """Whether a convex outline has the point on one side all around."""
    corners = zip(zone.outline, (*zone.outline[1:], *zone.outline[:1]), strict=True)
    sides = [(b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]) for a, b in corners]
    return all(side >= -1e-6 for side in sides) or all(side <= 1e-6 for side in sides)


def test_every_zone_is_a_piece_of_the_map_around_its_centre():
    assert len({zone.zone for zone in ZONES}) == len(ZONES) == 26
    for zone in ZONES:
        assert inside((zone.x, zone.y), zone)
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in zone.outline)


def test_a_place_in_a_zone_is_nearer_to_its_centre_than_to_any_other():
    for zone in ZONES:
        for corner in zone.outline:
            place = ((corner[0] + zone.x) / 2, (corner[1] + zone.y) / 2)
            nearest = min(ZONES, key=lambda other: distance((other.x, other.y), place))
            assert nearest.zone == zone.zone


def test_zones_that_only_trips_tell_of_lie_as_far_apart_as_the_trips_were_long():
    miles = {("a", "b"): 1.0, ("b", "c"): 1.0, ("c", "d"): 1.0, ("a", "d"): 3.0}
    zones = {zone.zone: zone for zone in zones_from_trips(miles, random.Random(1))}
    far = {pair: distance(*((zones[name].x, zones[name].y) for name in pair)) for pair in ("ab", "ac", "ad")}
    assert far["ab"] < far["ac"] < far["ad"]


def test_the_same_seed_is_the_same_city_and_another_seed_another():
    assert events_of(1) == events_of(1)
    assert events_of(1) != events_of(2)


def test_events_arrive_in_order_and_tell_of_moments_that_are_not_long_past():
    events = events_of(4)
    assert all(one.due_ms <= other.due_ms for one, other in itertools.pairwise(events))
    assert all(0 <= event.due_ms - event.value.at <= WITHOUT_SIGNAL_MS for event in events)
    assert any(event.due_ms > event.value.at for event in events), "no phone was ever without a signal"


def test_every_trip_follows_from_one_request_and_nobody_rides_twice():
    events = events_of(5)
    requests = {event.value.request: event.value for event in events if event.topic == "requests"}
    trips = [event.value for event in events if event.topic == "trips"]
    assert len(requests) == 60
    assert len({trip.request for trip in trips}) == len(trips) > 30
    for trip in trips:
        request = requests[trip.request]
        assert (trip.zone, trip.to, trip.riders) == (request.zone, request.to, request.riders)
        assert trip.at > request.at
        assert trip.cents > 0


def test_a_car_has_one_ride_at_a_time():
    rides = defaultdict(list)
    for event in events_of(6, cars=6):
        if event.topic == "trips":
            rides[event.value.car].append((event.value.at - round(event.value.minutes * MINUTE_MS), event.value.at))
    for spans in rides.values():
        spans.sort()
        assert all(one[1] <= other[0] + MINUTE_MS for one, other in itertools.pairwise(spans))


def test_cars_are_driven_and_do_not_jump():
    places = defaultdict(list)
    for event in events_of(7):
        if event.topic == "positions":
            places[event.value.car].append(event.value)
    assert len(places) == 20
    for positions in places.values():
        positions.sort(key=lambda position: position.at)
        for one, other in itertools.pairwise(positions):
            minutes = (other.at - one.at) / MINUTE_MS
            assert distance((one.x, one.y), (other.x, other.y)) <= 0.6 * minutes + 0.01


def test_without_a_free_car_riders_walk_unless_the_trip_was_recorded():
    wishes = [Wish(0, "Mile End", "Outremont", 1), Wish(1, "Mile End", "Outremont", 1)]
    city = City(ZONES, iter(wishes), random.Random(1), cars=1)
    assert Counter(event.topic for event in city.events())["trips"] == 1

    recorded = [Wish(at, "Mile End", "Outremont", 1, minutes=9.0, miles=2.0, cents=900) for at in (10**9, 10**9 + 1)]
    city = City(ZONES, iter(recorded), random.Random(1), cars=1, grows=True)
    trips = [event.value for event in city.events() if event.topic == "trips"]
    assert [(trip.minutes, trip.miles, trip.cents) for trip in trips] == [(9.0, 2.0, 900)] * 2
    assert len(city.cabs) == 2


def write(path: Path, *rows: str) -> Path:
    path.write_text(HEADING + "".join(f"{row}\n" for row in rows))
    return path


def test_recorded_trips_keep_their_zones_fares_and_times(tmp_path: Path):
    path = write(
        tmp_path / "trips.csv",
        "2019-03-01 10:00:30,2019-03-01 10:12:30,2,1.5,9.80,Soho,Harlem",
        "2019-03-01 10:00:00,2019-03-01 10:05:00,1,0.5,6.00,Harlem,Soho",
        "2019-03-01 10:00:40,2019-03-01 10:09:00,1,1.0,7.00,Soho,",
    )
    found = recorded_trips(path, random.Random(1))
    assert [(wish.zone, wish.to, wish.riders, wish.minutes, wish.cents) for wish in found.wishes] == [
        ("Harlem", "Soho", 1, 5.0, 600),
        ("Soho", "Harlem", 2, 12.0, 980),
    ]
    assert found.left_out == 1
    assert {zone.zone for zone in found.zones} == {"Soho", "Harlem"}


def test_a_sample_of_many_days_is_replayed_as_one(tmp_path: Path):
    rows = [f"2019-03-{day:02} 09:{day:02}:00,2019-03-{day:02} 09:40:00,1,1,9,a,b" for day in range(1, 20)]
    found = recorded_trips(write(tmp_path / "trips.csv", *rows), random.Random(1))
    assert found.days == 19
    assert [wish.at // MINUTE_MS % 60 for wish in found.wishes] == list(range(1, 20))
    assert found.wishes[-1].at - found.wishes[0].at == 18 * MINUTE_MS


def test_holes_are_filled_with_what_is_ordinary(tmp_path: Path):
    path = write(tmp_path / "trips.csv", "2019-03-01 10:00:00,,,,,a,b")
    (wish,) = recorded_trips(path, random.Random(1)).wishes
    assert (wish.riders, wish.minutes) == (1, 1.0)
    assert wish.miles is not None
    assert wish.miles > 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("pickup,dropoff\n2019-03-01 10:00:00,\n", "no column pickup_zone, dropoff_zone"),
        (HEADING, "no trips with zones"),
        (HEADING + "2019-03-01 10:00:00,soon,1,1,1,a,b\n", "the trip that began 2019-03-01 10:00:00"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_the_reason(tmp_path: Path, text: str, complaint: str):
    (tmp_path / "trips.csv").write_text(text)
    with pytest.raises(ClientError, match=complaint):
        recorded_trips(tmp_path / "trips.csv", random.Random(1))
