"""OffsetFetch: how far groups said that they had come."""

from __future__ import annotations

from drave.model.ids import ZERO_TOPIC_ID
from drave.schema import Struct, int16, int32, int64, since, until
from drave.wire.types import topic_uuid


class OffsetFetchRequestTopic(Struct):
    name: str
    partition_indexes: list[int32]


class OffsetFetchRequestTopics(Struct):
    name: str = until(9, default="")
    topic_id: topic_uuid = since(10, default=ZERO_TOPIC_ID)  # KIP-848
    partition_indexes: list[int32]


class OffsetFetchRequestGroup(Struct):
    group_id: str
    member_id: str | None = since(9, default=None)  # KIP-848
    member_epoch: int32 = since(9, default=-1)  # KIP-848
    topics: list[OffsetFetchRequestTopics] | None


class OffsetFetchRequest(Struct, versions=(1, 10), flexible=6):
    group_id: str = until(7, default="")
    topics: list[OffsetFetchRequestTopic] | None = until(7, nullable=2, default=[])
    groups: list[OffsetFetchRequestGroup] = since(8, default=[])  # KIP-709
    require_stable: bool = since(7, default=False)  # KIP-447


class OffsetFetchResponsePartition(Struct):
    partition_index: int32
    committed_offset: int64
    committed_leader_epoch: int32 = since(5, default=-1)  # KIP-320
    metadata: str | None
    error_code: int16 = 0


class OffsetFetchResponseTopic(Struct):
    name: str
    partitions: list[OffsetFetchResponsePartition]


class OffsetFetchResponsePartitions(Struct):
    partition_index: int32
    committed_offset: int64
    committed_leader_epoch: int32 = -1
    metadata: str | None
    error_code: int16 = 0


class OffsetFetchResponseTopics(Struct):
    name: str = until(9, default="")
    topic_id: topic_uuid = since(10, default=ZERO_TOPIC_ID)  # KIP-848
    partitions: list[OffsetFetchResponsePartitions]


class OffsetFetchResponseGroup(Struct):
    group_id: str
    topics: list[OffsetFetchResponseTopics]
    error_code: int16 = 0


class OffsetFetchResponse(Struct, versions=(1, 10), flexible=6):
    throttle_time_ms: int32 = since(3, default=0)
    topics: list[OffsetFetchResponseTopic] = until(7, default=[])
    error_code: int16 = since(2, until=7, default=0)
    groups: list[OffsetFetchResponseGroup] = since(8, default=[])  # KIP-709
