"""ListPartitionReassignments: which partitions are on the move. With one broker, none ever is."""

from __future__ import annotations

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.wire.messages.k46_list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)


def list_partition_reassignments(
    broker: Broker, context: Context, request: ListPartitionReassignmentsRequest
) -> ListPartitionReassignmentsResponse:
    """Partitions that are asked for and not on the move are left out, known or not, as in Kafka."""
    return ListPartitionReassignmentsResponse(topics=[])
