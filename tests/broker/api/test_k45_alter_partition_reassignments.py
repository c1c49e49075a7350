"""AlterPartitionReassignments: what Apache Kafka 4.3.1 with one broker answers."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k45_alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)


def reassign(
    *asked: tuple[str, int, list[int] | None], timeout_ms: int = 5000, may_change_factor: bool = True
) -> AlterPartitionReassignmentsRequest:
    """Triples of a topic, a partition and its brokers, or None to end a move."""
    return AlterPartitionReassignmentsRequest(
        timeout_ms=timeout_ms,
        allow_replication_factor_change=may_change_factor,
        topics=[
            ReassignableTopic(name=name, partitions=[ReassignablePartition(partition_index=index, replicas=brokers)])
            for name, index, brokers in asked
        ],
    )


def codes(response) -> list[tuple[str, int, int]]:
    found = [(topic.name, each) for topic in response.responses for each in topic.partitions]
    assert all(bool(each.error_message) == bool(each.error_code) for _, each in found)
    return [(name, each.partition_index, each.error_code) for name, each in found]


@pytest.fixture
async def rides(asker):
    return await asker.create_topic("rides", partitions=2)


@pytest.mark.parametrize("version", [0, 1])
async def test_a_partition_may_be_moved_to_where_it_is(see, rides, version):
    response = await see(reassign(("rides", 0, [1]), ("rides", 1, [1]), may_change_factor=version == 0), version)
    assert (response.error_code, response.error_message) == (0, None)
    assert response.allow_replication_factor_change == (version == 0)
    assert codes(response) == [("rides", 0, 0), ("rides", 1, 0)]


@pytest.mark.parametrize("brokers", [[2], [1, 2], [1, 1], [], [-1], [2, 2]])
@pytest.mark.parametrize("may_change_factor", [True, False])
async def test_there_is_nowhere_else(see, rides, brokers, may_change_factor):
    response = await see(reassign(("rides", 0, brokers), may_change_factor=may_change_factor))
    assert codes(response) == [("rides", 0, ErrorCode.INVALID_REPLICA_ASSIGNMENT)]


async def test_a_move_that_is_not_under_way_cannot_be_ended(see, rides):
    assert codes(await see(reassign(("rides", 0, None)))) == [("rides", 0, ErrorCode.NO_REASSIGNMENT_IN_PROGRESS)]


async def test_an_error_belongs_to_its_partition_alone(see, rides):
    response = await see(reassign(("nope", 0, [1]), ("rides", 7, None), ("rides", -1, [9]), ("rides", 1, [1])))
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert response.error_code == 0
    assert codes(response) == [("nope", 0, unknown), ("rides", 7, unknown), ("rides", -1, unknown), ("rides", 1, 0)]


async def test_without_any_time_nothing_is_looked_at(see, rides):
    response = await see(reassign(("nope", 0, [1]), timeout_ms=0))
    assert response.error_code == ErrorCode.REQUEST_TIMED_OUT
    assert codes(response) == [("nope", 0, ErrorCode.REQUEST_TIMED_OUT)]


async def test_nothing_asked_is_nothing_answered(see):
    assert codes(await see(reassign())) == []
