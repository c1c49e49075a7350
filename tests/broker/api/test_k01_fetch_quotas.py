"""Fetches of a client with a consumer_byte_rate: what is over it is not sent, and nothing of it is missed."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drave.catalog import Topic
from tests.broker.api.fetching import BY_ID, BY_NAME, ask, bases, fetch, only, part, partitions, seen, send
from tests.broker.still import StillBroker

VALUE = b"x" * 400
"""Two of these fit into what a rate of 100 gives at once."""


def limit(still: StillBroker, rate: float | None, client_id: str = "test") -> None:
    altering = still.broker.catalog.alter_client_quotas({(("client-id", client_id),): {"consumer_byte_rate": rate}})
    asyncio.run(altering)  # a catalog in memory never waits


@pytest.fixture
def topic(still: StillBroker) -> Topic:
    """Batches at 0 to 9."""
    topic = still.create("limited")
    for _ in range(10):
        still.append(topic, VALUE)
    return topic


def test_who_is_within_the_rate_reads_as_if_there_were_none(still: StillBroker, topic: Topic) -> None:
    limit(still, 1e6)
    response = ask(still, fetch((topic, [part(0, 0)])))
    assert (response.throttle_time_ms, seen(response)) == (0, [(0, list(range(10)))])


def test_no_more_is_sent_at_once_than_the_rate_gives_to_who_has_just_come(still: StillBroker, topic: Topic) -> None:
    """Ten times the rate, as in Kafka; what is over it would have to wait in any case."""
    limit(still, 110)
    response = ask(still, fetch((topic, [part(0, 0)])))
    assert (response.throttle_time_ms, seen(response)) == (0, [(0, [0, 1])])


@pytest.mark.parametrize("version", [BY_NAME, BY_ID])
def test_who_is_over_the_rate_is_sent_nothing_and_told_to_wait(still: StillBroker, topic: Topic, version: int) -> None:
    limit(still, 110)
    wanted = fetch((topic, [part(0, 0)]), by_id=version == BY_ID)
    ask(still, wanted, version)
    response = ask(still, wanted, version)
    assert response.throttle_time_ms > 0
    assert (response.error_code, response.responses) == (0, [])
    still.advance(12_000)
    assert seen(ask(still, wanted, version)) == [(0, [0, 1])]


def test_a_batch_larger_than_the_rate_gives_at_once_is_read_and_waited_for(still: StillBroker, topic: Topic) -> None:
    """Kafka never sends it."""
    limit(still, 10)
    response = ask(still, fetch((topic, [part(0, 0)])))
    assert bases(only(response)) == [0]
    assert response.throttle_time_ms == pytest.approx((len(VALUE) + 150) / 10 * 1000 - 10_000, abs=3000)
    assert ask(still, fetch((topic, [part(0, 1)]))).responses == []
    still.advance(response.throttle_time_ms)
    assert bases(only(ask(still, fetch((topic, [part(0, 1)]))))) == [1]


def test_other_clients_have_all_they_ask_for(still: StillBroker, topic: Topic) -> None:
    limit(still, 10, client_id="another")
    response = ask(still, fetch((topic, [part(0, 0)])))
    assert (response.throttle_time_ms, seen(response)) == (0, [(0, list(range(10)))])


def test_a_session_goes_on_after_an_answer_that_was_empty_and_nothing_is_missed(
    still: StillBroker, topic: Topic
) -> None:
    limit(still, 110)
    begun = ask(still, fetch((topic, [part(0, 0)]), epoch=0))
    assert seen(begun) == [(0, [0, 1])]
    over = ask(still, fetch((topic, [part(0, 2)]), session=begun.session_id, epoch=1))
    assert (over.session_id, over.responses, over.throttle_time_ms > 0) == (begun.session_id, [], True)
    still.advance(12_000)
    again = ask(still, fetch(session=begun.session_id, epoch=2))
    assert seen(again) == [(0, [2, 3])]


def test_a_session_does_not_begin_with_an_answer_that_is_empty(still: StillBroker, topic: Topic) -> None:
    """As in Kafka: the client begins anew."""
    limit(still, 110)
    ask(still, fetch((topic, [part(0, 0)])))
    over = ask(still, fetch((topic, [part(0, 0)]), epoch=0))
    assert (over.session_id, over.responses) == (0, [])
    still.advance(12_000)
    assert ask(still, fetch((topic, [part(0, 0)]), epoch=0)).session_id != 0


def test_a_watermark_that_was_not_told_is_told_later(still: StillBroker, topic: Topic) -> None:
    """Of a partition that has no records for the client: nothing else would tell it."""
    quiet = still.create("quiet")
    still.append(quiet, VALUE)
    limit(still, 110)
    begun = ask(still, fetch((topic, [part(0, 0)]), epoch=0))
    over = ask(still, fetch((topic, [part(0, 2)]), (quiet, [part(0, 1)]), session=begun.session_id, epoch=1))
    assert over.responses == []
    still.advance(12_000)
    told = ask(still, fetch(session=begun.session_id, epoch=2))
    watermarks = {each.topic: each.partitions[0].high_watermark for each in told.responses}
    assert watermarks == {"limited": 10, "quiet": 1}


def test_a_fetch_that_waits_is_woken_and_answered_empty_when_it_is_over_the_rate(still: StillBroker) -> None:
    topic = still.create("waited-for")
    limit(still, 50)
    begun = ask(still, fetch((topic, [part(0, 0)]), epoch=0))
    still.append(topic, VALUE)
    assert seen(ask(still, fetch(session=begun.session_id, epoch=1))) == [(0, [0])]
    call = send(still, fetch((topic, [part(0, 1)]), session=begun.session_id, epoch=2, wait_ms=5000))
    assert not call.is_answered
    still.append(topic, VALUE)
    still.run()
    assert (call.response.responses, call.response.throttle_time_ms > 0) == ([], True)
    still.advance(call.response.throttle_time_ms + 12_000)
    assert seen(ask(still, fetch(session=begun.session_id, epoch=3))) == [(0, [1])]
    assert still.scheduler.timers == 0


@settings(max_examples=30)
@given(rate=st.integers(5, 2000), sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=12))
def test_whoever_waits_as_told_reads_everything_in_its_time(rate: int, sizes: list[int]) -> None:
    """However small the rate and large the batches; and no more quickly than the rate allows, but for one go."""
    still = StillBroker()
    topic = still.create("limited")
    for size in sizes:
        still.append(topic, b"x" * size)
    limit(still, rate)
    session, epoch, offset, started_ms = 0, 0, 0, still.clock.now_ms
    while offset < len(sizes):
        response = ask(still, fetch((topic, [part(0, offset)]), session=session, epoch=epoch))
        if response.session_id != session:
            session, epoch = response.session_id, 0
        epoch = epoch + 1 if session else 0
        offset += sum(len(bases(data)) for data in partitions(response))
        elapsed_s = (still.clock.now_ms - started_ms) / 1000
        assert sum(sizes[: offset - 1]) <= rate * (elapsed_s + 22) + 3000
        still.advance(max(response.throttle_time_ms, 1))
