"""AddPartitionsToTxn: partitions that a transaction is about to write to."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64, since, until


class AddPartitionsToTxnTopic(Struct):
    name: str
    partitions: list[int32]


class AddPartitionsToTxnTransaction(Struct):
    transactional_id: str
    producer_id: int64
    producer_epoch: int16
    verify_only: bool = False
    topics: list[AddPartitionsToTxnTopic]


class AddPartitionsToTxnRequest(Struct, versions=(0, 5), flexible=3):
    transactions: list[AddPartitionsToTxnTransaction] = since(4, default=[])  # KIP-890
    v3_and_below_transactional_id: str = until(3, default="")
    v3_and_below_producer_id: int64 = until(3, default=0)
    v3_and_below_producer_epoch: int16 = until(3, default=0)
    v3_and_below_topics: list[AddPartitionsToTxnTopic] = until(3, default=[])


class AddPartitionsToTxnPartitionResult(Struct):
    partition_index: int32
    partition_error_code: int16


class AddPartitionsToTxnTopicResult(Struct):
    name: str
    results_by_partition: list[AddPartitionsToTxnPartitionResult]


class AddPartitionsToTxnResult(Struct):
    transactional_id: str
    topic_results: list[AddPartitionsToTxnTopicResult]


class AddPartitionsToTxnResponse(Struct, versions=(0, 5), flexible=3):
    throttle_time_ms: int32 = 0
    error_code: int16 = since(4, default=0)
    results_by_transaction: list[AddPartitionsToTxnResult] = since(4, default=[])  # KIP-890
    results_by_topic_v3_and_below: list[AddPartitionsToTxnTopicResult] = until(3, default=[])
