"""Fetch: how a long poll waits, and what ends the wait.

What is answered is what Apache Kafka 4.3.1 answers, compared request by request; where ours differs, the test says why.
"""

from __future__ import annotations

import pytest

from drave.catalog import Topic
from drave.model.errors import ErrorCode
from tests.broker.api.fetching import ALL, bases, fetch, only, part, partitions, seen, send, sizes
from tests.broker.still import StillBroker, batch_of


def test_a_fetch_at_the_end_waits_until_something_comes(still: StillBroker, rides: Topic) -> None:
    call = send(still, fetch((rides, [part(0, 10)]), wait_ms=60_000))
    still.advance(59_999)
    assert not call.is_answered
    still.append(rides, b"new")
    assert bases(only(call.response)) == [10]
    assert still.scheduler.timers == 0


def test_a_fetch_at_the_end_waits_no_longer_than_it_asked(still: StillBroker, rides: Topic) -> None:
    call = send(still, fetch((rides, [part(0, 10)]), wait_ms=500))
    still.advance(499)
    assert not call.is_answered
    still.advance(1)
    assert seen(call.response) == [(0, [])]
    assert only(call.response).high_watermark == 10


@pytest.mark.parametrize(("wait_ms", "bytes_min"), [(0, 1), (-1, 1), (500, 0), (500, -1)])
def test_a_fetch_that_does_not_ask_to_wait_is_answered_at_once(
    still: StillBroker, rides: Topic, wait_ms: int, bytes_min: int
) -> None:
    assert send(still, fetch((rides, [part(0, 10)]), wait_ms=wait_ms, bytes_min=bytes_min)).is_answered


def test_a_fetch_waits_for_as_many_bytes_as_it_asked_for(still: StillBroker, rides: Topic) -> None:
    batch = len(batch_of(b"x" * 100))
    call = send(still, fetch((rides, [part(0, 10), part(1, 4)]), wait_ms=500, bytes_min=3 * batch))
    still.append(rides, b"x" * 100)
    still.append(rides, b"x" * 100, partition=1)
    assert not call.is_answered
    still.append(rides, b"x" * 100, partition=1)
    assert seen(call.response) == [(0, [10]), (1, [4, 5])]


def test_a_fetch_whose_time_is_over_gets_what_there_is(still: StillBroker, rides: Topic) -> None:
    call = send(still, fetch((rides, [part(0, 0)]), wait_ms=500, bytes_min=100_000))
    assert not call.is_answered
    still.advance(500)
    assert seen(call.response) == [(0, [0, 3, 5, 9])]


@pytest.mark.parametrize("bound", ["partition", "fetch"])
def test_a_fetch_that_can_get_no_more_does_not_wait_for_more(still: StillBroker, rides: Topic, bound: str) -> None:
    """Whole batches seldom fill a bound exactly: `min_bytes` near it must not cost the whole wait."""
    first, second, *_ = sizes(still, rides)
    bytes_max = first + second - 1
    request = (
        fetch((rides, [part(0, 0, bytes_max=bytes_max)]), wait_ms=500, bytes_min=bytes_max)
        if bound == "partition"
        else fetch((rides, [part(0, 0)]), wait_ms=500, bytes_min=bytes_max + 1000, bytes_max=bytes_max)
    )
    assert seen(send(still, request).response) == [(0, [0])]


def test_a_fetch_that_wants_more_than_it_may_get_gets_what_it_may(still: StillBroker, rides: Topic) -> None:
    total = sum(sizes(still, rides))
    call = send(still, fetch((rides, [part(0, 0)]), wait_ms=500, bytes_min=10 * total, bytes_max=total))
    assert seen(call.response) == [(0, [0, 3, 5, 9])]


def test_the_end_of_a_segment_does_not_make_a_fetch_wait(still: StillBroker) -> None:
    topic = still.create("rides", segment_bytes=str(1024 * 1024))
    for _ in range(3):
        still.append(topic, bytes(600_000))
    call = send(still, fetch((topic, [part(0, 0)]), wait_ms=500, bytes_min=700_000))
    assert bases(only(call.response)) == [0]


def test_errors_do_not_wait(still: StillBroker, rides: Topic) -> None:
    for bad in (part(0, 99), part(0, 0, epoch=9)):
        call = send(still, fetch((rides, [part(2, 0), bad]), wait_ms=500))
        assert [bool(data.error_code) for data in partitions(call.response)] == [False, True]


def test_an_unknown_partition_waits_with_its_neighbours_but_not_alone(still: StillBroker, rides: Topic) -> None:
    """As in Kafka: else a client with one deleted topic would ask as fast as it can."""
    call = send(still, fetch((rides, [part(0, 10), part(9, 0)]), wait_ms=500))
    assert not call.is_answered
    still.append(rides, b"new")
    assert [(data.partition_index, data.error_code) for data in partitions(call.response)] == [
        (0, 0),
        (9, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ]
    assert send(still, fetch((rides, [part(9, 0)]), wait_ms=500)).is_answered


def test_a_topic_that_is_deleted_ends_the_wait_for_it(still: StillBroker, rides: Topic) -> None:
    other = still.create("other")
    calls = [
        send(still, fetch((other, [part(0, 0)]), (rides, [part(0, 10)]), wait_ms=500, epoch=epoch)) for epoch in (-1, 0)
    ]
    still.delete(rides)
    still.run()
    for call in calls:
        assert [data.error_code for data in partitions(call.response)] == [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]


def test_a_client_that_goes_leaves_nothing_behind(still: StillBroker, rides: Topic) -> None:
    for epoch in (-1, 0):
        send(still, fetch((rides, [part(0, 10)]), wait_ms=500, epoch=epoch)).hang_up()
    hub = still.broker.fetches
    assert still.scheduler.timers == 0
    assert not hub.parked
    still.append(rides, b"new")
    hub.close(next(iter(hub._sessions.values())))
    assert not hub._watching
    assert still.log(rides).on_advance is None


def test_a_fetch_without_a_session_leaves_nothing_behind(still: StillBroker, rides: Topic) -> None:
    send(still, fetch((rides, ALL), wait_ms=500))
    call = send(still, fetch((rides, [part(0, 10)]), wait_ms=500))
    assert still.broker.fetches._watching
    still.advance(500)
    assert call.is_answered
    assert not still.broker.fetches._watching


def test_when_the_broker_stops_every_long_poll_is_answered(still: StillBroker, rides: Topic) -> None:
    calls = [send(still, fetch((rides, [part(0, 10)]), wait_ms=10**6, epoch=epoch)) for epoch in (-1, 0)]
    still.broker.fetches.end_waits()
    assert all(call.is_answered for call in calls)
