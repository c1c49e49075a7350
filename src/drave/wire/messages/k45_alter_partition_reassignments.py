"""AlterPartitionReassignments: other replicas for partitions, or the end of a move that is under way."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, since


class ReassignablePartition(Struct):
    partition_index: int32
    replicas: list[int32] | None = None


class ReassignableTopic(Struct):
    name: str
    partitions: list[ReassignablePartition]


class AlterPartitionReassignmentsRequest(Struct, versions=(0, 1), flexible=0):
    timeout_ms: int32 = 60000
    allow_replication_factor_change: bool = since(1, default=True)  # KIP-860
    topics: list[ReassignableTopic]


class ReassignablePartitionResponse(Struct):
    partition_index: int32
    error_code: int16 = 0
    error_message: str | None = None


class ReassignableTopicResponse(Struct):
    name: str
    partitions: list[ReassignablePartitionResponse]


class AlterPartitionReassignmentsResponse(Struct, versions=(0, 1), flexible=0):
    throttle_time_ms: int32 = 0
    allow_replication_factor_change: bool = since(1, default=True)  # KIP-860
    error_code: int16 = 0
    error_message: str | None = None
    responses: list[ReassignableTopicResponse]
