"""DescribeTransactions: how far transactions have come."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64


class DescribeTransactionsRequest(Struct, versions=(0, 0), flexible=0):
    transactional_ids: list[str]


class TopicData(Struct):
    topic: str
    partitions: list[int32]


class TransactionState(Struct):
    error_code: int16 = 0
    transactional_id: str
    transaction_state: str
    transaction_timeout_ms: int32
    transaction_start_time_ms: int64
    producer_id: int64
    producer_epoch: int16
    topics: list[TopicData]


class DescribeTransactionsResponse(Struct, versions=(0, 0), flexible=0):
    throttle_time_ms: int32 = 0
    transaction_states: list[TransactionState]
