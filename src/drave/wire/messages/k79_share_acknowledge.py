"""ShareAcknowledge: what became of records that a member of a share group took."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, int64, since
from drave.wire.types import topic_uuid


class AcknowledgementBatch(Struct):
    first_offset: int64
    last_offset: int64
    acknowledge_types: list[int8]


class AcknowledgePartition(Struct):
    partition_index: int32
    acknowledgement_batches: list[AcknowledgementBatch]


class AcknowledgeTopic(Struct):
    topic_id: topic_uuid
    partitions: list[AcknowledgePartition]


class ShareAcknowledgeRequest(Struct, versions=(1, 2), flexible=0):
    group_id: str | None = None
    member_id: str | None
    share_session_epoch: int32
    is_renew_ack: bool = since(2, default=False)  # KIP-1222
    topics: list[AcknowledgeTopic]


class LeaderIdAndEpoch(Struct):
    leader_id: int32
    leader_epoch: int32


class PartitionData(Struct):
    partition_index: int32
    error_code: int16 = 0
    error_message: str | None = None
    current_leader: LeaderIdAndEpoch


class ShareAcknowledgeTopicResponse(Struct):
    topic_id: topic_uuid
    partitions: list[PartitionData]


class NodeEndpoint(Struct):
    node_id: int32
    host: str
    port: int32
    rack: str | None = None


class ShareAcknowledgeResponse(Struct, versions=(1, 2), flexible=0):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: str | None = None
    acquisition_lock_timeout_ms: int32 = since(2, default=0)  # KIP-1222
    responses: list[ShareAcknowledgeTopicResponse]
    node_endpoints: list[NodeEndpoint]
