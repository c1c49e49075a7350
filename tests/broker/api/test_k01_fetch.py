"""Fetch: which batches are sent, what each bound means, and how a fetch waits.

What is answered is what Apache Kafka 4.3.1 answers, compared request by request; where ours differs, the test says why.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from drave import records
from drave.catalog import Topic
from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID
from drave.wire.messages.k01_fetch import (
    EpochEndOffset,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)
from tests.broker.still import Call, StillBroker, batch_of

BY_NAME, BY_ID = 12, 18
VERSIONS = (4, 7, BY_NAME, 13, BY_ID)
READ_COMMITTED = 1
MUCH = 1 << 20


def part(index: int, offset: int, *, bytes_max: int = MUCH, epoch: int = -1, last_epoch: int = -1) -> FetchPartition:
    return FetchPartition(
        partition=index,
        fetch_offset=offset,
        partition_max_bytes=bytes_max,
        current_leader_epoch=epoch,
        last_fetched_epoch=last_epoch,
    )


def fetch(
    *asked: tuple[Topic, Sequence[FetchPartition]],
    by_id: bool = False,
    wait_ms: int = 0,
    bytes_min: int = 1,
    bytes_max: int = 1 << 24,
    isolation: int = 0,
    session: int = 0,
    epoch: int = -1,
    forget: Iterable[tuple[Topic, Sequence[int]]] = (),
) -> FetchRequest:
    return FetchRequest(
        max_wait_ms=wait_ms,
        min_bytes=bytes_min,
        max_bytes=bytes_max,
        isolation_level=isolation,
        session_id=session,
        session_epoch=epoch,
        topics=[
            FetchTopic(topic_id=topic.topic_id, partitions=list(parts))
            if by_id
            else FetchTopic(topic=topic.name, partitions=list(parts))
            for topic, parts in asked
        ],
        forgotten_topics_data=[
            ForgottenTopic(topic_id=topic.topic_id, partitions=list(parts))
            if by_id
            else ForgottenTopic(topic=topic.name, partitions=list(parts))
            for topic, parts in forget
        ],
    )


def send(still: StillBroker, request: FetchRequest, version: int = BY_NAME) -> Call:
    return still.send(request, version)


def ask(still: StillBroker, request: FetchRequest, version: int = BY_NAME) -> FetchResponse:
    """The response to a fetch that need not wait."""
    return still.send(request, version).response


def partitions(response: FetchResponse) -> list[PartitionData]:
    return [data for topic in response.responses for data in topic.partitions]


def bases(data: PartitionData) -> list[int]:
    """The base offsets of the batches, all of which are whole."""
    return [header.base_offset for header, _ in records.split(bytes(data.records or b""))]


def seen(response: FetchResponse) -> list[tuple[int, list[int]]]:
    """Each partition with the base offsets of its batches."""
    return [(data.partition_index, bases(data)) for data in partitions(response)]


def only(response: FetchResponse) -> PartitionData:
    (data,) = partitions(response)
    return data


@pytest.fixture
def rides(still: StillBroker) -> Topic:
    """Three partitions: batches at 0, 3, 5 and 9, of which the third is large; at 0 and 2; none."""
    topic = still.create("rides", partitions=3)
    for values in ([b"a"] * 3, [b"b"] * 2, [b"c" * 100] * 4, [b"d"]):
        still.append(topic, *values)
    for values in ([b"e"] * 2, [b"f" * 500] * 2):
        still.append(topic, *values, partition=1)
    return topic


def sizes(still: StillBroker, topic: Topic, partition: int = 0) -> list[int]:
    return [len(batch) for batch in still.batches(topic, partition)]


ALL = [part(0, 0), part(1, 0), part(2, 0)]


# -- what is sent


@pytest.mark.parametrize("version", VERSIONS)
def test_a_fetch_gives_every_partition_its_batches_and_watermarks(
    still: StillBroker, rides: Topic, version: int
) -> None:
    response = ask(still, fetch((rides, ALL), by_id=version >= 13), version)
    assert (response.error_code, response.session_id) == (0, 0)
    assert seen(response) == [(0, [0, 3, 5, 9]), (1, [0, 2]), (2, [])]
    assert [data.high_watermark for data in partitions(response)] == [10, 4, 0]
    assert [data.last_stable_offset for data in partitions(response)] == [10, 4, 0]
    assert {data.log_start_offset for data in partitions(response)} == {0 if version >= 5 else -1}
    (topic,) = response.responses
    assert (topic.topic, topic.topic_id) == (("rides", ZERO_TOPIC_ID) if version < 13 else ("", rides.topic_id))
    assert all(data.records is not None for data in partitions(response)), "no records are an empty field, not a null"


@pytest.mark.parametrize(("offset", "first"), [(0, 0), (1, 0), (2, 0), (3, 3), (4, 3), (5, 5), (8, 5), (9, 9)])
def test_a_fetch_from_inside_a_batch_begins_with_the_whole_batch(
    still: StillBroker, rides: Topic, offset: int, first: int
) -> None:
    """Clients hang otherwise; they skip what they did not ask for."""
    assert bases(only(ask(still, fetch((rides, [part(0, offset)])))))[0] == first


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("offset", [-1, -5, 11, 2**62])
def test_an_offset_that_is_not_there_is_out_of_range(
    still: StillBroker, rides: Topic, offset: int, version: int
) -> None:
    data = only(ask(still, fetch((rides, [part(0, offset)]), by_id=version >= 13, wait_ms=1000), version))
    assert data.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    assert (data.high_watermark, data.last_stable_offset, data.log_start_offset) == (-1, -1, -1)
    assert bases(data) == []


def test_what_is_not_durable_is_neither_seen_nor_out_of_range(still: StillBroker, rides: Topic) -> None:
    still.log(rides, 2).append(batch_of(), records.parse_header(batch_of()), now_ms=still.clock.now_ms)
    for offset in (0, 1):
        data = only(ask(still, fetch((rides, [part(2, offset)]))))
        assert (data.error_code, data.high_watermark, bases(data)) == (0, 0, [])


@pytest.mark.parametrize(("isolation", "aborted"), [(0, None), (READ_COMMITTED, [])])
@pytest.mark.parametrize("version", [4, BY_ID])
def test_the_list_of_aborted_transactions_is_null_for_who_reads_uncommitted(
    still: StillBroker, rides: Topic, isolation: int, aborted: list[Any] | None, version: int
) -> None:
    request = fetch((rides, [part(0, 0)]), by_id=version >= 13, isolation=isolation)
    data = only(ask(still, request, version))
    assert data.aborted_transactions == aborted
    assert bases(data) == [0, 3, 5, 9]


def test_read_committed_stops_at_the_last_stable_offset(still: StillBroker, rides: Topic) -> None:
    still.log(rides).last_stable = 5
    data = only(ask(still, fetch((rides, [part(0, 0)]), isolation=READ_COMMITTED)))
    assert (bases(data), data.high_watermark, data.last_stable_offset) == ([0, 3], 10, 5)
    assert bases(only(ask(still, fetch((rides, [part(0, 0)]))))) == [0, 3, 5, 9]


def test_a_partition_that_is_named_twice_is_answered_once_as_it_was_named_last(
    still: StillBroker, rides: Topic
) -> None:
    assert seen(ask(still, fetch((rides, [part(0, 0), part(0, 5)])))) == [(0, [5, 9])]


# -- who is not there


@pytest.mark.parametrize("version", [4, BY_NAME])
def test_unknown_topics_and_partitions_are_answered_each_for_itself(
    still: StillBroker, rides: Topic, version: int
) -> None:
    request = fetch((rides, [part(9, 0), part(0, 9), part(-1, 0)]))
    request.topics.append(FetchTopic(topic="nowhere", partitions=[part(0, 0)]))
    answer = ask(still, request, version)
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert [data.error_code for data in partitions(answer)] == [unknown, 0, unknown, unknown]
    assert [topic.topic for topic in answer.responses] == ["rides", "nowhere"]


def test_an_unknown_id_is_another_error_than_an_unknown_partition(still: StillBroker, rides: Topic) -> None:
    request = fetch((rides, [part(9, 0)]), by_id=True)
    request.topics += [FetchTopic(topic_id=each, partitions=[part(0, 0)]) for each in (bytes([7] * 16), ZERO_TOPIC_ID)]
    codes = [data.error_code for data in partitions(ask(still, request, BY_ID))]
    unknown_id = ErrorCode.UNKNOWN_TOPIC_ID
    assert codes == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, unknown_id, unknown_id]


@pytest.mark.parametrize(
    ("epoch", "code"),
    [
        (-1, ErrorCode.NONE),
        (3, ErrorCode.NONE),
        (2, ErrorCode.FENCED_LEADER_EPOCH),
        (4, ErrorCode.UNKNOWN_LEADER_EPOCH),
    ],
)
def test_a_client_with_another_leader_epoch_is_told_to_ask_anew(
    still: StillBroker, rides: Topic, epoch: int, code: ErrorCode
) -> None:
    """KIP-320."""
    still.log(rides).leader_epoch = 3
    assert only(ask(still, fetch((rides, [part(0, 0, epoch=epoch)])))).error_code == code


def test_a_client_whose_last_batch_is_not_in_this_log_is_told_where_they_part(still: StillBroker) -> None:
    """KIP-595: epoch 0 ended at offset 2, epoch 2 began there."""
    topic = still.create("rides")
    log = still.log(topic)
    still.append(topic, b"a", b"b")
    log._epochs.assign(2, 2)
    log.leader_epoch = 2
    still.append(topic, b"c")

    def look(offset: int, last_epoch: int, wait_ms: int = 0) -> PartitionData:
        return only(ask(still, fetch((topic, [part(0, offset, last_epoch=last_epoch)]), wait_ms=wait_ms)))

    assert bases(look(2, 0)) == [2]
    assert bases(look(2, 2)) == [2]
    for offset, last_epoch in ((3, 0), (3, 1)):
        diverged = look(offset, last_epoch, wait_ms=1000)
        assert diverged.diverging_epoch == EpochEndOffset(epoch=0, end_offset=2)
        assert (diverged.error_code, bases(diverged)) == (0, [])
    assert look(3, 2).diverging_epoch is None
    assert look(2, 3).error_code == ErrorCode.OFFSET_OUT_OF_RANGE


# -- bounds


def test_a_partition_gets_no_more_than_its_bytes_in_whole_batches(still: StillBroker, rides: Topic) -> None:
    """Kafka fills the rest with a part of the next batch, which clients drop."""
    first, second, third, fourth = sizes(still, rides)
    for bytes_max, expected in (
        (first, [0]),
        (first + second - 1, [0]),
        (first + second, [0, 3]),
        (first + second + third + fourth, [0, 3, 5, 9]),
    ):
        assert bases(only(ask(still, fetch((rides, [part(0, 0, bytes_max=bytes_max)]))))) == expected


@pytest.mark.parametrize("bytes_max", [-1, 0, 1, 50])
def test_the_first_batch_of_a_reply_comes_whole_however_large(still: StillBroker, rides: Topic, bytes_max: int) -> None:
    """KIP-74: or a client would never get past it. The next partition's does not."""
    small = [part(index, 0, bytes_max=bytes_max) for index in (2, 1, 0)]
    assert seen(ask(still, fetch((rides, small)))) == [(2, []), (1, [0]), (0, [])]
    assert seen(ask(still, fetch((rides, ALL), bytes_max=bytes_max))) == [(0, [0]), (1, []), (2, [])]


