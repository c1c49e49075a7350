"""Repartition topics: what was processed leaves them, and nothing that anybody still needs."""

from __future__ import annotations

from drave.streams import App
from drave.streams.errors import Aborted
from drave.streams.testing import TestDriver
from tests.streams.rides import Ride, ride


def counting() -> App:
    app = App("app")
    app.topic("rides", Ride, key="id", time="time").group_by("zone").count().changes().to("counts")
    return app


def topic_of(t: TestDriver) -> str:
    (found,) = t.topology.upstream
    return found


def test_what_is_committed_goes_every_half_minute():
    with counting().test() as t:
        t.send("rides", ride(1), ride(2))
        place = (topic_of(t), 0)
        assert not t.cluster.purged
        t.advance("31s")
        assert all(message.key() is None for message in t.cluster.log(place)[t.cluster.purged[place] :])
        t.send("rides", ride(3))
        t.crash()
        t.lose_state()
        t.recover()
        t.send("rides", ride(4))
        assert t.read("counts") == [1, 2, 3, 4]


def test_what_is_not_committed_stays():
    def on_call(call: str) -> None:
        if call == "commit" and t.cluster.log(place)[1:]:
            raise Aborted("by the test")

    with counting().test() as t:
        place = (topic_of(t), 0)
        t.publish("rides", ride(1))
        for _ in range(3):
            t.turn()
        t.on_call = on_call
        t.publish("rides", ride(2))
        for _ in range(60):
            t.clock.now_ms += 1000
            t.turn()
        committed = t.cluster.committed[place].offset if place in t.cluster.committed else 0
        assert t.cluster.purged.get(place, 0) <= committed
        t.on_call = lambda call: None
        t.run()
        assert t.read("counts") == [1, 2]
