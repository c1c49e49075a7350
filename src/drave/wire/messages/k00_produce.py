"""Produce: record batches for partitions, and where in the log each of them landed."""

from __future__ import annotations

from drave.model.ids import ZERO_TOPIC_ID
from drave.schema import Struct, int16, int32, int64, records, since, tagged, until
from drave.wire.types import topic_uuid


class PartitionProduceData(Struct):
    index: int32
    records: records | None


class TopicProduceData(Struct):
    name: str = until(12, default="")
    topic_id: topic_uuid = since(13, default=ZERO_TOPIC_ID)  # KIP-516
    partition_data: list[PartitionProduceData]


class ProduceRequest(Struct, versions=(3, 13), flexible=9):
    transactional_id: str | None = None
    acks: int16
    timeout_ms: int32
    topic_data: list[TopicProduceData]


class BatchIndexAndErrorMessage(Struct):
    batch_index: int32
    batch_index_error_message: str | None = None


class LeaderIdAndEpoch(Struct):
    leader_id: int32 = -1
    leader_epoch: int32 = -1


class PartitionProduceResponse(Struct):
    index: int32
    error_code: int16 = 0
    base_offset: int64
    log_append_time_ms: int64 = -1
    log_start_offset: int64 = since(5, default=-1)
    record_errors: list[BatchIndexAndErrorMessage] = since(8, default=[])  # KIP-467
    error_message: str | None = since(8, default=None)  # KIP-467
    current_leader: LeaderIdAndEpoch | None = tagged(0, since=10, default=None)  # KIP-951


class TopicProduceResponse(Struct):
    name: str = until(12, default="")
    topic_id: topic_uuid = since(13, default=ZERO_TOPIC_ID)  # KIP-516
    partition_responses: list[PartitionProduceResponse]


class NodeEndpoint(Struct):
    node_id: int32
    host: str
    port: int32
    rack: str | None = None


class ProduceResponse(Struct, versions=(3, 13), flexible=9):
    responses: list[TopicProduceResponse]
    throttle_time_ms: int32 = 0
    node_endpoints: list[NodeEndpoint] = tagged(0, since=10, default=[])  # KIP-951
