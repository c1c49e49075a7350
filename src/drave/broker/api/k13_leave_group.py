"""LeaveGroup: members go, or are removed by an administrator."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse


def leave_group(broker: Broker, context: Context, request: LeaveGroupRequest) -> Any:
    """Take the members out of their group."""
    if not request.group_id:
        return LeaveGroupResponse(error_code=ErrorCode.INVALID_GROUP_ID)
    version = context.api_version
    return broker.groups.submit(
        request.group_id,
        lambda shard, token, now_ms: shard.classic.leave(request, version, token, now_ms),
        lambda code: LeaveGroupResponse(error_code=code),
    )
