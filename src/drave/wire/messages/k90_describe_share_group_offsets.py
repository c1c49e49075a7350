"""DescribeShareGroupOffsets: how far share groups have come."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64, since
from drave.wire.types import topic_uuid


class DescribeShareGroupOffsetsRequestTopic(Struct):
    topic_name: str
    partitions: list[int32]


class DescribeShareGroupOffsetsRequestGroup(Struct):
    group_id: str
    topics: list[DescribeShareGroupOffsetsRequestTopic] | None


class DescribeShareGroupOffsetsRequest(Struct, versions=(0, 1), flexible=0):
    groups: list[DescribeShareGroupOffsetsRequestGroup]


class DescribeShareGroupOffsetsResponsePartition(Struct):
    partition_index: int32
    start_offset: int64
    leader_epoch: int32
    lag: int64 = since(1, default=-1)  # KIP-1226
    error_code: int16 = 0
    error_message: str | None = None


class DescribeShareGroupOffsetsResponseTopic(Struct):
    topic_name: str
    topic_id: topic_uuid
    partitions: list[DescribeShareGroupOffsetsResponsePartition]


class DescribeShareGroupOffsetsResponseGroup(Struct):
    group_id: str
    topics: list[DescribeShareGroupOffsetsResponseTopic]
    error_code: int16 = 0
    error_message: str | None = None


class DescribeShareGroupOffsetsResponse(Struct, versions=(0, 1), flexible=0):
    throttle_time_ms: int32 = 0
    groups: list[DescribeShareGroupOffsetsResponseGroup]
