"""ShareGroupDescribe: state, members and assignments of share groups (KIP-932)."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.coordinator.shard import GroupShard
from drave.broker.core import Broker
from drave.broker.describing import describe_each, tell_operations
from drave.model.errors import ErrorCode
from drave.wire.messages.k77_share_group_describe import (
    DescribedGroup,
    ShareGroupDescribeRequest,
    ShareGroupDescribeResponse,
)


def share_group_describe(broker: Broker, context: Context, request: ShareGroupDescribeRequest) -> Any:
    """Describe each group that is asked for."""
    groups = describe_each(broker, request.group_ids, _describe, _undescribed)
    if request.include_authorized_operations:
        tell_operations(groups)
    return broker.groups.once_durable(ShareGroupDescribeResponse(groups=groups), request.group_ids)


def _describe(shard: GroupShard, group_id: str) -> DescribedGroup:
    found = shard.shares.describe(group_id)
    if found is not None:
        return found
    is_other = shard.type_of(group_id) is not None
    why = f"Group {group_id} is not a share group." if is_other else f"Group {group_id} not found."
    return _undescribed(group_id, ErrorCode.GROUP_ID_NOT_FOUND, why)


def _undescribed(group_id: str, code: ErrorCode, message: str | None = None) -> DescribedGroup:
    return DescribedGroup(
        error_code=code,
        error_message=message,
        group_id=group_id,
        group_state="",
        group_epoch=0,
        assignment_epoch=0,
        assignor_name="",
        members=[],
    )
