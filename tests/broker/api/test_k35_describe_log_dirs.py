"""DescribeLogDirs: what lies in the one folder, as Apache Kafka 4.3.1 tells it."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k35_describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from tests.broker.still import batch_of


def describe(asked: dict[str, list[int]] | None) -> DescribeLogDirsRequest:
    if asked is None:
        return DescribeLogDirsRequest(topics=None)
    topics = [DescribableLogDirTopic(topic=name, partitions=indexes) for name, indexes in asked.items()]
    return DescribeLogDirsRequest(topics=topics)


def sizes(response) -> dict[str, dict[int, int]]:
    (result,) = response.results
    return {
        topic.name: {each.partition_index: each.partition_size for each in topic.partitions} for topic in result.topics
    }


BATCH_BYTES = len(batch_of(b"value"))


@pytest.fixture
async def topics(asker, append):
    """`rides` with two batches in partition 1 of 3, and `cars` without records."""
    rides = await asker.create_topic("rides", partitions=3)
    append(rides, partition=1)
    append(rides, partition=1)
    await asker.create_topic("cars")


@pytest.mark.parametrize("version", range(1, 6))
async def test_a_partition_is_as_large_as_its_segments(see, broker, topics, version):
    response = await see(describe({"rides": [0, 1]}), version)
    (result,) = response.results
    assert (response.error_code, result.error_code, result.log_dir) == (0, 0, str(broker.logs.folder))
    assert sizes(response) == {"rides": {0: 0, 1: 2 * BATCH_BYTES}}
    assert not any(each.offset_lag or each.is_future_key for topic in result.topics for each in topic.partitions)
    assert not result.is_cordoned


@pytest.mark.parametrize("version", range(1, 6))
async def test_since_version_4_the_room_is_told(see, topics, version):
    """KIP-827."""
    (result,) = (await see(describe({}), version)).results
    told = result.total_bytes > result.usable_bytes > 0
    assert told if version >= 4 else (result.total_bytes, result.usable_bytes) == (-1, -1)


async def test_null_asks_for_every_partition_and_an_empty_list_for_none(see, topics):
    assert sizes(await see(describe(None))) == {"rides": {0: 0, 1: 2 * BATCH_BYTES, 2: 0}, "cars": {0: 0}}
    assert sizes(await see(describe({}))) == {}


async def test_what_is_not_there_is_left_out(see, topics):
    assert sizes(await see(describe({"rides": [0, 9, -1], "nope": [0], "cars": []}))) == {"rides": {0: 0}}


async def test_a_topic_that_comes_twice_is_told_once(see, topics):
    asked = [DescribableLogDirTopic(topic="rides", partitions=indexes) for indexes in ([0, 0], [2, 0])]
    (topic,) = (await see(DescribeLogDirsRequest(topics=asked))).results[0].topics
    assert [each.partition_index for each in topic.partitions] == [0, 2]


async def test_a_folder_that_cannot_be_looked_at_says_so(see, broker, topics, monkeypatch):
    def gone() -> None:
        raise OSError("the volume is gone")

    monkeypatch.setattr(broker.logs, "space", gone)
    (result,) = (await see(describe(None))).results
    assert (result.error_code, result.topics) == (ErrorCode.KAFKA_STORAGE_ERROR, [])
    assert (result.total_bytes, result.usable_bytes) == (-1, -1)
