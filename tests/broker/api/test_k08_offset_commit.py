"""OffsetCommit: topics by name and by id, and what is not there."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from drave.wire.messages.k09_offset_fetch import OffsetFetchRequest

Code = ErrorCode


def request(*topics: OffsetCommitRequestTopic, group: str = "g") -> OffsetCommitRequest:
    return OffsetCommitRequest(group_id=group, member_id="", topics=list(topics))


def topic(name: str = "", *indexes: int, topic_id: bytes = ZERO_TOPIC_ID) -> OffsetCommitRequestTopic:
    partitions = [
        OffsetCommitRequestPartition(partition_index=index, committed_offset=index + 10, committed_metadata=None)
        for index in indexes
    ]
    return OffsetCommitRequestTopic(name=name, topic_id=topic_id, partitions=partitions)


def codes(response: OffsetCommitResponse) -> list[dict[int, int]]:
    return [{each.partition_index: each.error_code for each in topic.partitions} for topic in response.topics]


async def committed(see, group: str = "g") -> dict[tuple[str, int], int]:
    found = await see(OffsetFetchRequest(group_id=group, topics=None), 7)
    return {
        (topic.name, partition.partition_index): partition.committed_offset
        for topic in found.topics
        for partition in topic.partitions
    }


@pytest.mark.parametrize("version", range(2, 10))
async def test_offsets_are_committed_by_name(asker, see, version: int) -> None:
    await asker.create_topic("t", 2)
    response = await see(request(topic("t", 0, 1)), version)
    assert [each.name for each in response.topics] == ["t"]
    assert codes(response) == [{0: Code.NONE, 1: Code.NONE}]
    assert await committed(see) == {("t", 0): 10, ("t", 1): 11}


async def test_since_version_10_offsets_are_committed_by_topic_id(asker, see) -> None:
    made = await asker.create_topic("t", 2)
    response = await see(request(topic("", 0, 5, topic_id=made.topic_id)), 10)
    assert [each.topic_id for each in response.topics] == [made.topic_id]
    assert codes(response) == [{0: Code.NONE, 5: Code.UNKNOWN_TOPIC_OR_PARTITION}]
    assert await committed(see) == {("t", 0): 10}


async def test_a_topic_id_that_is_not_there_is_refused_by_itself(asker, see) -> None:
    made = await asker.create_topic("t")
    stranger = b"x" * 16
    response = await see(request(topic("", 0, topic_id=stranger), topic("", 0, topic_id=made.topic_id)), 10)
    assert {each.topic_id: each.partitions[0].error_code for each in response.topics} == {
        stranger: Code.UNKNOWN_TOPIC_ID,
        made.topic_id: Code.NONE,
    }


async def test_partitions_that_are_not_there_are_refused_and_the_rest_is_committed(asker, see) -> None:
    await asker.create_topic("t", 2)
    response = await see(request(topic("t", 0, 2, -1), topic("nowhere", 0)), 9)
    unknown = Code.UNKNOWN_TOPIC_OR_PARTITION
    assert [each.name for each in response.topics] == ["t", "nowhere"]
    assert codes(response) == [{0: Code.NONE, 2: unknown, -1: unknown}, {0: unknown}]
    assert await committed(see) == {("t", 0): 10}


async def test_where_nothing_is_there_the_group_is_not_even_asked(see) -> None:
    response = await see(OffsetCommitRequest(group_id="g", member_id="who", topics=[topic("nowhere", 0)]), 9)
    assert codes(response) == [{0: Code.UNKNOWN_TOPIC_OR_PARTITION}]


async def test_the_first_commit_makes_the_groups_topic(asker, see) -> None:
    await asker.create_topic("t")
    assert asker.broker.catalog.topic("__consumer_offsets") is None
    await see(request(topic("t", 0)), 9)
    made = asker.broker.catalog.topic("__consumer_offsets")
    assert (made.partitions, made.internal) == (50, True)
    assert made.configs == {
        "cleanup.policy": "compact",
        "compression.type": "producer",
        "segment.bytes": "104857600",
    }


async def test_offsets_go_when_their_topic_is_deleted(asker, see) -> None:
    made = await asker.create_topic("t")
    await asker.create_topic("u")
    await see(request(topic("t", 0), topic("u", 0)), 9)
    await asker.broker.catalog.delete_topic(made.topic_id)
    assert await committed(see) == {("u", 0): 10}


async def test_a_group_id_may_be_empty_for_commits_as_it_always_could(asker, see) -> None:
    await asker.create_topic("t")
    assert codes(await see(request(topic("t", 0), group=""), 9)) == [{0: Code.NONE}]
