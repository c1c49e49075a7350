"""ElectLeaders: what Apache Kafka 4.3.1 with one broker answers."""

from __future__ import annotations

import pytest

from drave.broker.dispatch import HANDLERS
from drave.model.errors import ErrorCode
from drave.wire.api import ApiKey
from drave.wire.messages.k43_elect_leaders import ElectLeadersRequest, TopicPartitions

PREFERRED, UNCLEAN = 0, 1
NOT_NEEDED = ErrorCode.ELECTION_NOT_NEEDED


def elect(
    asked: list[tuple[str, list[int]]] | None, kind: int = PREFERRED, timeout_ms: int = 5000
) -> ElectLeadersRequest:
    partitions = None if asked is None else [TopicPartitions(topic=name, partitions=indexes) for name, indexes in asked]
    return ElectLeadersRequest(election_type=kind, topic_partitions=partitions, timeout_ms=timeout_ms)


def codes(response) -> list[tuple[str, list[tuple[int, int]]]]:
    results = response.replica_election_results
    assert all(each.error_message for result in results for each in result.partition_result)
    return [
        (result.topic, [(each.partition_id, each.error_code) for each in result.partition_result]) for result in results
    ]


@pytest.fixture
async def rides(asker):
    return await asker.create_topic("rides", partitions=2)


@pytest.mark.parametrize(
    ("version", "kind"), [(0, PREFERRED), (1, PREFERRED), (1, UNCLEAN), (2, PREFERRED), (2, UNCLEAN)]
)
async def test_no_partition_needs_another_leader(see, rides, version, kind):
    response = await see(elect([("rides", [0, 1])], kind), version)
    assert response.error_code == 0
    assert codes(response) == [("rides", [(0, NOT_NEEDED), (1, NOT_NEEDED)])]


async def test_what_does_not_exist_has_no_leader(see, rides):
    response = await see(elect([("nope", [0]), ("rides", [0, 7, -1])]))
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert response.error_code == 0
    assert codes(response) == [("nope", [(0, unknown)]), ("rides", [(0, NOT_NEEDED), (7, unknown), (-1, unknown)])]


async def test_null_asks_for_all_and_names_the_topics_without_need(see, rides, asker):
    await asker.create_topic("cars")
    assert codes(await see(elect(None))) == [("rides", []), ("cars", [])]


async def test_what_comes_twice_is_answered_twice(see, rides):
    asked = [("rides", [0, 0]), ("rides", [1])]
    assert codes(await see(elect(asked))) == [
        ("rides", [(0, NOT_NEEDED), (0, NOT_NEEDED)]),
        ("rides", [(1, NOT_NEEDED)]),
    ]


@pytest.mark.parametrize("kind", [2, -1])
async def test_there_are_two_kinds_of_elections(see, rides, kind):
    response = await see(elect([("rides", [0])], kind))
    assert response.error_code == ErrorCode.INVALID_REQUEST
    assert codes(response) == [("rides", [(0, ErrorCode.INVALID_REQUEST)])]
    everywhere = await see(elect(None, kind))
    assert (everywhere.error_code, codes(everywhere)) == (ErrorCode.INVALID_REQUEST, [])


async def test_who_asks_for_nothing_has_it_whatever_else_is_wrong(see):
    response = await see(elect([], kind=9, timeout_ms=0))
    assert (response.error_code, codes(response)) == (0, [])


@pytest.mark.parametrize("timeout_ms", [0, -1])
async def test_without_any_time_nothing_is_looked_at(see, rides, timeout_ms):
    response = await see(elect([("nope", [0])], timeout_ms=timeout_ms))
    assert response.error_code == ErrorCode.REQUEST_TIMED_OUT
    assert codes(response) == [("nope", [(0, ErrorCode.REQUEST_TIMED_OUT)])]


def test_it_starts_alone():
    """Twenty bytes ask for the names of all topics: a session owes one such reply at a time."""
    assert HANDLERS[ApiKey.ELECT_LEADERS].alone
