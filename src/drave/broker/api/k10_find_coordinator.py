"""FindCoordinator: which broker looks after a group, a transactional producer or the state of a share-partition. One
broker looks after all of them."""

from __future__ import annotations

import enum
import logging
from typing import Final

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.ids import topic_id_from_text
from drave.wire.messages.k10_find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse

logger = logging.getLogger("drave.broker")

BATCHED_SINCE: Final = 4
"""KIP-699: several keys in one request."""

SHARE_SINCE: Final = 6
"""KIP-932. Only brokers ask for it, of one another."""

NOBODY: Final = (-1, "", -1)


class KeyType(enum.IntEnum):
    """What the key of a request names."""

    GROUP = 0
    TRANSACTION = 1
    SHARE = 2


def find_coordinator(broker: Broker, context: Context, request: FindCoordinatorRequest) -> FindCoordinatorResponse:
    """This broker. The coordinators' topics need not be there: they are created when there is something to keep."""
    place = broker.node_id, *broker.advertised(context)
    if context.api_version >= BATCHED_SINCE:
        found = [_find(context, request.key_type, key, place) for key in request.coordinator_keys]
        return FindCoordinatorResponse(coordinators=found)
    only = _find(context, request.key_type, request.key, place)
    return FindCoordinatorResponse(
        error_code=only.error_code,
        error_message=only.error_message or "NONE",  # Kafka's own word for no error
        node_id=only.node_id,
        host=only.host,
        port=only.port,
    )


def _find(context: Context, key_type: int, key: str, place: tuple[int, str, int]) -> Coordinator:
    code, message = ErrorCode.NONE, ""
    try:
        _check(context, key_type, key)
    except ProtocolError as refusal:
        place, code, message = NOBODY, refusal.code, str(refusal)
    node_id, host, port = place
    return Coordinator(key=key, node_id=node_id, host=host, port=port, error_code=code, error_message=message)


def _check(context: Context, key_type: int, key: str) -> None:
    if key_type in (KeyType.GROUP, KeyType.TRANSACTION):
        return
    if key_type != KeyType.SHARE:
        refusal = Refused(ErrorCode.INVALID_REQUEST, f"There is no coordinator of type {key_type}.")
    elif context.api_version < SHARE_SINCE:
        refusal = Refused(ErrorCode.INVALID_REQUEST, f"Share coordinators are looked for since version {SHARE_SINCE}.")
    elif not _is_share_partition(key):
        refusal = Refused(ErrorCode.INVALID_REQUEST, f"{key!r} is not of the form group:topic id:partition.")
    else:
        return
    logger.warning("%s at %s asked for a coordinator: %s", context.client_id, context.connection.client_host, refusal)
    raise refusal


def _is_share_partition(key: str) -> bool:
    """Read from the right: a group's id may have colons of its own."""
    group_id, _, rest = key.rpartition(":")[0].rpartition(":")
    try:
        topic_id_from_text(rest)
        int(key.rpartition(":")[2])
    except ValueError:
        return False
    return bool(group_id.strip())
