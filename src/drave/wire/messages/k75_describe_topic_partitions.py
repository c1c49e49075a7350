"""DescribeTopicPartitions: topics and their partitions, a page at a time."""

from __future__ import annotations

from drave.schema import Struct, int16, int32
from drave.wire.types import topic_uuid


class TopicRequest(Struct):
    name: str


class Cursor(Struct):
    topic_name: str
    partition_index: int32


class DescribeTopicPartitionsRequest(Struct, versions=(0, 0), flexible=0):
    topics: list[TopicRequest]
    response_partition_limit: int32 = 2000
    cursor: Cursor | None = None


class DescribeTopicPartitionsResponsePartition(Struct):
    error_code: int16 = 0
    partition_index: int32
    leader_id: int32
    leader_epoch: int32 = -1
    replica_nodes: list[int32]
    isr_nodes: list[int32]
    eligible_leader_replicas: list[int32] | None = None
    last_known_elr: list[int32] | None = None
    offline_replicas: list[int32]


class DescribeTopicPartitionsResponseTopic(Struct):
    error_code: int16 = 0
    name: str | None
    topic_id: topic_uuid
    is_internal: bool = False
    partitions: list[DescribeTopicPartitionsResponsePartition]
    topic_authorized_operations: int32 = -(2**31)


class DescribeTopicPartitionsResponse(Struct, versions=(0, 0), flexible=0):
    throttle_time_ms: int32 = 0
    topics: list[DescribeTopicPartitionsResponseTopic]
    next_cursor: Cursor | None = None