def test_all_partitions_together_get_no_more_than_the_fetch_asked_for(still: StillBroker, rides: Topic) -> None:
    all_of_one, first_of_two = sum(sizes(still, rides)), sizes(still, rides, 1)[0]
    for bytes_max, expected in ((all_of_one, []), (all_of_one + first_of_two, [0])):
        answer = ask(still, fetch((rides, ALL), bytes_max=bytes_max))
        assert seen(answer) == [(0, [0, 3, 5, 9]), (1, expected), (2, [])]


def test_a_fetch_gets_no_more_than_the_broker_gives(rides: Topic) -> None:
    still = StillBroker(fetch_bytes_max=1024)
    topic = still.create("rides")
    for _ in range(3):
        still.append(topic, bytes(500))
    assert bases(only(ask(still, fetch((topic, [part(0, 0)]))))) == [0]


# -- waiting


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


# -- sessions (KIP-227)


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


# -- a disk that must be waited for


async def finish(still: StillBroker) -> None:
    """What was spawned comes to its end."""
    await still.broker.close()
    still.run()


async def test_what_is_not_in_memory_is_read_without_stopping_the_loop(still: StillBroker, rides: Topic) -> None:
    still = cold(still)
    call = send(still, fetch((rides, ALL), wait_ms=500))
    assert not call.is_answered
    await finish(still)
    assert seen(call.response) == [(0, [0, 3, 5, 9]), (1, [0, 2]), (2, [])]


