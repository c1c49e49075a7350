"""FindCoordinator: which broker looks after a group or a transactional producer. One broker looks after all of them.

Share groups are not served yet: who asks for their coordinator is told so.
"""

from __future__ import annotations

import enum
import logging
from typing import Final

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.wire.messages.k10_find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse

logger = logging.getLogger("drave.broker")

BATCHED_SINCE: Final = 4
"""KIP-699: several keys in one request."""

NOBODY: Final = (-1, "", -1)


class KeyType(enum.IntEnum):
    """What the key of a request names."""

    GROUP = 0
    TRANSACTION = 1
    SHARE = 2


def find_coordinator(broker: Broker, context: Context, request: FindCoordinatorRequest) -> FindCoordinatorResponse:
    """This broker. The coordinators' topics need not be there: they are created when there is something to keep."""
    try:
        _check(context, request)
    except ProtocolError as refusal:
        return _response(context, request, NOBODY, refusal)
    return _response(context, request, (broker.node_id, *broker.advertised(context)))


def _check(context: Context, request: FindCoordinatorRequest) -> None:
    if request.key_type in (KeyType.GROUP, KeyType.TRANSACTION):
        return
    if request.key_type == KeyType.SHARE:
        refusal = Refused(ErrorCode.INVALID_REQUEST, "Share groups are not served by this version of Drave.")
    else:
        refusal = Refused(ErrorCode.INVALID_REQUEST, f"There is no coordinator of type {request.key_type}.")
    logger.warning("%s at %s asked for a coordinator: %s", context.client_id, context.connection.client_host, refusal)
    raise refusal


def _response(
    context: Context,
    request: FindCoordinatorRequest,
    place: tuple[int, str, int],
    refusal: ProtocolError | None = None,
) -> FindCoordinatorResponse:
    node_id, host, port = place
    code = ErrorCode.NONE if refusal is None else refusal.code
    if context.api_version < BATCHED_SINCE:
        message = "NONE" if refusal is None else str(refusal)  # Kafka's own word for no error
        return FindCoordinatorResponse(error_code=code, error_message=message, node_id=node_id, host=host, port=port)
    message = "" if refusal is None else str(refusal)
    return FindCoordinatorResponse(
        coordinators=[
            Coordinator(key=key, node_id=node_id, host=host, port=port, error_code=code, error_message=message)
            for key in request.coordinator_keys
        ]
    )
