"""ListOffsets: which offset belongs to a moment, or is the first or the last of a partition."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, int64, since


class ListOffsetsPartition(Struct):
    partition_index: int32
    current_leader_epoch: int32 = since(4, default=-1)  # KIP-320
    timestamp: int64


class ListOffsetsTopic(Struct):
    name: str
    partitions: list[ListOffsetsPartition]


class ListOffsetsRequest(Struct, versions=(1, 11), flexible=6):
    replica_id: int32
    isolation_level: int8 = since(2, default=0)  # KIP-98
    topics: list[ListOffsetsTopic]
    timeout_ms: int32 = since(10, default=0)  # KIP-1075


class ListOffsetsPartitionResponse(Struct):
    partition_index: int32
    error_code: int16 = 0
    timestamp: int64 = -1
    offset: int64 = -1
    leader_epoch: int32 = since(4, default=-1)  # KIP-320


class ListOffsetsTopicResponse(Struct):
    name: str
    partitions: list[ListOffsetsPartitionResponse]


class ListOffsetsResponse(Struct, versions=(1, 11), flexible=6):
    throttle_time_ms: int32 = since(2, default=0)
    topics: list[ListOffsetsTopicResponse]
