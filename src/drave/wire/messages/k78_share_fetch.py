"""ShareFetch: records that this member alone has for a while, and what became of those before."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, int64, record_slices, since
from drave.wire.types import topic_uuid


class AcknowledgementBatch(Struct):
    first_offset: int64
    last_offset: int64
    acknowledge_types: list[int8]


class FetchPartition(Struct):
    partition_index: int32
    acknowledgement_batches: list[AcknowledgementBatch]


class FetchTopic(Struct):
    topic_id: topic_uuid
    partitions: list[FetchPartition]


class ForgottenTopic(Struct):
    topic_id: topic_uuid
    partitions: list[int32]


class ShareFetchRequest(Struct, versions=(1, 2), flexible=0):
    group_id: str | None = None
    member_id: str | None
    share_session_epoch: int32
    max_wait_ms: int32
    min_bytes: int32
    max_bytes: int32 = 2**31 - 1
    max_records: int32
    batch_size: int32
    share_acquire_mode: int8 = since(2, default=0)  # KIP-1206
    is_renew_ack: bool = since(2, default=False)  # KIP-1222
    topics: list[FetchTopic]
    forgotten_topics_data: list[ForgottenTopic]


class LeaderIdAndEpoch(Struct):
    leader_id: int32
    leader_epoch: int32


class AcquiredRecords(Struct):
    first_offset: int64
    last_offset: int64
    delivery_count: int16


class PartitionData(Struct):
    partition_index: int32
    error_code: int16 = 0
    error_message: str | None = None
    acknowledge_error_code: int16
    acknowledge_error_message: str | None = None
    current_leader: LeaderIdAndEpoch
    records: record_slices
    acquired_records: list[AcquiredRecords]


class ShareFetchableTopicResponse(Struct):
    topic_id: topic_uuid
    partitions: list[PartitionData]


class NodeEndpoint(Struct):
    node_id: int32
    host: str
    port: int32
    rack: str | None = None


class ShareFetchResponse(Struct, versions=(1, 2), flexible=0):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: str | None = None
    acquisition_lock_timeout_ms: int32
    responses: list[ShareFetchableTopicResponse]
    node_endpoints: list[NodeEndpoint]
