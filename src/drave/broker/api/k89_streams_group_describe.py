"""StreamsGroupDescribe: topology, members and tasks of streams groups."""

from __future__ import annotations

from typing import Any, Final

from drave.broker.api.k15_describe_groups import ALL_OPERATIONS
from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode, Refused
from drave.wire.messages.k89_streams_group_describe import (
    DescribedGroup,
    StreamsGroupDescribeRequest,
    StreamsGroupDescribeResponse,
)

_NOT_STORED: Final = 1
"""KIP-1331: descriptions of topologies are kept by a plugin of the broker. There is none, as by default in Kafka."""


def streams_group_describe(broker: Broker, context: Context, request: StreamsGroupDescribeRequest) -> Any:
    """Describe each group that is asked for."""
    groups = [_describe(broker, group_id) for group_id in request.group_ids]
    for group in groups:
        if group.error_code:
            continue
        if request.include_authorized_operations:
            group.authorized_operations = ALL_OPERATIONS
        if request.include_topology_description:
            group.topology_description_status = _NOT_STORED
    return broker.groups.once_durable(StreamsGroupDescribeResponse(groups=groups), request.group_ids)


def _describe(broker: Broker, group_id: str) -> DescribedGroup:
    if not group_id:
        return _undescribed(group_id, ErrorCode.INVALID_GROUP_ID)
    shard = broker.groups.shard(group_id)
    if isinstance(shard, ErrorCode):
        return _undescribed(group_id, shard)
    try:
        return shard.streams.describe(group_id)
    except Refused as refusal:
        return _undescribed(group_id, refusal.code, str(refusal))


def _undescribed(group_id: str, code: ErrorCode, message: str | None = None) -> DescribedGroup:
    return DescribedGroup(
        error_code=code,
        error_message=message,
        group_id=group_id,
        group_state="",
        group_epoch=0,
        assignment_epoch=0,
        members=[],
    )
