"""Metadata: the brokers, and who leads which partition of which topic."""

from __future__ import annotations

from drave.model.ids import ZERO_TOPIC_ID
from drave.schema import Struct, int16, int32, nullable, since
from drave.wire.types import topic_uuid


class MetadataRequestTopic(Struct):
    topic_id: topic_uuid = since(10, default=ZERO_TOPIC_ID)  # KIP-516
    name: str | None = nullable(10)


class MetadataRequest(Struct, versions=(0, 13), flexible=9):
    topics: list[MetadataRequestTopic] | None = nullable(1)
    allow_auto_topic_creation: bool = since(4, default=True)
    include_cluster_authorized_operations: bool = since(8, until=10, default=False)  # KIP-430
    include_topic_authorized_operations: bool = since(8, default=False)  # KIP-430


class MetadataResponseBroker(Struct):
    node_id: int32
    host: str
    port: int32
    rack: str | None = since(1, default=None)  # KIP-36


class MetadataResponsePartition(Struct):
    error_code: int16 = 0
    partition_index: int32
    leader_id: int32
    leader_epoch: int32 = since(7, default=-1)  # KIP-320
    replica_nodes: list[int32]
    isr_nodes: list[int32]
    offline_replicas: list[int32] = since(5, default=[])  # KIP-112


class MetadataResponseTopic(Struct):
    error_code: int16 = 0
    name: str | None = nullable(12)
    topic_id: topic_uuid = since(10, default=ZERO_TOPIC_ID)  # KIP-516
    is_internal: bool = since(1, default=False)
    partitions: list[MetadataResponsePartition]
    topic_authorized_operations: int32 = since(8, default=-(2**31))  # KIP-430


class MetadataResponse(Struct, versions=(0, 13), flexible=9):
    throttle_time_ms: int32 = since(3, default=0)
    brokers: list[MetadataResponseBroker]
    cluster_id: str | None = since(2, default=None)  # KIP-78
    controller_id: int32 = since(1, default=-1)
    topics: list[MetadataResponseTopic]
    cluster_authorized_operations: int32 = since(8, until=10, default=-(2**31))  # KIP-430
    error_code: int16 = since(13, default=0)
