"""WriteTxnMarkers: the end of transactions, written into their partitions."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, int64, since


class WritableTxnMarkerTopic(Struct):
    name: str
    partition_indexes: list[int32]


class WritableTxnMarker(Struct):
    producer_id: int64
    producer_epoch: int16
    transaction_result: bool
    topics: list[WritableTxnMarkerTopic]
    coordinator_epoch: int32
    transaction_version: int8 = since(2, default=0)  # KIP-1228


class WriteTxnMarkersRequest(Struct, versions=(1, 2), flexible=1):
    markers: list[WritableTxnMarker]


class WritableTxnMarkerPartitionResult(Struct):
    partition_index: int32
    error_code: int16 = 0


class WritableTxnMarkerTopicResult(Struct):
    name: str
    partitions: list[WritableTxnMarkerPartitionResult]


class WritableTxnMarkerResult(Struct):
    producer_id: int64
    topics: list[WritableTxnMarkerTopicResult]


class WriteTxnMarkersResponse(Struct, versions=(1, 2), flexible=1):
    markers: list[WritableTxnMarkerResult]
