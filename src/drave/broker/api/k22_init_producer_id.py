"""InitProducerId: an identity for an idempotent producer (KIP-98), the next life of a transactional one (KIP-360)."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any, Final

from drave.broker.context import Context
from drave.broker.coordinator.transactions import fenced_before
from drave.broker.core import Broker
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest, InitProducerIdResponse

logger = logging.getLogger("drave.broker")

Answer = InitProducerIdResponse | Coroutine[Any, Any, InitProducerIdResponse]

FENCED_SINCE: Final = 4
"""Versions that know PRODUCER_FENCED; those before are told INVALID_PRODUCER_EPOCH."""


def init_producer_id(broker: Broker, context: Context, request: InitProducerIdRequest) -> Any:
    """At once from the block of ids at hand, or after the catalog has given another; a transactional id's coordinator
    answers for itself."""
    try:
        _check(request)
    except ProtocolError as refusal:
        return _refused(refusal)
    if request.transactional_id is not None:
        return fenced_before(FENCED_SINCE, context, broker.transactions.init_producer_id(request))
    context.connection.asks_anybody()
    producer_id = broker.producer_ids.take()
    return _fetch(broker) if producer_id is None else _fresh(producer_id)


async def _fetch(broker: Broker) -> InitProducerIdResponse:
    try:
        return _fresh(await broker.producer_ids.fetch())
    except ProtocolError as refusal:
        logger.error("no producer ids: %s", refusal)
        return _refused(refusal)


def _check(request: InitProducerIdRequest) -> None:
    if request.transactional_id == "":
        raise Refused(ErrorCode.INVALID_REQUEST, "A transactional id is not empty.")
    if (request.producer_id == -1) != (request.producer_epoch == -1):  # KIP-360 sends both or neither
        raise Refused(ErrorCode.INVALID_REQUEST, "A producer id comes with its epoch.")


def _fresh(producer_id: int) -> InitProducerIdResponse:
    """A producer that had an id gets another one too: only a transactional id could carry it on."""
    return InitProducerIdResponse(producer_id=producer_id, producer_epoch=0)


def _refused(refusal: ProtocolError) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=refusal.code, producer_epoch=-1)
