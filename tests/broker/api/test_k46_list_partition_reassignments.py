"""ListPartitionReassignments: what Apache Kafka 4.3.1 with one broker answers."""

from __future__ import annotations

import pytest

from drave.wire.messages.k46_list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)


@pytest.mark.parametrize("asked", [None, [], ["rides"], ["nope"]])
async def test_nothing_is_ever_on_the_move(see, asker, asked):
    await asker.create_topic("rides")
    topics = None if asked is None else [ListPartitionReassignmentsTopics(name=n, partition_indexes=[0]) for n in asked]
    response = await see(ListPartitionReassignmentsRequest(topics=topics))
    assert (response.error_code, response.topics) == (0, [])
