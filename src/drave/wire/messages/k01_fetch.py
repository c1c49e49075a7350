"""Fetch: whole batches from an offset in each partition, at once or when there are enough of them."""

from __future__ import annotations

from drave.model.ids import ZERO_TOPIC_ID
from drave.schema import ZERO_UUID, Struct, int8, int16, int32, int64, record_slices, since, tagged, until, uuid
from drave.wire.types import topic_uuid


class ReplicaState(Struct):
    replica_id: int32 = -1
    replica_epoch: int64 = -1


class FetchPartition(Struct):
    partition: int32
    current_leader_epoch: int32 = since(9, default=-1)  # KIP-320
    fetch_offset: int64
    last_fetched_epoch: int32 = since(12, default=-1)  # KIP-595
    log_start_offset: int64 = since(5, default=-1)  # KIP-107
    partition_max_bytes: int32
    replica_directory_id: uuid = tagged(0, since=17, default=ZERO_UUID)  # KIP-853
    high_watermark: int64 = tagged(1, since=18, default=2**63 - 1)  # KIP-1166


class FetchTopic(Struct):
    topic: str = until(12, default="")
    topic_id: topic_uuid = since(13, default=ZERO_TOPIC_ID)  # KIP-516
    partitions: list[FetchPartition]


class ForgottenTopic(Struct):
    topic: str = until(12, default="")
    topic_id: topic_uuid = since(13, default=ZERO_TOPIC_ID)  # KIP-516
    partitions: list[int32]


class FetchRequest(Struct, versions=(4, 18), flexible=12):
    cluster_id: str | None = tagged(0, since=12, default=None)  # KIP-595
    replica_id: int32 = until(14, default=-1)
    replica_state: ReplicaState | None = tagged(1, since=15, default=None)  # KIP-903
    max_wait_ms: int32
    min_bytes: int32
    max_bytes: int32 = 2**31 - 1
    isolation_level: int8 = 0
    session_id: int32 = since(7, default=0)  # KIP-227
    session_epoch: int32 = since(7, default=-1)  # KIP-227
    topics: list[FetchTopic]
    forgotten_topics_data: list[ForgottenTopic] = since(7, default=[])  # KIP-227
    rack_id: str = since(11, default="")  # KIP-392


class EpochEndOffset(Struct):
    epoch: int32 = -1
    end_offset: int64 = -1


class LeaderIdAndEpoch(Struct):
    leader_id: int32 = -1
    leader_epoch: int32 = -1


class SnapshotId(Struct):
    end_offset: int64 = -1
    epoch: int32 = -1


class AbortedTransaction(Struct):
    producer_id: int64
    first_offset: int64


class PartitionData(Struct):
    partition_index: int32
    error_code: int16 = 0
    high_watermark: int64
    last_stable_offset: int64 = -1
    log_start_offset: int64 = since(5, default=-1)  # KIP-107
    diverging_epoch: EpochEndOffset | None = tagged(0, since=12, default=None)  # KIP-595
    current_leader: LeaderIdAndEpoch | None = tagged(1, since=12, default=None)  # KIP-595
    snapshot_id: SnapshotId | None = tagged(2, since=12, default=None)  # KIP-630
    aborted_transactions: list[AbortedTransaction] | None = None
    preferred_read_replica: int32 = since(11, default=-1)  # KIP-392
    records: record_slices | None


class FetchableTopicResponse(Struct):
    topic: str = until(12, default="")
    topic_id: topic_uuid = since(13, default=ZERO_TOPIC_ID)  # KIP-516
    partitions: list[PartitionData]


class NodeEndpoint(Struct):
    node_id: int32
    host: str
    port: int32
    rack: str | None = None


class FetchResponse(Struct, versions=(4, 18), flexible=12):
    throttle_time_ms: int32 = 0
    error_code: int16 = since(7, default=0)
    session_id: int32 = since(7, default=0)  # KIP-227
    responses: list[FetchableTopicResponse]
    node_endpoints: list[NodeEndpoint] = tagged(0, since=16, default=[])  # KIP-951
