"""DescribeTopicPartitions (KIP-966): topics and their partitions, in the order of their names, a page at a time.

limit 4     a-0 a-1 a-2 b-0 │ b-1 c-0 …          the cursor says where the next page begins: b, 1
"""

from __future__ import annotations

from typing import Final

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.broker.topics import TOPIC_OPERATIONS
from drave.catalog import Topic, check_topic_name
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.ids import ZERO_TOPIC_ID
from drave.wire.messages.k75_describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)

PARTITIONS_MAX: Final = 2000
"""On one page, whatever the client says. Kafka: `max.request.partition.size.limit`."""

NO_OPERATIONS: Final = -(1 << 31)
"""Nobody has looked what the client may do."""


def describe_topic_partitions(
    broker: Broker, context: Context, request: DescribeTopicPartitionsRequest
) -> DescribeTopicPartitionsResponse:
    """A page. Topics that cannot be described do not count; no topics at all asks for every one."""
    try:
        names = _names(broker, request)
    except ProtocolError as refusal:
        return _refused(request, refusal)
    response = DescribeTopicPartitionsResponse(topics=[])
    left = max(1, min(request.response_partition_limit, PARTITIONS_MAX))
    for name in names:
        if not left:
            response.next_cursor = Cursor(topic_name=name, partition_index=0)
            break
        cursor = request.cursor
        first = cursor.partition_index if cursor is not None and cursor.topic_name == name else 0
        answer, last = _describe(broker, name, first, left)
        response.topics.append(answer)
        if last is not None:
            response.next_cursor = Cursor(topic_name=name, partition_index=last)
            break
        left -= len(answer.partitions)
    return response


def _names(broker: Broker, request: DescribeTopicPartitionsRequest) -> list[str]:
    """The topics from the cursor on, each once. Raises Refused for a cursor that no page of this request gave."""
    asked = {topic.name for topic in request.topics}
    cursor = request.cursor
    if cursor is None:
        return sorted(asked or broker.catalog.topics())
    if cursor.partition_index < 0 or (asked and cursor.topic_name not in asked):
        where = f"{cursor.topic_name!r}, {cursor.partition_index}"
        raise Refused(ErrorCode.INVALID_REQUEST, f"The cursor {where} is not from a page of what is asked for.")
    return sorted(name for name in asked or broker.catalog.topics() if name >= cursor.topic_name)


def _describe(
    broker: Broker, name: str, first: int, most: int
) -> tuple[DescribeTopicPartitionsResponseTopic, int | None]:
    """The topic with its partitions from `first` on, and the partition before which the page ends, if it does."""
    try:
        check_topic_name(name)
        topic = broker.topic(name)
    except ProtocolError as refusal:
        return _unknown(name, refusal, TOPIC_OPERATIONS), None
    last = min(topic.partitions, first + most)
    answer = DescribeTopicPartitionsResponseTopic(
        name=name,
        topic_id=topic.topic_id,
        is_internal=topic.internal,
        partitions=[_partition(broker, topic, index) for index in range(first, last)],
        topic_authorized_operations=TOPIC_OPERATIONS,
    )
    return answer, last if last < topic.partitions else None


def _partition(broker: Broker, topic: Topic, index: int) -> DescribeTopicPartitionsResponsePartition:
    here = [broker.node_id]
    return DescribeTopicPartitionsResponsePartition(
        partition_index=index,
        leader_id=broker.node_id,
        leader_epoch=broker.partition(topic, index).leader_epoch,
        replica_nodes=here,
        isr_nodes=here,
        eligible_leader_replicas=[],
        last_known_elr=[],
        offline_replicas=[],
    )


def _refused(request: DescribeTopicPartitionsRequest, refusal: ProtocolError) -> DescribeTopicPartitionsResponse:
    return DescribeTopicPartitionsResponse(
        topics=[_unknown(topic.name, refusal, NO_OPERATIONS) for topic in request.topics]
    )


def _unknown(name: str, refusal: ProtocolError, operations: int) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(
        error_code=refusal.code,
        name=name,
        topic_id=ZERO_TOPIC_ID,
        partitions=[],
        topic_authorized_operations=operations,
    )
