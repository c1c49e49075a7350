"""ShareGroupHeartbeat: a member of a share group says what it wants, and hears what it is to read (KIP-932)."""

from __future__ import annotations

from typing import Any, Final

from drave.broker.callers import caller_of
from drave.broker.context import Context
from drave.broker.coordinator.modern import JOIN_EPOCH, LEAVE_EPOCH
from drave.broker.coordinator.refusals import share_heartbeat_refused
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatRequest

MEMBER_ID_LENGTH_MAX: Final = 36
"""As long as a UUID in text."""


def share_group_heartbeat(broker: Broker, context: Context, request: ShareGroupHeartbeatRequest) -> Any:
    """Answered once what it rests on is durable, and its share-partitions have a state."""
    wrong = _wrong(request)
    if wrong is not None:
        return share_heartbeat_refused(ErrorCode.INVALID_REQUEST, wrong)
    caller = caller_of(context)
    return broker.groups.submit(
        request.group_id,
        lambda shard, token, now_ms: shard.shares.heartbeat(request, caller, token, now_ms),
        share_heartbeat_refused,
        writes=True,
    )


def _wrong(request: ShareGroupHeartbeatRequest) -> str | None:
    """What is wrong with a request by itself."""
    if not request.member_id.strip() or len(request.member_id) > MEMBER_ID_LENGTH_MAX:
        return f"The member's id must have 1 to {MEMBER_ID_LENGTH_MAX} characters: it is a UUID that the client makes."
    if not request.group_id.strip():
        return "The group's id must not be empty."
    if request.rack_id is not None and not request.rack_id.strip():
        return "The rack's id must not be empty."
    if request.member_epoch == JOIN_EPOCH and not request.subscribed_topic_names:
        return "Who joins must say which topics it wants to read."
    if request.member_epoch < LEAVE_EPOCH:
        return f"There is no member epoch {request.member_epoch}."
    return None
