"""DeleteRecords: checked case by case against Apache Kafka 4.3.1."""

from __future__ import annotations

import asyncio

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from drave.wire.messages.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from drave.wire.messages.k21_delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic

ALL = -1
EARLIEST = -2


def delete(*asked: tuple[str, int, int], timeout_ms: int = 5000) -> DeleteRecordsRequest:
    """Triples of a topic, a partition and the first offset to stay."""
    return DeleteRecordsRequest(
        topics=[
            DeleteRecordsTopic(name=name, partitions=[DeleteRecordsPartition(partition_index=index, offset=offset)])
            for name, index, offset in asked
        ],
        timeout_ms=timeout_ms,
    )


def answers(response) -> dict[tuple[str, int], tuple[int, int]]:
    """The low watermark and the error of each partition."""
    found = [
        ((topic.name, each.partition_index), (each.low_watermark, each.error_code))
        for topic in response.topics
        for each in topic.partitions
    ]
    assert len(dict(found)) == len(found), "each partition is answered once"
    return dict(found)


@pytest.fixture
async def rides(asker, append):
    """Ten records in partition 0, five in partition 1."""
    topic = await asker.create_topic("rides", partitions=2)
    append(topic, 10)
    append(topic, 5, partition=1)
    return topic


@pytest.mark.parametrize("version", range(3))
async def test_the_log_begins_where_it_was_told_to(see, broker, rides, version):
    assert answers(await see(delete(("rides", 0, 3)), version)) == {("rides", 0): (3, 0)}
    assert broker.partition(rides, 0).start == 3


async def test_minus_one_deletes_all_that_can_be_read(see, rides):
    assert answers(await see(delete(("rides", 0, ALL), ("rides", 1, ALL)))) == {
        ("rides", 0): (10, 0),
        ("rides", 1): (5, 0),
    }


async def test_a_log_that_begins_later_already_is_answered_with_its_start(see, rides):
    await see(delete(("rides", 0, 7)))
    for offset in (0, 3, 7):
        assert answers(await see(delete(("rides", 0, offset)))) == {("rides", 0): (7, 0)}


@pytest.mark.parametrize("offset", [11, -2, 2**62])
async def test_an_offset_outside_of_the_log_is_refused(see, rides, offset):
    assert answers(await see(delete(("rides", 0, offset)))) == {("rides", 0): (-1, ErrorCode.OFFSET_OUT_OF_RANGE)}


async def test_an_empty_partition_has_nothing_to_delete(see, asker):
    await asker.create_topic("empty")
    for offset in (ALL, 0):
        assert answers(await see(delete(("empty", 0, offset)))) == {("empty", 0): (0, 0)}
    assert answers(await see(delete(("empty", 0, 1)))) == {("empty", 0): (-1, ErrorCode.OFFSET_OUT_OF_RANGE)}


