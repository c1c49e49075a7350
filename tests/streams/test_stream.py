"""One record at a time: what each step makes of it, and what it is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec
import pytest

from drave.streams import App, BadTopology, count, tumbling
from tests.streams.rides import Ride, ride, rides_app


def test_a_map_that_gives_none_drops_the_record_and_keeps_key_and_time_of_the_others():
    app, rides = rides_app()

    def fares(ride: Ride) -> int | None:
        return ride.fare if ride.fare > 1 else None

    rides.map(fares).to("out")
    with app.test() as t:
        t.send("rides", ride(5, fare=1), ride(6, fare=2))
        assert [(each.key, each.value, each.time) for each in t.records("out")] == [("soho", 2, 6)]


def test_a_flat_map_gives_any_number_of_values_in_their_order():
    app, rides = rides_app()

    def each(ride: Ride) -> Iterator[int]:
        yield from range(ride.fare)

    rides.flat_map(each).to("out")
    with app.test() as t:
        t.send("rides", ride(1, fare=3), ride(2, fare=0))
        assert t.read("out") == [0, 1, 2]


def test_a_branch_sends_each_record_to_one_of_two_streams_and_a_merge_brings_them_together():
    app, rides = rides_app()
    dear, cheap = rides.branch(lambda ride: ride.fare > 5, name="dear")
    dear.to("dear")
    cheap.to("cheap")
    dear.merge(cheap, name="all").to("all")
    with app.test() as t:
        t.send("rides", ride(1, fare=9), ride(2, fare=1))
        assert [each.fare for each in t.read("dear")] == [9]
        assert [each.fare for each in t.read("cheap")] == [1]
        assert [each.fare for each in t.read("all")] == [9, 1]


def test_peek_sees_what_filter_lets_through_and_changes_nothing():
    app, rides = rides_app()
    seen: list[str] = []
    rides.filter(lambda ride: ride.zone == "soho", name="soho").peek(lambda ride: seen.append(ride.id), name="see").to(
        "out"
    )
    with app.test() as t:
        t.send("rides", ride(1), ride(2, zone="camden"))
        assert seen == [each.id for each in t.read("out")] == ["r1"]


def test_the_decorator_makes_a_step_that_writes_to_a_topic_with_a_field_as_its_key():
    app, rides = rides_app()

    @app.stream(rides, to="out", key="id")
    def doubled(ride: Ride) -> Ride:
        return msgspec.structs.replace(ride, fare=ride.fare * 2)

    with app.test() as t:
        t.send("rides", ride(1, fare=2))
        assert [(each.key, each.value.fare) for each in t.records("out")] == [("r1", 4)]


def test_a_topic_that_is_keyed_by_a_field_is_grouped_by_it_where_it_lies():
    app, rides = rides_app()
    rides.group_by("zone").count()
    assert not app.topology().upstream


def test_a_group_by_another_field_goes_through_a_topic_of_its_own_and_drops_records_without_that_key():
    class Trip(msgspec.Struct):
        driver: str | None

    app = App("app")
    app.topic("trips", Trip).group_by("driver", key_type=str).count().changes().to("out")
    with app.test(partitions=3) as t:
        t.send("trips", *(Trip(driver) for driver in ("ann", None, "bob", "ann")))
        assert {each.key: each.value for each in t.records("out")} == {"ann": 2, "bob": 1}


def test_the_same_field_asked_for_twice_is_one_topic():
    app, rides = rides_app()
    assert rides.key_by("id") is rides.key_by("id")
    assert list(app.topology().upstream) == ["app-rides-by-id-repartition"]


def test_a_step_that_is_added_renames_no_topic_and_no_state():
    def build(more: bool) -> set[str]:
        app, rides = rides_app()
        if more:
            rides = rides.filter(lambda ride: ride.fare > 0, name="paid").peek(print, name="show")
        rides.group_by("id", name="by-id").window(tumbling("1m")).agg(n=count(), name="per-minute").final().to("out")
        return {*app.topology().own_topics, *app.topology().upstream}

    assert build(more=True) == build(more=False)


@pytest.mark.parametrize("verb", ["filter", "peek", "branch", "flat_map"])
def test_a_coroutine_is_refused_where_nobody_would_await_it(verb: str):
    async def ask(ride: Ride) -> bool:
        return True

    _, rides = rides_app()
    with pytest.raises(BadTopology, match="takes no coroutine; await in map"):
        getattr(rides, verb)(ask)


def test_a_field_that_does_not_exist_is_named_with_those_that_do():
    _, rides = rides_app()
    with pytest.raises(BadTopology, match="Ride has no field 'zones'; it has id, zone, fare, time"):
        rides.group_by("zones")


def test_two_steps_of_one_name_are_refused():
    _, rides = rides_app()
    rides.filter(bool, name="twice")
    with pytest.raises(BadTopology, match="two steps are named 'twice'"):
        rides.filter(bool, name="twice")


def test_event_time_may_be_a_datetime_with_its_zone_or_text():
    @dataclass
    class Seen:
        at: datetime

    app = App("app")
    app.topic("seen", Seen, time="at").to("out")
    with app.test() as t:
        t.cluster.append("seen", b"k", b'{"at": "1970-01-01T00:00:01+00:00"}', 77)
        t.run()
        assert [each.time for each in t.records("out")] == [1000]


def test_a_dataclass_a_dict_and_a_pydantic_model_are_values_like_a_struct():
    import pydantic

    class Model(pydantic.BaseModel):
        zone: str
        fare: int

    @dataclass
    class Data:
        zone: str
        fare: int

    for kind in (Model, Data, dict):
        app = App("app")
        stream = app.topic("in", kind)
        stream.group_by("zone").window(tumbling(10)).agg(last=count()).final().to("out")
        with app.test() as t:
            t.send("in", kind(zone="soho", fare=3), at=5)
            t.advance("1m")
            assert [each.value.last for each in t.read("out")] == [1]
