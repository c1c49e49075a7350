"""Fetch: which batches are sent, and what each bound means.

What is answered is what Apache Kafka 4.3.1 answers, compared request by request; where ours differs, the test says why.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from drave import records
from drave.catalog import Topic
from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID
from drave.wire.messages.k01_fetch import (
    EpochEndOffset,
    FetchTopic,
    PartitionData,
)
from tests.broker.api.fetching import (
    ALL,
    BY_ID,
    BY_NAME,
    READ_COMMITTED,
    VERSIONS,
    ask,
    bases,
    fetch,
    only,
    part,
    partitions,
    seen,
    sizes,
)
from tests.broker.still import StillBroker, batch_of

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


# -- the handler


def test_the_handler_is_a_plain_function() -> None:
    """A task for each fetch would cost more than the fetch."""
    from drave.broker.api.k01_fetch import fetch as handler

    assert not inspect.iscoroutinefunction(handler)
