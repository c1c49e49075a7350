"""ListOffsets: what each timestamp means in each version, as Apache Kafka 4.3.1 answers it."""

from __future__ import annotations

import inspect

import pytest

from drave import records
from drave.broker.api.k02_list_offsets import (
    EARLIEST,
    EARLIEST_LOCAL,
    EARLIEST_PENDING_UPLOAD,
    LATEST,
    LATEST_TIERED,
    MAX_TIMESTAMP,
)
from drave.catalog import Topic
from drave.model.errors import ErrorCode
from drave.records import Codec
from drave.wire.messages.k02_list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from tests.broker.still import NOW_MS, StillBroker, batch_at, batch_of

VERSIONS = range(1, 12)
READ_COMMITTED = 1
NOTHING = (-1, -1, -1)


def request(name: str, *asked: tuple[int, int], isolation: int = 0, epoch: int = -1) -> ListOffsetsRequest:
    """`asked`: partitions and timestamps."""
    partitions = [
        ListOffsetsPartition(partition_index=index, timestamp=timestamp, current_leader_epoch=epoch)
        for index, timestamp in asked
    ]
    topics = [ListOffsetsTopic(name=name, partitions=partitions)]
    return ListOffsetsRequest(replica_id=-1, isolation_level=isolation, topics=topics)


def look_up(
    still: StillBroker, topic: Topic, timestamp: int, version: int = 11, **options: int
) -> tuple[int, int, int]:
    """Timestamp, offset and leader epoch of partition 0."""
    (found,) = still.ask(request(topic.name, (0, timestamp), **options), version).topics[0].partitions
    assert found.error_code == ErrorCode.NONE
    return found.timestamp, found.offset, found.leader_epoch


def answers(still: StillBroker, asked: ListOffsetsRequest, version: int = 11) -> list[ListOffsetsPartitionResponse]:
    return [found for topic in still.ask(asked, version).topics for found in topic.partitions]


@pytest.fixture
def rides(still: StillBroker) -> Topic:
    """Ten records in partition 0, whose timestamps are anything but in order; nothing in partition 1."""
    topic = still.create("rides", partitions=2)
    for batch in (
        batch_at(1000, 3000, 2000),
        batch_at(5000, 4000, codec=Codec.GZIP),
        batch_at(5000, 5000),
        batch_at(-1, 100),
        batch_at(4500),
    ):
        still.produce(topic, batch)
    return topic


@pytest.mark.parametrize("version", VERSIONS)
def test_the_names_of_moments(still: StillBroker, rides: Topic, version: int) -> None:
    """Each came with a version of its own; what a version does not know is UNSUPPORTED_VERSION for its partition."""
    epoch = 0 if version >= 4 else -1
    for timestamp, since, expected in (
        (LATEST, 1, (-1, 10, epoch)),
        (EARLIEST, 1, (-1, 0, epoch)),
        (MAX_TIMESTAMP, 7, (5000, 3, epoch)),
        (EARLIEST_LOCAL, 8, (-1, 0, epoch)),
        (LATEST_TIERED, 9, NOTHING),
        (EARLIEST_PENDING_UPLOAD, 11, NOTHING),
        (-7, 99, NOTHING),
        (-100, 99, NOTHING),
    ):
        (found,) = answers(still, request("rides", (0, timestamp)), version)
        assert found.error_code == (ErrorCode.NONE if version >= since else ErrorCode.UNSUPPORTED_VERSION)
        assert (found.timestamp, found.offset, found.leader_epoch) == (expected if version >= since else NOTHING)


@pytest.mark.parametrize("version", [1, 4, 11])
@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (0, (1000, 0)),
        (1000, (1000, 0)),
        (1001, (3000, 1)),
        (2000, (3000, 1)),
        (3000, (3000, 1)),
        (3001, (5000, 3)),
        (4500, (5000, 3)),
        (5000, (5000, 3)),
        (5001, (-1, -1)),
        (2**62, (-1, -1)),
    ],
)
def test_a_time_finds_the_first_record_that_is_not_older(
    still: StillBroker, rides: Topic, timestamp: int, expected: tuple[int, int], version: int
) -> None:
    assert look_up(still, rides, timestamp, version)[:2] == expected


def test_of_equal_timestamps_the_first_record_counts(still: StillBroker) -> None:
    topic = still.create("rides")
    still.produce(topic, batch_at(7, 9, 9, 8))
    still.produce(topic, batch_at(9))
    assert look_up(still, topic, MAX_TIMESTAMP) == (9, 1, 0)
    assert look_up(still, topic, 9) == (9, 1, 0)
    assert look_up(still, topic, 8) == (9, 1, 0)


def test_with_log_append_time_all_records_of_a_batch_are_of_one_time(still: StillBroker) -> None:
    topic = still.create("rides", message_timestamp_type="LogAppendTime")
    still.produce(topic, batch_at(1, 2, 3))
    still.advance(1000)
    still.produce(topic, batch_at(5, 6))
    assert look_up(still, topic, NOW_MS + 1) == (NOW_MS + 1000, 3, 0)
    assert look_up(still, topic, MAX_TIMESTAMP) == (NOW_MS + 1000, 3, 0)


