"""DescribeTransactions: how far the transactions of these ids have come (KIP-664)."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k65_describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TransactionState,
)


def describe_transactions(broker: Broker, context: Context, request: DescribeTransactionsRequest) -> Any:
    """Answered when what is told is durable. An id that is named twice is described once."""
    ids = dict.fromkeys(request.transactional_ids)
    response = DescribeTransactionsResponse(transaction_states=[_describe(broker, each) for each in ids])
    return broker.transactions.once_durable(response, [each for each in ids if each])


def _describe(broker: Broker, transactional_id: str) -> TransactionState:
    if not transactional_id:
        return _refused(transactional_id, ErrorCode.INVALID_REQUEST)
    shard = broker.transactions.shard(transactional_id)
    if isinstance(shard, ErrorCode):
        return _refused(transactional_id, shard)
    return shard.describe(transactional_id) or _refused(transactional_id, ErrorCode.TRANSACTIONAL_ID_NOT_FOUND)


def _refused(transactional_id: str, code: ErrorCode) -> TransactionState:
    return TransactionState(
        error_code=code,
        transactional_id=transactional_id,
        transaction_state="",
        transaction_timeout_ms=0,
        transaction_start_time_ms=0,
        producer_id=0,
        producer_epoch=0,
        topics=[],
    )