async def test_an_error_belongs_to_its_partition_alone(see, rides):
    unknown = (-1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    response = await see(delete(("rides", 7, 1), ("rides", 1, 2), ("rides", -1, 0), ("nope", 0, 0), ("a b", 0, 0)))
    assert answers(response) == {
        ("rides", 7): unknown,
        ("rides", 1): (2, 0),
        ("rides", -1): unknown,
        ("nope", 0): unknown,
        ("a b", 0): unknown,
    }


async def test_of_several_offsets_for_a_partition_the_last_counts(see, rides):
    assert answers(await see(delete(("rides", 0, 8), ("rides", 0, 4)))) == {("rides", 0): (4, 0)}


async def test_nothing_asked_is_nothing_answered(see, rides):
    assert (await see(delete())).topics == []
    assert (
        await see(DeleteRecordsRequest(topics=[DeleteRecordsTopic(name="rides", partitions=[])], timeout_ms=1))
    ).topics == []


async def test_no_time_is_enough_time(see, rides):
    """As in Kafka, where a partition with one replica is done at once."""
    assert answers(await see(delete(("rides", 0, 3), timeout_ms=0))) == {("rides", 0): (3, 0)}


async def test_a_topic_that_is_only_compacted_keeps_its_records(see, asker, append):
    for policy in ("compact", "compact,delete"):
        topic = await asker.create_topic(policy.replace(",", "."), cleanup_policy=policy)
        append(topic, 5)
    refused, taken = (await see(delete(("compact", 0, 3), ("compact.delete", 0, 3)))).topics
    assert refused.partitions[0].error_code == ErrorCode.POLICY_VIOLATION
    assert taken.partitions[0].low_watermark == 3


async def test_the_records_of_coordinators_are_not_for_clients_to_delete(see, broker):
    await broker.groups.ensure_topic()
    response = await see(delete(("__consumer_offsets", 0, ALL), ("__consumer_offsets", 50, ALL)))
    assert answers(response) == {
        ("__consumer_offsets", 0): (-1, ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("__consumer_offsets", 50): (-1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    }


async def test_everybody_sees_the_new_start(see, rides):
    await see(delete(("rides", 0, 4)))
    earliest = ListOffsetsTopic(
        name="rides", partitions=[ListOffsetsPartition(partition_index=0, timestamp=EARLIEST, current_leader_epoch=-1)]
    )
    response = await see(ListOffsetsRequest(replica_id=-1, isolation_level=0, topics=[earliest]))
    assert response.topics[0].partitions[0].offset == 4
    below = FetchTopic(
        topic="rides",
        topic_id=rides.topic_id,
        partitions=[FetchPartition(partition=0, fetch_offset=3, partition_max_bytes=1000)],
    )
    asked = FetchRequest(max_wait_ms=0, min_bytes=0, topics=[below], forgotten_topics_data=[])
    (found,) = (await see(asked)).responses[0].partitions
    assert found.error_code == ErrorCode.OFFSET_OUT_OF_RANGE


class TestDurably:
    """On a broker on which nothing is durable before `commit`."""

    @pytest.fixture
    async def rides(self, still):
        topic = still.create("rides", partitions=3)
        for partition in range(3):
            still.append(topic, b"a", b"b", b"c", partition=partition)
        return topic

    async def test_nobody_is_told_before_the_new_start_is_durable(self, still, rides):
        call = still.send(delete(("rides", 0, 2), ("rides", 2, ALL)))
        await asyncio.sleep(0)
        assert not call.is_answered
        assert still.log(rides).start == 0
        still.commit()
        await asyncio.sleep(0)
        assert answers(call.response) == {("rides", 0): (2, 0), ("rides", 2): (3, 0)}

    async def test_what_was_refused_is_answered_with_the_others(self, still, rides):
        call = still.send(delete(("rides", 0, 9), ("rides", 1, 1)))
        still.commit()
        await asyncio.sleep(0)
        assert answers(call.response) == {("rides", 0): (-1, ErrorCode.OFFSET_OUT_OF_RANGE), ("rides", 1): (1, 0)}

    async def test_a_topic_that_is_deleted_meanwhile_is_unknown(self, still, rides):
        call = still.send(delete(("rides", 0, 2)))
        still.delete(rides)
        await asyncio.sleep(0)
        assert answers(call.response) == {("rides", 0): (-1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)}

    async def test_a_broker_that_stops_says_that_it_cannot_tell(self, still, rides):
        call = still.send(delete(("rides", 0, 2)))
        still.log(rides).close()
        await asyncio.sleep(0)
        assert answers(call.response) == {("rides", 0): (-1, ErrorCode.KAFKA_STORAGE_ERROR)}

    async def test_a_client_that_has_gone_is_not_answered(self, still, rides):
        call = still.send(delete(("rides", 0, 2)))
        call.hang_up()
        still.commit()
        await asyncio.sleep(0)
        assert not call.is_answered
        assert still.log(rides).start == 2
