"""StreamsGroupDescribe: topology, members and tasks of streams groups."""

from __future__ import annotations

from typing import Any, Final

from drave.broker.context import Context
from drave.broker.coordinator.shard import GroupShard
from drave.broker.core import Broker
from drave.broker.describing import describe_each, tell_operations
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
    groups = describe_each(broker, request.group_ids, _describe, _undescribed)
    if request.include_authorized_operations:
        tell_operations(groups)
    for group in groups:
        if request.include_topology_description and not group.error_code:
            group.topology_description_status = _NOT_STORED
    return broker.groups.once_durable(StreamsGroupDescribeResponse(groups=groups), request.group_ids)


def _describe(shard: GroupShard, group_id: str) -> DescribedGroup:
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
