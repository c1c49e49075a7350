"""DescribeTopicPartitions (KIP-966): checked case by case against Apache Kafka 4.3.1."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drave.broker.api import k75_describe_topic_partitions
from drave.broker.topics import TOPIC_OPERATIONS
from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID
from drave.wire.messages.k75_describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponsePartition,
    TopicRequest,
)

ALL = ("a", "b", "c")


def describe(names: tuple[str, ...], limit: int = 2000, cursor: tuple[str, int] | None = None):
    return DescribeTopicPartitionsRequest(
        topics=[TopicRequest(name=name) for name in names],
        response_partition_limit=limit,
        cursor=None if cursor is None else Cursor(topic_name=cursor[0], partition_index=cursor[1]),
    )


def page(response) -> tuple[list[tuple[str, list[int]]], tuple[str, int] | None]:
    """Topics with their partitions, and where the next page begins."""
    cursor = response.next_cursor
    topics = [(topic.name, [each.partition_index for each in topic.partitions]) for topic in response.topics]
    return topics, cursor and (cursor.topic_name, cursor.partition_index)


def codes(response) -> dict[str, int]:
    return {topic.name: topic.error_code for topic in response.topics}


@pytest.fixture
async def topics(asker):
    """`a`, `b` and `c` with three, two and one partitions."""
    return {name: await asker.create_topic(name, partitions=count) for name, count in zip(ALL, (3, 2, 1), strict=True)}


async def test_a_topic_is_told_with_its_partitions(see, topics):
    (topic,) = (await see(describe(("c",)))).topics
    assert (topic.name, topic.topic_id, topic.error_code) == ("c", topics["c"].topic_id, 0)
    assert (topic.is_internal, topic.topic_authorized_operations) == (False, TOPIC_OPERATIONS)
    assert topic.partitions == [
        DescribeTopicPartitionsResponsePartition(
            partition_index=0,
            leader_id=1,
            leader_epoch=0,
            replica_nodes=[1],
            isr_nodes=[1],
            eligible_leader_replicas=[],
            last_known_elr=[],
            offline_replicas=[],
        )
    ]


async def test_topics_come_once_and_in_the_order_of_their_names(see, topics):
    assert page(await see(describe(("c", "a", "c")))) == ([("a", [0, 1, 2]), ("c", [0])], None)


async def test_no_topics_at_all_asks_for_every_one(see, broker, topics):
    internal = await broker.groups.ensure_topic()
    response = await see(describe(()))
    assert [topic.name for topic in response.topics] == [internal.name, "a", "b", "c"]
    assert [topic.is_internal for topic in response.topics] == [True, False, False, False]


@pytest.mark.parametrize(
    ("limit", "counts", "cursor"),
    [
        (1, [1], ("a", 1)),
        (2, [2], ("a", 2)),
        (3, [3], ("b", 0)),
        (4, [3, 1], ("b", 1)),
        (5, [3, 2], ("c", 0)),
        (6, [3, 2, 1], None),
        (7, [3, 2, 1], None),
        (0, [1], ("a", 1)),
        (-1, [1], ("a", 1)),
    ],
)
async def test_a_page_ends_at_its_limit_and_says_where_the_next_begins(see, topics, limit, counts, cursor):
    found, following = page(await see(describe(ALL, limit)))
    assert ([len(partitions) for _, partitions in found], following) == (counts, cursor)


async def test_a_page_has_a_bound_whatever_is_asked_for(see, topics, monkeypatch):
    monkeypatch.setattr(k75_describe_topic_partitions, "PARTITIONS_MAX", 4)
    assert page(await see(describe(ALL, 2**31 - 1)))[1] == ("b", 1)


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        (("a", 1), [("a", [1, 2]), ("b", [0])]),
        (("a", 3), [("a", []), ("b", [0, 1]), ("c", [0])]),
        (("b", 1), [("b", [1]), ("c", [0])]),
        (("c", 0), [("c", [0])]),
    ],
)
async def test_a_page_begins_at_its_cursor(see, topics, cursor, expected):
    assert page(await see(describe(ALL, 3, cursor)))[0] == expected


@pytest.mark.parametrize("cursor", [("aa", 0), ("", 0), ("z", 0), ("a", -1)])
async def test_a_cursor_that_no_page_of_the_request_gave_is_refused(see, topics, cursor):
    response = await see(describe(ALL, 3, cursor))
    assert codes(response) == dict.fromkeys(ALL, ErrorCode.INVALID_REQUEST)
    assert {topic.topic_authorized_operations for topic in response.topics} == {-(2**31)}
    assert page(response)[1] is None


async def test_when_every_topic_is_asked_for_the_cursors_topic_may_have_gone(see, topics):
    assert page(await see(describe((), 3, ("aa", 1)))) == ([("b", [0, 1]), ("c", [0])], None)


async def test_what_cannot_be_described_says_why_and_does_not_count(see, topics):
    """Kafka fails at the empty name, with UNKNOWN_SERVER_ERROR."""
    response = await see(describe(("a", "NOPE", "A B", ""), 3))
    assert codes(response) == {
        "": ErrorCode.INVALID_TOPIC_EXCEPTION,
        "A B": ErrorCode.INVALID_TOPIC_EXCEPTION,
        "NOPE": ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        "a": 0,
    }
    assert page(response)[1] is None
    assert {(topic.topic_id, len(topic.partitions)) for topic in response.topics[:3]} == {(ZERO_TOPIC_ID, 0)}


async def test_a_page_that_is_full_leaves_it_for_the_next(see, topics):
    assert page(await see(describe(("a", "nope"), 3)))[1] == ("nope", 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(limits=st.lists(st.integers(1, 5), min_size=6, max_size=6), named=st.booleans())
async def test_pages_together_have_every_partition_once(see, topics, limits, named):
    cursor, seen = None, []
    for limit in limits:
        found, cursor = page(await see(describe(ALL if named else (), limit, cursor)))
        seen += [(name, index) for name, partitions in found for index in partitions]
        if cursor is None:
            break
    assert seen == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("c", 0)][: len(seen)]
    assert cursor is not None or len(seen) == 6
