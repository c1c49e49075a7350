"""How much a request may ask about, and that what is asked twice is told once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from drave.broker import asking
from drave.broker.asking import COUNTS, TooMuchAsked, bounded
from drave.broker.dispatch import route
from drave.model.bounds import NAMES_ASKED_MAX, PLACES_ASKED_MAX, SHARE_SESSION_PLACES_MAX
from drave.model.errors import ErrorCode
from drave.wire.api import ApiKey
from drave.wire.frames import encode_request, parse_request_header
from drave.wire.messages.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k32_describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from drave.wire.messages.k46_list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)
from drave.wire.messages.k65_describe_transactions import DescribeTransactionsRequest
from drave.wire.messages.k69_consumer_group_describe import ConsumerGroupDescribeRequest
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatRequest
from drave.wire.messages.k77_share_group_describe import ShareGroupDescribeRequest
from drave.wire.messages.k78_share_fetch import FetchPartition, FetchTopic, ShareFetchRequest
from drave.wire.messages.k88_streams_group_heartbeat import StreamsGroupHeartbeatRequest
from drave.wire.messages.k89_streams_group_describe import StreamsGroupDescribeRequest
from drave.wire.messages.k90_describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
)
from tests.broker.coordinator.streams.virtual_streams import internal, subtopology, topology

GROUP, TOPIC = 32, 2


# -- what is too much


class Anything:
    """A request in which every list has so many items, in each of which the same is true."""

    def __init__(self, items: int, depth: int = 2) -> None:
        self._list = [Anything(items, depth - 1)] * items if depth else []

    def __getattr__(self, name: str) -> Any:
        return self._list


@pytest.mark.parametrize("key", COUNTS, ids=lambda key: key.name)
def test_what_asks_about_too_much_is_not_begun(key: ApiKey) -> None:
    def reading(request: Anything) -> Callable[..., Any]:
        return bounded(key, lambda frame, at: (request, at))

    large = bytes(asking.SMALL_BYTES + 1)
    few = Anything(2)
    assert reading(few)(large, 5) == (few, 5)
    with pytest.raises(TooMuchAsked, match="ask in parts"):
        reading(Anything(PLACES_ASKED_MAX + 1, depth=1))(large, 5)


def test_the_way_of_a_key_counts() -> None:
    def decoded(names: int) -> Any:
        request = DescribeGroupsRequest(groups=["group"] * names)
        frame = b"".join(encode_request(ApiKey.DESCRIBE_GROUPS, 6, 1, "c", request))[4:]
        _, at = parse_request_header(frame)
        return route(ApiKey.DESCRIBE_GROUPS, 6).decode(frame, at)

    assert len(decoded(NAMES_ASKED_MAX)[0].groups) == NAMES_ASKED_MAX
    with pytest.raises(TooMuchAsked, match=f"it asks about {NAMES_ASKED_MAX + 1} names"):
        decoded(NAMES_ASKED_MAX + 1)


def test_partitions_are_counted_with_their_topics() -> None:
    topics = [ListPartitionReassignmentsTopics(name="t", partition_indexes=[0, 1, 2])] * 2
    request = ListPartitionReassignmentsRequest(topics=topics, timeout_ms=0)
    assert COUNTS[ApiKey.LIST_PARTITION_REASSIGNMENTS](request).places == 8


# -- what is asked twice


def resource(kind: int, name: str, keys: list[str] | None = None) -> DescribeConfigsResource:
    return DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=keys)


REPEATING: Final[dict[str, Callable[[list[str]], Any]]] = {
    "groups": lambda ids: DescribeGroupsRequest(groups=ids),
    "consumer groups": lambda ids: ConsumerGroupDescribeRequest(group_ids=ids, include_authorized_operations=False),
    "share groups": lambda ids: ShareGroupDescribeRequest(group_ids=ids, include_authorized_operations=False),
    "streams groups": lambda ids: StreamsGroupDescribeRequest(group_ids=ids, include_authorized_operations=False),
    "transactions": lambda ids: DescribeTransactionsRequest(transactional_ids=ids),
    "offsets of share groups": lambda ids: DescribeShareGroupOffsetsRequest(
        groups=[DescribeShareGroupOffsetsRequestGroup(group_id=each, topics=None) for each in ids]
    ),
    "offsets": lambda ids: OffsetFetchRequest(
        groups=[OffsetFetchRequestGroup(group_id=each, topics=None) for each in ids]
    ),
    "configs": lambda ids: DescribeConfigsRequest(resources=[resource(GROUP, each) for each in ids]),
}


@pytest.mark.parametrize("what", REPEATING)
async def test_what_is_named_twice_is_told_once_in_the_order_of_the_request(see, what: str) -> None:
    twice, once = [await see(REPEATING[what](names)) for names in (["b", "a", "b", "b"], ["b", "a"])]
    assert twice == once


async def test_a_group_is_asked_for_some_topics_as_often_as_a_client_likes(see, asker) -> None:
    topic = await asker.create_topic("rides")
    some = [OffsetFetchRequestTopics(topic_id=topic.topic_id, name="rides", partition_indexes=[0])]
    groups = [OffsetFetchRequestGroup(group_id="g", topics=each) for each in (None, some, None, some)]
    answer = await see(OffsetFetchRequest(groups=groups))
    assert [len(group.topics) for group in answer.groups] == [0, 1, 1]


# -- configs


async def test_many_resources_are_described_in_turns_as_few_are(see, asker) -> None:
    names = [f"topic-{number}" for number in range(45)]
    for name in names:
        await asker.create_topic(name, **({"retention_ms": "5"} if name == "topic-7" else {}))

    async def described(*resources: str) -> list[Any]:
        asked = [resource(TOPIC, name) for name in resources]
        return list((await see(DescribeConfigsRequest(resources=asked, include_synonyms=True))).results)

    together = await described(*names, "missing")
    assert together == [result for name in (*names, "missing") for result in await described(name)]
    assert [each.error_code for each in together[-2:]] == [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]


async def test_resources_alike_share_their_configs_but_not_where_other_keys_are_asked_for(see) -> None:
    asked = [
        resource(GROUP, name, keys) for name, keys in (("a", None), ("b", ["consumer.session.timeout.ms"]), ("c", None))
    ]
    a, b, c = (await see(DescribeConfigsRequest(resources=asked))).results
    assert a.configs == c.configs
    assert [each.name for each in b.configs] == ["consumer.session.timeout.ms"]


# -- members


async def test_a_member_of_a_share_group_subscribes_to_a_bounded_number_of_topics(see, monkeypatch) -> None:
    monkeypatch.setattr("drave.broker.coordinator.modern.TOPICS_SUBSCRIBED_MAX", 2)
    request = ShareGroupHeartbeatRequest(
        group_id="s", member_id="a", member_epoch=0, subscribed_topic_names=["x", "y", "z"]
    )
    answer = await see(request)
    assert answer.error_code == ErrorCode.INVALID_REQUEST
    assert "can subscribe to 2 topics by name, and this one names 3" in answer.error_message


def fetching(member_id: str, epoch: int, partitions: range) -> ShareFetchRequest:
    asked = [FetchPartition(partition_index=at, acknowledgement_batches=[]) for at in partitions]
    return ShareFetchRequest(
        group_id="s",
        member_id=member_id,
        share_session_epoch=epoch,
        max_wait_ms=0,
        min_bytes=0,
        max_bytes=1,
        max_records=1,
        batch_size=1,
        topics=[FetchTopic(topic_id=b"t" * 16, partitions=asked)],
        forgotten_topics_data=[],
    )


async def test_a_share_session_has_a_bounded_number_of_partitions(see) -> None:
    most = SHARE_SESSION_PLACES_MAX
    answer = await see(fetching("a", 0, range(most + 1)))
    assert answer.error_code == ErrorCode.INVALID_REQUEST
    assert f"this one would have {most + 1}" in answer.error_message
    assert (await see(fetching("a", 1, range(1)))).error_code == ErrorCode.SHARE_SESSION_NOT_FOUND


async def test_a_share_session_that_grows_past_its_bound_ends(see, monkeypatch) -> None:
    monkeypatch.setattr("drave.broker.api.k78_share_fetch.SHARE_SESSION_PLACES_MAX", 3)
    assert (await see(fetching("a", 0, range(3)))).error_code == ErrorCode.NONE
    assert (await see(fetching("a", 1, range(3)))).error_code == ErrorCode.NONE
    assert (await see(fetching("a", 2, range(3, 4)))).error_code == ErrorCode.INVALID_REQUEST
    assert (await see(fetching("a", 3, range(1)))).error_code == ErrorCode.SHARE_SESSION_NOT_FOUND


# -- topologies


@pytest.mark.parametrize(
    ("subtopologies", "why"),
    [
        ([subtopology(str(number), "lines") for number in range(201)], "201 subtopologies, and 200 is the most"),
        (
            [subtopology("0", "lines", changelogs=tuple(internal(f"c{number}") for number in range(1001)))],
            "1001 internal topics, and 1000 is the most",
        ),
        ([subtopology("0", *[f"t{number}" for number in range(10_001)])], "10001 topics, configs of topics and joins"),
        ([subtopology("0", "lines", joined=(((0,) * 10_000, ()),))], "10002 topics, configs of topics and joins"),
    ],
)
async def test_a_topology_that_is_too_large_is_refused_before_anything_is_made(see, broker, subtopologies, why) -> None:
    request = StreamsGroupHeartbeatRequest(
        group_id="app",
        member_id="m",
        member_epoch=0,
        endpoint_information_epoch=-1,
        rebalance_timeout_ms=60_000,
        topology=topology(*subtopologies),
        active_tasks=[],
        standby_tasks=[],
        warmup_tasks=[],
        process_id="process",
        client_tags=[],
    )
    answer = await see(request)
    assert answer.error_code == ErrorCode.STREAMS_INVALID_TOPOLOGY
    assert why in answer.error_message
    assert not broker.catalog.topics()
