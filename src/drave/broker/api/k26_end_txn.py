"""EndTxn: a transaction commits or aborts. From version 5 on its end raises the producer's epoch (KIP-890)."""

from __future__ import annotations

from typing import Any, Final

from drave.broker.context import Context
from drave.broker.coordinator.transaction import EPOCH_BUMPS_SINCE
from drave.broker.coordinator.transactions import fenced_before
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k26_end_txn import EndTxnRequest, EndTxnResponse

BUMPS_SINCE: Final = 5
FENCED_SINCE: Final = 2
"""Versions that know PRODUCER_FENCED."""


def end_txn(broker: Broker, context: Context, request: EndTxnRequest) -> Any:
    """Answered once the decision is durable; the markers follow."""
    if not request.transactional_id:
        return EndTxnResponse(error_code=ErrorCode.INVALID_REQUEST)
    version = EPOCH_BUMPS_SINCE if context.api_version >= BUMPS_SINCE else 0
    return fenced_before(FENCED_SINCE, context, broker.transactions.end(request, version))
