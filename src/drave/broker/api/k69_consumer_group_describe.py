"""ConsumerGroupDescribe: state, members and assignments of consumer groups (KIP-848)."""

from __future__ import annotations

from typing import Any

from drave.broker.api.k15_describe_groups import ALL_OPERATIONS
from drave.broker.context import Context
from drave.broker.coordinator.consumer.heartbeats import describe_refused
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k69_consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedGroup,
)


def consumer_group_describe(broker: Broker, context: Context, request: ConsumerGroupDescribeRequest) -> Any:
    """Describe each group that is asked for."""
    groups = [_describe(broker, group_id) for group_id in request.group_ids]
    if request.include_authorized_operations:
        for group in groups:
            if not group.error_code:
                group.authorized_operations = ALL_OPERATIONS
    return broker.groups.once_durable(ConsumerGroupDescribeResponse(groups=groups), request.group_ids)


def _describe(broker: Broker, group_id: str) -> DescribedGroup:
    if not group_id:
        return describe_refused(group_id, ErrorCode.INVALID_GROUP_ID)
    shard = broker.groups.shard(group_id)
    if isinstance(shard, ErrorCode):
        return describe_refused(group_id, shard)
    return shard.consumers.describe(group_id)
