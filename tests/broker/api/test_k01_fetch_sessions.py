"""Fetch sessions (KIP-227): what is heard of, what is left out, and how a session ends.

What is answered is what Apache Kafka 4.3.1 answers, compared request by request; where ours differs, the test says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from drave.catalog import Topic
from drave.model.errors import ErrorCode
from drave.wire.messages.k01_fetch import (
    FetchPartition,
    FetchResponse,
)
from tests.broker.api.fetching import ALL, BY_ID, BY_NAME, ask, fetch, only, part, partitions, seen, send
from tests.broker.still import Call, StillBroker, batch_of


class Consumer:
    """A client with a session."""

    def __init__(self, still: StillBroker, version: int = BY_NAME) -> None:
        self.still = still
        self.version = version
        self.session = 0
        self.epoch = 0

    def send(self, *asked: tuple[Topic, Sequence[FetchPartition]], wait_ms: int = 0, **options: Any) -> Call:
        call = send(
            self.still,
            fetch(
                *asked,
                by_id=self.version >= 13,
                wait_ms=wait_ms,
                session=self.session,
                epoch=self.epoch,
                **options,
            ),
            self.version,
        )
        self.epoch += 1
        return call

    def ask(self, *asked: tuple[Topic, Sequence[FetchPartition]], **options: Any) -> FetchResponse:
        response = self.send(*asked, **options).response
        self.session = response.session_id
        return response


@pytest.fixture(params=[7, BY_NAME, BY_ID])
def consumer(request: pytest.FixtureRequest, still: StillBroker) -> Consumer:
    return Consumer(still, request.param)


def test_a_session_begins_with_all_partitions_and_goes_on_with_those_that_have_news(
    consumer: Consumer, rides: Topic
) -> None:
    first = consumer.ask((rides, ALL))
    assert first.session_id != 0
    assert [index for index, _ in seen(first)] == [0, 1, 2]
    again = consumer.ask()
    assert again.session_id == first.session_id
    assert seen(again) == [(0, [0, 3, 5, 9]), (1, [0, 2])], "what was not read comes again"
    assert seen(consumer.ask((rides, [part(0, 10), part(1, 4)]))) == []
    consumer.still.append(rides, b"new", partition=2)
    assert seen(consumer.ask()) == [(2, [0])]
    assert seen(consumer.ask((rides, [part(2, 1)]))) == []


def test_an_idle_session_waits_and_is_woken_by_any_of_its_partitions(consumer: Consumer, rides: Topic) -> None:
    consumer.ask((rides, [part(0, 10), part(1, 4), part(2, 0)]))
    call = consumer.send(wait_ms=500)
    assert not call.is_answered
    consumer.still.append(rides, b"new", partition=1)
    assert seen(call.response) == [(1, [4])]


def test_a_session_that_waits_for_more_hears_of_more_in_the_same_partition(consumer: Consumer, rides: Topic) -> None:
    consumer.ask((rides, [part(0, 10), part(1, 4)]))
    consumer.still.append(rides, b"some")
    call = consumer.send(wait_ms=500, bytes_min=3 * len(batch_of(b"some")))
    for _ in range(2):
        assert not call.is_answered
        consumer.still.append(rides, b"more")
    assert seen(call.response) == [(0, [10, 11, 12])]


def test_a_new_log_start_is_news_which_do_not_end_the_wait(consumer: Consumer, rides: Topic) -> None:
    """It was lost when the fetch was tried again before it was answered."""
    still = consumer.still
    consumer.ask((rides, [part(0, 10), part(2, 0)]))
    consumer.ask()
    call = consumer.send(wait_ms=500)
    still.log(rides).move_start(3)
    still.commit()
    assert not call.is_answered
    still.append(rides, b"new", partition=2)
    assert [(data.partition_index, data.log_start_offset) for data in partitions(call.response)] == [(0, 3), (2, 0)]
    assert seen(consumer.ask((rides, [part(2, 1)]))) == [], "it is told once"


def test_an_error_is_told_until_it_is_over(consumer: Consumer, rides: Topic) -> None:
    consumer.ask((rides, [part(0, 10), part(1, 4)]))
    for asked in ([(rides, [part(0, 99)])], []):
        assert only(consumer.ask(*asked, wait_ms=500)).error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    data = only(consumer.ask((rides, [part(0, 10)])))
    assert (data.error_code, data.high_watermark) == (0, 10)
    assert seen(consumer.ask()) == []


def test_a_forgotten_partition_is_not_heard_of_again(consumer: Consumer, rides: Topic) -> None:
    consumer.ask((rides, ALL))
    assert seen(consumer.ask(forget=[(rides, [0, 55])])) == [(1, [0, 2])]
    assert seen(consumer.ask((rides, [part(0, 9)]))) == [(1, [0, 2]), (0, [9])], "until it is asked for again"
    assert seen(consumer.ask((rides, [part(0, 5)]), forget=[(rides, [0])])) == [(1, [0, 2])], "forgetting comes last"


def test_a_session_whose_last_partition_is_forgotten_is_over(consumer: Consumer, rides: Topic) -> None:
    still = consumer.still
    session = consumer.ask((rides, [part(0, 10)])).session_id
    response = consumer.send(wait_ms=500, forget=[(rides, [0])]).response
    assert (response.error_code, response.session_id) == (0, 0)
    assert consumer.ask().error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert session
    assert not still.broker.fetches._watching


def test_a_session_is_asked_in_order(consumer: Consumer, rides: Topic) -> None:
    session = consumer.ask((rides, [part(0, 10)])).session_id
    consumer.ask()
    for epoch in (1, 3, 9):
        consumer.epoch = epoch
        answer = consumer.send().response
        assert (answer.error_code, answer.session_id) == (ErrorCode.INVALID_FETCH_SESSION_EPOCH, 0)
    consumer.epoch = 2
    assert consumer.ask().session_id == session, "a wrong one does no harm"


@pytest.mark.parametrize(("session", "epoch"), [(12345, 1), (0, 1), (-5, 1), (0, -5)])
def test_an_unknown_session_is_not_found(still: StillBroker, rides: Topic, session: int, epoch: int) -> None:
    answer = ask(still, fetch((rides, ALL), session=session, epoch=epoch))
    assert (answer.error_code, answer.session_id) == (ErrorCode.FETCH_SESSION_ID_NOT_FOUND, 0)
    assert answer.responses == []


def test_a_session_can_be_ended_or_begun_anew(consumer: Consumer, rides: Topic) -> None:
    old = consumer.ask((rides, [part(0, 10)])).session_id
    consumer.epoch = 0
    new = consumer.ask((rides, [part(1, 2)])).session_id
    assert new not in (0, old)
    consumer.epoch = -1
    last = consumer.ask((rides, [part(1, 0)]))
    assert (last.session_id, seen(last)) == (0, [(1, [0, 2])]), "the last fetch is a full one"
    for gone in (old, new):
        consumer.session, consumer.epoch = gone, 1
        assert consumer.ask().error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert not consumer.still.broker.fetches._watching


def test_a_session_of_names_is_none_of_ids(still: StillBroker, rides: Topic) -> None:
    for version, other in ((BY_NAME, 13), (13, BY_NAME)):
        consumer = Consumer(still, version)
        session = consumer.ask((rides, [part(0, 10)])).session_id
        consumer.version = other
        answer = consumer.send().response
        assert (answer.error_code, answer.session_id) == (ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR, 0)
        consumer.version, consumer.epoch = version, 1
        assert consumer.ask().session_id == session


def test_a_busy_partition_does_not_starve_its_neighbours(consumer: Consumer, rides: Topic) -> None:
    """KIP-227: who was served goes to the end of the line."""
    topic = consumer.still.create("busy", partitions=4)
    for index in (0, 1, 2, 3) * 3:
        consumer.still.append(topic, bytes(300), partition=index)
    consumer.ask((topic, [part(index, 0) for index in range(4)]), bytes_max=700)
    served = [seen(consumer.ask(bytes_max=700)) for _ in range(8)]
    assert [index for ((index, _),) in served] == [1, 2, 3, 0, 1, 2, 3, 0]


def test_a_topic_made_anew_is_found_by_name_and_not_by_its_old_id(still: StillBroker, rides: Topic) -> None:
    named, by_id = Consumer(still, BY_NAME), Consumer(still, BY_ID)
    for consumer in (named, by_id):
        consumer.ask((rides, [part(0, 10)]))
    still.delete(rides)
    assert only(named.ask()).error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert only(by_id.ask()).error_code == ErrorCode.UNKNOWN_TOPIC_ID
    rides = still.create("rides")
    assert only(named.ask()).error_code == ErrorCode.OFFSET_OUT_OF_RANGE, "its offset is the old topic's"
    assert seen(named.ask((rides, [part(0, 0)]))) == [(0, [])]
    assert only(by_id.ask()).error_code == ErrorCode.UNKNOWN_TOPIC_ID


def test_a_second_fetch_of_a_session_ends_the_wait_of_the_first(consumer: Consumer, rides: Topic) -> None:
    consumer.ask((rides, [part(0, 10)]))
    first = consumer.send(wait_ms=500)
    second = consumer.send(wait_ms=500)
    assert first.is_answered
    assert not second.is_answered
    consumer.still.advance(500)
    assert second.is_answered