@pytest.mark.parametrize("timestamp", [MAX_TIMESTAMP, 0, 5000])
def test_where_there_are_no_records_none_is_found(still: StillBroker, timestamp: int) -> None:
    empty = still.create("empty")
    assert look_up(still, empty, timestamp) == NOTHING
    assert look_up(still, empty, LATEST) == look_up(still, empty, EARLIEST) == (-1, 0, 0)


def test_records_without_timestamps_are_found_by_no_time(still: StillBroker) -> None:
    """Kafka answers -3 here with offset 0 and no timestamp."""
    topic = still.create("rides")
    still.produce(topic, batch_at(-1, -1))
    assert look_up(still, topic, 0) == look_up(still, topic, MAX_TIMESTAMP) == NOTHING


def test_what_was_deleted_is_not_found(still: StillBroker, rides: Topic) -> None:
    log = still.log(rides)
    log.move_start(1)
    still.commit()
    assert look_up(still, rides, EARLIEST) == look_up(still, rides, EARLIEST_LOCAL) == (-1, 1, 0)
    assert look_up(still, rides, 0) == look_up(still, rides, 1000) == (3000, 1, 0), "not from inside its batch either"
    log.move_start(10)
    still.commit()
    assert look_up(still, rides, EARLIEST) == look_up(still, rides, LATEST) == (-1, 10, 0)
    for timestamp in (0, 5000, MAX_TIMESTAMP):  # Kafka still finds the largest timestamp, in what is gone
        assert look_up(still, rides, timestamp) == NOTHING


def test_what_is_not_durable_is_not_found(still: StillBroker) -> None:
    topic = still.create("rides")
    still.append(topic, b"a")
    later = batch_of(timestamp_ms=NOW_MS + 1)
    still.log(topic).append(later, records.parse_header(later), now_ms=NOW_MS)
    assert look_up(still, topic, LATEST) == (-1, 1, 0)
    assert look_up(still, topic, NOW_MS + 1) == NOTHING


def test_who_reads_committed_sees_nothing_past_the_last_stable_offset(still: StillBroker, rides: Topic) -> None:
    still.log(rides).last_stable = 3
    assert look_up(still, rides, LATEST, isolation=READ_COMMITTED) == (-1, 3, 0)
    assert look_up(still, rides, 2000, isolation=READ_COMMITTED) == (3000, 1, 0)
    assert look_up(still, rides, 4000, isolation=READ_COMMITTED) == NOTHING
    assert look_up(still, rides, LATEST) == (-1, 10, 0)


# -- refusals


@pytest.mark.parametrize("version", [1, 4, 11])
def test_who_is_not_there_is_answered_each_for_itself(still: StillBroker, rides: Topic, version: int) -> None:
    found = answers(still, request("rides", (9, LATEST), (0, LATEST), (-1, 1000)), version)
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert [(each.error_code, each.offset) for each in found] == [(unknown, -1), (0, 10), (unknown, -1)]
    assert answers(still, request("nowhere", (0, LATEST)), version)[0].error_code == unknown


def test_a_partition_that_is_named_twice_is_refused_and_its_neighbours_are_not(
    still: StillBroker, rides: Topic
) -> None:
    found = answers(still, request("rides", (0, LATEST), (0, EARLIEST), (1, LATEST)))
    assert [(each.partition_index, each.error_code) for each in found] == [
        (0, ErrorCode.INVALID_REQUEST),
        (0, ErrorCode.INVALID_REQUEST),
        (1, ErrorCode.NONE),
    ]


@pytest.mark.parametrize("timestamp", [LATEST, 1000])
def test_a_client_with_another_leader_epoch_is_told_to_ask_anew(
    still: StillBroker, rides: Topic, timestamp: int
) -> None:
    """KIP-320."""
    still.log(rides).leader_epoch = 3
    for epoch, code in (
        (-1, ErrorCode.NONE),
        (3, ErrorCode.NONE),
        (2, ErrorCode.FENCED_LEADER_EPOCH),
        (4, ErrorCode.UNKNOWN_LEADER_EPOCH),
    ):
        assert answers(still, request("rides", (0, timestamp), epoch=epoch))[0].error_code == code


def test_a_disk_that_cannot_be_read_is_an_error_of_its_partition(
    still: StillBroker, rides: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(still.disk, "run", broken)
    found = answers(still, request("rides", (0, 1000), (1, LATEST)))
    assert [each.error_code for each in found] == [ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NONE]


def test_no_partitions_are_answered_with_none(still: StillBroker) -> None:
    assert still.ask(ListOffsetsRequest(replica_id=-1, topics=[])).topics == []


def test_what_is_known_by_heart_needs_no_task(still: StillBroker, rides: Topic) -> None:
    from drave.broker.api.k02_list_offsets import list_offsets

    context = type("AnyContext", (), {"api_version": 11})()
    answer = list_offsets(still.broker, context, request("rides", (0, LATEST), (1, EARLIEST)))
    assert not inspect.iscoroutine(answer)
