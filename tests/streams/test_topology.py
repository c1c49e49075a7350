"""The topology as data: what it is cut into, which topics it needs, and what cannot run."""

from __future__ import annotations

import pytest

from drave.streams import App, BadTopology, count, tumbling
from drave.streams.errors import StreamsError
from tests.streams.rides import Ride, Zone, rides_app


def test_a_repartition_topic_cuts_it_and_what_shares_a_topic_hangs_together():
    app, rides = rides_app()
    zones = app.table("zones", Zone, key="id")
    rides.filter(lambda ride: ride.fare > 0, name="paid").group_by("id").count().to("counts")
    rides.join(zones).map(lambda ride, zone: ride, name="ride", type=Ride).to("out")
    assert [sub.name for sub in app.topology().subs] == ["rides+zones", "app-paid-by-id-repartition"]


def test_an_app_without_steps_says_how_to_begin():
    with pytest.raises(BadTopology, match=r"no steps yet; begin with app\.topic"):
        App("app").topology()


@pytest.mark.parametrize("name", ["", "a b", "x" * 151, "ä"])
def test_a_name_that_no_topic_could_begin_with_is_refused(name: str):
    with pytest.raises(BadTopology, match="cannot be an app's name"):
        App(name)


def test_a_guarantee_that_there_is_not_is_refused():
    with pytest.raises(BadTopology, match="exactly_once or at_least_once, not 'maybe'"):
        App("app", guarantee="maybe")


def test_a_topic_is_read_once():
    app, _ = rides_app()
    with pytest.raises(BadTopology, match="the topic rides is read twice; keep what"):
        app.topic("rides", Ride)


def test_joined_topics_need_equally_many_partitions():
    app, rides = rides_app()
    rides.join(app.table("zones", Zone, key="id")).map(lambda ride, zone: ride, name="ride", type=Ride).to("out")
    topology = app.topology()
    with pytest.raises(BadTopology, match="equally many partitions: rides has 3, zones has 2"):
        topology.partitions({"rides": 3, "zones": 2})


def test_a_topic_that_is_not_there_is_named():
    app, rides = rides_app()
    rides.to("out")
    with pytest.raises(BadTopology, match="the topic rides does not exist"):
        app.topology().partitions({})


def test_the_app_s_own_topics_have_the_partitions_of_what_they_belong_to():
    app, rides = rides_app()
    rides.group_by("id").window(tumbling("1m")).agg(n=count(), name="per-minute").final().to("out")
    made = {topic.name: topic.partitions for topic in app.topology().new_topics({"rides": 4, "out": 1}, app.on_error)}
    assert made == {"app-rides-by-id-repartition": 4, "app-per-minute-changelog": 4}


def test_a_stream_that_is_no_topic_cannot_be_written_to():
    _, rides = rides_app()
    with pytest.raises(BadTopology, match="is no topic"):
        rides.to(rides.filter(bool, name="some"))


def test_a_topic_may_be_written_to_by_what_app_topic_returned():
    app, rides = rides_app()
    more = app.topic("more", Ride, key="zone", time="time")
    rides.to(more)
    with app.test() as t:
        with pytest.raises(StreamsError, match="it has rides, more"):
            t.send("nowhere", None)
        t.send("rides", Ride("r1", "soho", 1, 5))
        assert [each.id for each in t.read(more)] == ["r1"]


@pytest.mark.parametrize("span", ["", "5 parsecs", "1h 30", "-5s"])
def test_a_span_of_time_that_is_none_says_how_to_write_one(span: str):
    with pytest.raises(BadTopology, match="write 500ms, 30s, 5m"):
        tumbling(span)