def cold(still: StillBroker) -> StillBroker:
    """Nothing of it is in memory, nor where anything lies."""
    still.disk.cold = True
    for log in still.logs:
        log._opened_size = 1 << 30
        if log.files is not None:
            for segment in log.files.segments:
                segment.hints.clear()
    return still


async def test_a_cold_read_obeys_the_bounds(still: StillBroker, rides: Topic) -> None:
    cold(still)
    call = send(still, fetch((rides, ALL), bytes_max=1, wait_ms=500))
    await finish(still)
    assert seen(call.response) == [(0, [0]), (1, []), (2, [])]


async def test_a_parked_fetch_may_meet_a_cold_disk(still: StillBroker, rides: Topic) -> None:
    call = send(still, fetch((rides, [part(0, 10), part(1, 4)]), wait_ms=500, epoch=0))
    cold(still)
    still.append(rides, b"new")
    if not call.is_answered:
        await finish(still)
    assert seen(call.response) == [(0, [10]), (1, [])]


async def test_a_client_that_goes_while_the_disk_is_read_is_not_answered(still: StillBroker, rides: Topic) -> None:
    cold(still)
    call = send(still, fetch((rides, ALL), wait_ms=500))
    call.hang_up()
    await finish(still)
    assert not call.is_answered


async def test_a_disk_that_cannot_be_read_is_answered_and_not_tried_for_ever(
    still: StillBroker, rides: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold(still)

    async def broken(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(still.disk, "run", broken)
    call = send(still, fetch((rides, ALL), wait_ms=500))
    await finish(still)
    storage_error = ErrorCode.KAFKA_STORAGE_ERROR
    assert [data.error_code for data in partitions(call.response)] == [storage_error, storage_error, 0]


async def test_a_topic_may_be_deleted_while_its_disk_is_read(still: StillBroker, rides: Topic) -> None:
    cold(still)
    call = send(still, fetch((rides, ALL), wait_ms=500))
    still.delete(rides)
    await finish(still)
    assert {data.error_code for data in partitions(call.response)} == {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}


async def test_a_mistake_of_ours_in_a_fetch_that_waited_costs_its_connection(
    still: StillBroker, rides: Topic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    call = send(still, fetch((rides, [part(0, 10)]), wait_ms=500))
    monkeypatch.setattr("drave.broker.api.k01_fetch.check_leader_epoch", None)
    still.append(rides, b"new")
    assert call.connection.closed
    assert not call.is_answered
    assert any(record.exc_info for record in caplog.records)


def test_the_handler_is_a_plain_function() -> None:
    """A task for each fetch would cost more than the fetch."""
    from drave.broker.api.k01_fetch import fetch as handler

    assert not inspect.iscoroutinefunction(handler)
