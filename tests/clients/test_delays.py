"""A topic's delay, seen through clients that know nothing of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.clients.adapters import Client, Send

AN_HOUR_MS = 3_600_000


def test_what_is_not_due_is_acknowledged_and_is_not_there_yet(client: Client, name: Callable[[], str]) -> None:
    """Ends, look-ups by time and reads agree: the high watermark stands before it."""
    topic = name()
    client.create(topic, **{"drave.delivery.delay.ms": str(AN_HOUR_MS)})
    long_ago = round(time.time() * 1000) - 2 * AN_HOUR_MS
    due = [Send(b"due %d" % number, timestamp=long_ago + number) for number in range(50)]
    assert client.produce(topic, due) == list(range(50))
    assert client.produce(topic, [Send(b"not due")]) == [50]
    assert client.ends(topic) == (0, 50)
    assert [record.value for record in client.consume(topic, 50)] == [record.value for record in due]
    assert client.offset_for_time(topic, long_ago + 49) == 49
    assert client.offset_for_time(topic, long_ago + AN_HOUR_MS) is None


def test_a_record_comes_when_it_is_due_while_its_reader_waits(client: Client, name: Callable[[], str]) -> None:
    """Never early: it is 300 ms old at least when the client has it."""
    topic = name()
    client.create(topic, **{"drave.delivery.delay.ms": "300", "message.timestamp.type": "LogAppendTime"})
    client.produce(topic, [Send(b"%d" % number) for number in range(10)])
    got = client.consume(topic, 10)
    seen = time.time() * 1000
    assert [record.value for record in got] == [b"%d" % number for number in range(10)]
    assert all(seen >= record.timestamp + 300 for record in got)
