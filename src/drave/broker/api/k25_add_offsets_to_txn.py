"""AddOffsetsToTxn: a group whose offsets a transaction is about to commit, that is, the partition that keeps them."""

from __future__ import annotations

from typing import Any, Final

from drave.broker.context import Context, Pending
from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.runtime import answered
from drave.broker.coordinator.transactions import fenced_before
from drave.broker.core import Broker
from drave.catalog import CONSUMER_OFFSETS
from drave.model.errors import ErrorCode, ProtocolError
from drave.wire.messages.k25_add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse

FENCED_SINCE: Final = 2
"""Versions that know PRODUCER_FENCED."""


async def add_offsets_to_txn(broker: Broker, context: Context, request: AddOffsetsToTxnRequest) -> Any:
    """Answered once it is durable. The groups' topic has to be there for that."""
    if not request.transactional_id:
        return AddOffsetsToTxnResponse(error_code=ErrorCode.INVALID_REQUEST)
    try:
        await broker.groups.ensure_topic()
    except ProtocolError:
        return AddOffsetsToTxnResponse(error_code=ErrorCode.COORDINATOR_NOT_AVAILABLE)
    place = CONSUMER_OFFSETS, broker.groups.partition_for(request.group_id)
    writer = Writer(request.producer_id, request.producer_epoch)
    code = broker.transactions.add(request.transactional_id, writer, [place], version=0)
    if isinstance(code, Pending):
        code = await answered(code)
    return fenced_before(FENCED_SINCE, context, AddOffsetsToTxnResponse(error_code=code))
