"""Joins: what a record meets, and when it is sure to meet nothing."""

from __future__ import annotations

import pytest

from drave.streams import App, BadTopology, Stream, Table
from tests.streams.rides import Ride, Zone, ride

Pair = tuple[str | None, str | None]


def ids(one: Ride | None, other: Ride | None) -> list[str | None]:
    return [one and one.id, other and other.id]


def two_streams() -> tuple[App, Stream[Ride], Stream[Ride]]:
    app = App("app")
    return app, app.topic("rides", Ride, key="zone", time="time"), app.topic("cars", Ride, key="zone", time="time")


def with_zones() -> tuple[App, Stream[Ride], Table[Zone]]:
    app = App("app")
    return app, app.topic("rides", Ride, key="zone", time="time"), app.table("zones", Zone, key="id")


def test_a_record_meets_the_row_that_was_there_at_its_time():
    app, rides, zones = with_zones()
    rides.join(zones).map(lambda ride, zone: [ride.id, zone.base], name="pair").to("out")
    t = app.test(seed=3)
    t.publish(zones, Zone("soho", 1), at=10)
    t.publish(zones, Zone("soho", 2), at=20)
    t.publish("rides", *(ride(time) for time in (5, 15, 20, 25)))
    with t:
        assert t.read("out") == [["r15", 1], ["r20", 2], ["r25", 2]]


def test_a_record_without_a_row_is_dropped_by_join_and_kept_by_left_join():
    app, rides, zones = with_zones()
    rides.join(zones, name="inner").map(lambda ride, zone: ride.id, name="a").to("inner")
    rides.left_join(zones, name="left").map(lambda ride, zone: [ride.id, zone and zone.base], name="b").to("left")
    with app.test() as t:
        t.put(zones, Zone("soho", 1))
        t.send("rides", ride(1), ride(2, zone="camden"))
        t.put(zones, None, key="soho")
        t.send("rides", ride(3))
        assert t.read("inner") == ["r1"]
        assert t.read("left") == [["r1", 1], ["r2", None], ["r3", None]]


def test_a_join_on_a_field_brings_the_records_to_where_the_rows_are():
    app = App("app")
    rides = app.topic("rides", Ride, key="id", time="time")
    zones = app.table("zones", Zone, key="id")
    rides.join(zones, on="zone").map(lambda ride, zone: [ride.id, zone.base], name="pair").to("out")
    with app.test(partitions=3) as t:
        t.put(zones, Zone("soho", 1), Zone("camden", 2))
        t.send("rides", ride(1), ride(2, zone="camden"))
        assert sorted(t.read("out")) == [["r1", 1], ["r2", 2]]


def test_two_records_meet_when_their_times_are_at_most_within_apart_in_whatever_order_they_come():
    app, rides, cars = two_streams()
    rides.join(cars, within=10).map(ids).to("out")
    with app.test() as t:
        t.send("cars", ride(20, id="c20"))
        t.send("rides", ride(10), ride(30), ride(31))
        t.send("cars", ride(25, id="c25"), ride(25, zone="camden", id="other"))
        assert [(each.value, each.time) for each in t.records("out")] == [
            (["r10", "c20"], 20), (["r30", "c20"], 30), (["r30", "c25"], 30), (["r31", "c25"], 31),
        ]  # fmt: skip


def test_an_unmatched_record_goes_on_alone_once_it_can_meet_none_and_never_before():
    app, rides, cars = two_streams()
    rides.outer_join(cars, within=10, grace=5).map(ids).to("out")
    with app.test() as t:
        t.send("rides", ride(0))
        t.send("cars", ride(1, id="c1", zone="camden"), ride(15, id="c15"))
        t.send("rides", ride(15, id="r15"))
        assert t.read("out") == [["r15", "c15"]]
        t.send("rides", ride(16, zone="ham"))
        t.send("cars", ride(16, zone="ely"))
        assert t.read("out") == [["r0", None]]
        t.send("rides", ride(17, zone="ham"))
        t.send("cars", ride(17, zone="ely"))
        assert t.read("out") == [[None, "c1"]]


def test_a_record_further_behind_its_topic_than_grace_is_late_and_meets_nothing():
    app, rides, cars = two_streams()
    joined = rides.join(cars, within=10, grace=5)
    joined.map(ids).to("out")
    late_left, late_right = joined.late()
    late_left.to("late-left")
    late_right.to("late-right")
    with app.test() as t:
        t.send("cars", ride(5, id="c5"))
        t.send("rides", ride(10), ride(5, id="in time"), ride(4, id="late"))
        t.send("cars", ride(20, id="c20"), ride(14, id="late car"))
        assert sorted(t.read("out")) == [["in time", "c5"], ["r10", "c20"], ["r10", "c5"]]
        assert [each.id for each in t.read("late-left")] == ["late"]
        assert [each.id for each in t.read("late-right")] == ["late car"]


def test_a_stream_may_be_joined_with_itself():
    app = App("app")
    rides = app.topic("rides", Ride, key="zone", time="time")
    rides.join(rides, within=1).map(ids).to("out")
    with app.test() as t:
        t.send("rides", ride(1), ride(2))
        assert sorted(t.read("out")) == [["r1", "r1"], ["r1", "r2"], ["r2", "r1"], ["r2", "r2"]]


def test_what_cannot_be_joined_is_refused_with_the_reason():
    app, rides, cars = two_streams()
    with pytest.raises(BadTopology, match="needs within="):
        rides.join(cars, within=None)  # type: ignore[call-overload]
    with pytest.raises(BadTopology, match="takes no within"):
        rides.join(app.table("zones", Zone, key="id"), within=5)  # type: ignore[call-overload]
    with pytest.raises(BadTopology, match="different types"):
        rides.join(cars.key_by("fare"), within=5)
    with pytest.raises(BadTopology, match="type has to be known"):
        rides.map(lambda ride: ride, name="same").join(cars, within=5)
