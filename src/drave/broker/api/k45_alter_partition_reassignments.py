"""AlterPartitionReassignments: other replicas for partitions, or the end of a move that is under way.

There is one broker: a partition is on it already, and never on the move.
"""

from __future__ import annotations

from collections.abc import Sequence

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.broker.topics import check_replicas, check_time_is_left
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.wire.messages.k45_alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)


def alter_partition_reassignments(
    broker: Broker, context: Context, request: AlterPartitionReassignmentsRequest
) -> AlterPartitionReassignmentsResponse:
    """An error belongs to its partition alone, unless the request gives no time at all."""
    response = AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=request.allow_replication_factor_change, responses=[]
    )
    late: ProtocolError | None = None
    try:
        check_time_is_left(request.timeout_ms)
    except ProtocolError as refusal:
        late, response.error_code, response.error_message = refusal, refusal.code, str(refusal)
    for topic in request.topics:
        answers = []
        for asked in topic.partitions:
            answer = ReassignablePartitionResponse(partition_index=asked.partition_index)
            refused = late or _refusal(broker, topic.name, asked.partition_index, asked.replicas)
            if refused is not None:
                answer.error_code, answer.error_message = refused.code, str(refused)
            answers.append(answer)
        response.responses.append(ReassignableTopicResponse(name=topic.name, partitions=answers))
    return response


def _refusal(broker: Broker, name: str, index: int, replicas: Sequence[int] | None) -> ProtocolError | None:
    try:
        broker.partition(broker.topic(name), index)
        if replicas is None:
            raise Refused(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, f"{name}-{index} is not on the move.")
        check_replicas(broker, index, replicas)
    except ProtocolError as refusal:
        return refusal
    return None
