"""ElectLeaders: a new leader for partitions, preferred or unclean."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, since


class TopicPartitions(Struct):
    topic: str
    partitions: list[int32]


class ElectLeadersRequest(Struct, versions=(0, 2), flexible=2):
    election_type: int8 = since(1, default=0)  # KIP-460
    topic_partitions: list[TopicPartitions] | None
    timeout_ms: int32 = 60000


class PartitionResult(Struct):
    partition_id: int32
    error_code: int16 = 0
    error_message: str | None = None


class ReplicaElectionResult(Struct):
    topic: str
    partition_result: list[PartitionResult]


class ElectLeadersResponse(Struct, versions=(0, 2), flexible=2):
    throttle_time_ms: int32 = 0
    error_code: int16 = since(1, default=0)
    replica_election_results: list[ReplicaElectionResult]
