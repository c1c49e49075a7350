"""Tables: the newest value of each key, what is made of them, and how long rows live."""

from __future__ import annotations

from drave.streams import App, agg, count
from tests.streams.rides import Ride, Zone, ride, rides_app


def test_a_table_keeps_the_newest_value_and_a_record_without_one_deletes():
    app = App("app")
    zones = app.table("zones", Zone, key="id")
    zones.changes().map(lambda zone: zone.base, name="base").to("changes")
    zones.to("copy")
    with app.test() as t:
        t.put(zones, Zone("soho", 1), Zone("soho", 2))
        t.put(zones, None, key="soho")
        assert t.read("changes") == [1, 2]
        assert [(each.key, each.value and each.value.base) for each in t.records("copy")] == [
            ("soho", 1), ("soho", 2), ("soho", None),
        ]  # fmt: skip


def test_mapped_and_filtered_tables_are_tables_and_a_row_that_drops_out_is_gone():
    app = App("app")
    zones = app.table("zones", Zone, key="id")
    dear = zones.filter(lambda zone: zone.base > 5, name="dear").map(lambda zone: zone.base, name="base", type=int)
    dear.to("dear")
    rides = app.topic("rides", Ride, key="zone", time="time")
    rides.left_join(dear).map(lambda ride, base: [ride.id, base], name="pair").to("out")
    with app.test() as t:
        t.put(zones, Zone("soho", 9))
        t.send("rides", ride(1))
        t.put(zones, Zone("soho", 3))
        t.send("rides", ride(2))
        assert [each.value for each in t.records("dear")] == [9, None]
        assert t.read("out") == [["r1", 9], ["r2", None]]


def test_two_tables_join_to_one_that_changes_with_either():
    app = App("app")
    zones, more = app.table("zones", Zone, key="id"), app.table("more", Zone, key="id")
    zones.join(more, name="inner").map(lambda one, other: one.base + other.base, name="sum", type=int).to("inner")
    zones.outer_join(more, name="outer").map(
        lambda one, other: [one and one.base, other and other.base], name="both", type=list
    ).to("outer")
    with app.test() as t:
        t.put(zones, Zone("soho", 1))
        t.put(more, Zone("soho", 10))
        t.put(zones, Zone("soho", 2))
        t.put(zones, None, key="soho")
        assert [each.value for each in t.records("inner")] == [None, 11, 12, None]
        assert [each.value for each in t.records("outer")] == [[1, None], [1, 10], [2, 10], [None, 10]]


def test_an_aggregate_is_a_table_that_streams_join():
    app, rides = rides_app()
    totals = rides.by_key().agg(n=count(), fare=agg.sum("fare"))
    app.topic("asks", Zone, key="id").join(totals).map(lambda ask, total: [total.n, total.fare], name="answer").to(
        "out"
    )
    with app.test() as t:
        t.send("rides", ride(1, fare=2), ride(2, fare=3))
        t.send("asks", Zone("soho", 0), at=5)
        assert t.read("out") == [[2, 5]]


def test_a_row_that_nobody_touches_for_its_ttl_is_forgotten_also_after_the_state_is_lost():
    app, rides = rides_app()
    rides.by_key().count(ttl=100).to("counts")
    with app.test() as t:
        t.send("rides", ride(0), ride(10, zone="camden"), ride(90))
        t.crash()
        t.lose_state()
        t.recover()
        t.read("counts")
        t.send("rides", ride(150))
        assert [(each.key, each.value) for each in t.records("counts")] == [("camden", None), ("soho", 3)]
        t.send("rides", ride(151, zone="camden"))
        assert t.read("counts") == [1]


def test_rows_of_a_topic_expire_and_stay_away_when_they_are_restored():
    app = App("app")
    zones = app.table("zones", Zone, key="id", ttl=100)
    zones.to("copy")
    with app.test() as t:
        t.publish(zones, Zone("old", 1), at=0)
        t.publish(zones, Zone("new", 2), at=200)
        t.run()
        assert [(each.key, each.value is None) for each in t.records("copy")] == [
            ("old", False), ("old", True), ("new", False),
        ]  # fmt: skip
        t.crash()
        t.lose_state()
        t.recover()
        (task,) = t.engine.tasks.values()
        assert [key for key, _ in task.stores[0].items()] == ["new"]
