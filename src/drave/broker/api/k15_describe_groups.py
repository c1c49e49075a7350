"""DescribeGroups: state, members and assignments of classic groups."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.coordinator.group import GroupState
from drave.broker.core import Broker
from drave.broker.describing import tell_operations
from drave.model.errors import ErrorCode
from drave.wire.messages.k15_describe_groups import DescribedGroup, DescribeGroupsRequest, DescribeGroupsResponse

_NOT_FOUND_SINCE = 6
"""KIP-1043. Before it, a group that is not there is described as dead."""


def describe_groups(broker: Broker, context: Context, request: DescribeGroupsRequest) -> Any:
    """Describe each group that is asked for, once."""
    groups = [_describe(broker, group_id, context.api_version) for group_id in dict.fromkeys(request.groups)]
    if request.include_authorized_operations:
        tell_operations(groups)
    return broker.groups.once_durable(DescribeGroupsResponse(groups=groups), request.groups)


def _describe(broker: Broker, group_id: str, version: int) -> DescribedGroup:
    shard = broker.groups.shard(group_id)
    if isinstance(shard, ErrorCode):
        return _undescribed(group_id, "", shard)
    found = shard.classic.describe(group_id)
    if found is not None:
        return found
    if version < _NOT_FOUND_SINCE:
        return _undescribed(group_id, GroupState.DEAD)
    is_other = shard.type_of(group_id) is not None
    why = f"Group {group_id} is not a classic group." if is_other else f"Group {group_id} not found."
    return _undescribed(group_id, GroupState.DEAD, ErrorCode.GROUP_ID_NOT_FOUND, why)


def _undescribed(
    group_id: str, state: str, code: ErrorCode = ErrorCode.NONE, message: str | None = None
) -> DescribedGroup:
    return DescribedGroup(
        error_code=code,
        error_message=message,
        group_id=group_id,
        group_state=state,
        protocol_type="",
        protocol_data="",
        members=[],
    )
