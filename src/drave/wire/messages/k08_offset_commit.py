"""OffsetCommit: how far a group has come in each partition."""

from __future__ import annotations

from drave.model.ids import ZERO_TOPIC_ID
from drave.schema import Struct, int16, int32, int64, since, until
from drave.wire.types import topic_uuid


class OffsetCommitRequestPartition(Struct):
    partition_index: int32
    committed_offset: int64
    committed_leader_epoch: int32 = since(6, default=-1)  # KIP-320
    committed_metadata: str | None


class OffsetCommitRequestTopic(Struct):
    name: str = until(9, default="")
    topic_id: topic_uuid = since(10, default=ZERO_TOPIC_ID)  # KIP-848
    partitions: list[OffsetCommitRequestPartition]


class OffsetCommitRequest(Struct, versions=(2, 10), flexible=8):
    group_id: str
    generation_id_or_member_epoch: int32 = -1
    member_id: str
    group_instance_id: str | None = since(7, default=None)  # KIP-345
    retention_time_ms: int64 = until(4, default=-1)
    topics: list[OffsetCommitRequestTopic]


class OffsetCommitResponsePartition(Struct):
    partition_index: int32
    error_code: int16 = 0


class OffsetCommitResponseTopic(Struct):
    name: str = until(9, default="")
    topic_id: topic_uuid = since(10, default=ZERO_TOPIC_ID)  # KIP-848
    partitions: list[OffsetCommitResponsePartition]


class OffsetCommitResponse(Struct, versions=(2, 10), flexible=8):
    throttle_time_ms: int32 = since(3, default=0)
    topics: list[OffsetCommitResponseTopic]
