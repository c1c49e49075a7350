"""Heartbeat: a member lives, and learns whether it has to join again."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k12_heartbeat import HeartbeatRequest, HeartbeatResponse


def heartbeat(broker: Broker, context: Context, request: HeartbeatRequest) -> Any:
    """Answered from the group's state."""
    if not request.group_id:
        return HeartbeatResponse(error_code=ErrorCode.INVALID_GROUP_ID)
    return broker.groups.submit(
        request.group_id, lambda shard, token, now_ms: shard.classic.heartbeat(request, token), _refused
    )


def _refused(code: ErrorCode) -> HeartbeatResponse:
    # While its group is loaded nobody is missed, and clients do not expect a heartbeat to say that.
    return HeartbeatResponse(error_code=0 if code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS else code)
