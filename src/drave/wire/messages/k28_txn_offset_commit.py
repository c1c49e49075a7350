"""TxnOffsetCommit: a group's offsets, as part of a transaction."""

from __future__ import annotations

from drave.model.ids import ZERO_TOPIC_ID
from drave.schema import Struct, int16, int32, int64, since, until
from drave.wire.types import topic_uuid


class TxnOffsetCommitRequestPartition(Struct):
    partition_index: int32
    committed_offset: int64
    committed_leader_epoch: int32 = since(2, default=-1)  # KIP-320
    committed_metadata: str | None


class TxnOffsetCommitRequestTopic(Struct):
    name: str = until(5, default="")
    topic_id: topic_uuid = since(6, default=ZERO_TOPIC_ID)  # KIP-1319
    partitions: list[TxnOffsetCommitRequestPartition]


class TxnOffsetCommitRequest(Struct, versions=(0, 6), flexible=3):
    transactional_id: str
    group_id: str
    producer_id: int64
    producer_epoch: int16
    generation_id_or_member_epoch: int32 = since(3, default=-1)  # KIP-447
    member_id: str = since(3, default="")  # KIP-447
    group_instance_id: str | None = since(3, default=None)  # KIP-447
    topics: list[TxnOffsetCommitRequestTopic]


class TxnOffsetCommitResponsePartition(Struct):
    partition_index: int32
    error_code: int16 = 0


class TxnOffsetCommitResponseTopic(Struct):
    name: str = until(5, default="")
    topic_id: topic_uuid = since(6, default=ZERO_TOPIC_ID)  # KIP-1319
    partitions: list[TxnOffsetCommitResponsePartition]


class TxnOffsetCommitResponse(Struct, versions=(0, 6), flexible=3):
    throttle_time_ms: int32 = 0
    topics: list[TxnOffsetCommitResponseTopic]
