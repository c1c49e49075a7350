"""A cluster's client may hand over records that were taken already; they are not processed again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from drave.streams import App, count, tumbling
from drave.streams.engine import Engine


class Ping(msgspec.Struct):
    key: str
    at: int


def counting(inputs: int) -> tuple[App, list[Any]]:
    """An app whose tasks have so many inputs."""
    app = App("counting")
    topics = [app.topic(f"pings-{number}", Ping, key="key", time="at") for number in range(inputs)]
    first, *others = topics
    merged = first.merge(*others, name="pings") if others else first
    merged.by_key().window(tumbling("1m")).agg(pings=count()).changes().to("counts")
    return app, topics


def begin_anew(engine: Engine) -> None:
    """As librdkafka may, when it learns late where a place begins."""
    transport: Any = engine._transport
    for place in transport._positions:
        transport._positions[place] = 0


@pytest.mark.parametrize("inputs", [1, 2], ids=["one input", "two inputs"])
def test_records_that_come_again_are_processed_once(inputs: int) -> None:
    app, topics = counting(inputs)
    with app.test() as t:
        for number in range(3):
            for topic in topics:
                t.send(topic, Ping("k", number))
        seen = [each.value.pings for each in t.read("counts")]
        assert seen == list(range(1, 3 * inputs + 1))
        begin_anew(t.engine)
        t.run()
        assert t.read("counts") == []
        for topic in topics:
            t.send(topic, Ping("k", 4))
        assert [each.value.pings for each in t.read("counts")] == [len(seen) + 1 + number for number in range(inputs)]


def test_what_is_new_behind_what_came_again_is_processed() -> None:
    app, (pings,) = counting(1)
    with app.test() as t:
        t.send(pings, Ping("k", 1), Ping("k", 2))
        begin_anew(t.engine)
        t.send(pings, Ping("k", 3))
        assert [each.value.pings for each in t.read("counts")] == [1, 2, 3]
