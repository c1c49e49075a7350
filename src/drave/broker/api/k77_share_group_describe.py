"""ShareGroupDescribe: state, members and assignments of share groups (KIP-932)."""

from __future__ import annotations

from typing import Any

from drave.broker.api.k15_describe_groups import ALL_OPERATIONS
from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k77_share_group_describe import (
    DescribedGroup,
    ShareGroupDescribeRequest,
    ShareGroupDescribeResponse,
)


def share_group_describe(broker: Broker, context: Context, request: ShareGroupDescribeRequest) -> Any:
    """Describe each group that is asked for."""
    groups = [_describe(broker, group_id) for group_id in request.group_ids]
    if request.include_authorized_operations:
        for group in groups:
            if not group.error_code:
                group.authorized_operations = ALL_OPERATIONS
    return broker.groups.once_durable(ShareGroupDescribeResponse(groups=groups), request.group_ids)


def _describe(broker: Broker, group_id: str) -> DescribedGroup:
    if not group_id:
        return _undescribed(group_id, ErrorCode.INVALID_GROUP_ID)
    shard = broker.groups.shard(group_id)
    if isinstance(shard, ErrorCode):
        return _undescribed(group_id, shard)
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
