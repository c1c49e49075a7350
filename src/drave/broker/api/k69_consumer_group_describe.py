"""ConsumerGroupDescribe: state, members and assignments of consumer groups (KIP-848)."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.coordinator.consumer.describing import describe_refused
from drave.broker.core import Broker
from drave.broker.describing import describe_each, tell_operations
from drave.wire.messages.k69_consumer_group_describe import ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse


def consumer_group_describe(broker: Broker, context: Context, request: ConsumerGroupDescribeRequest) -> Any:
    """Describe each group that is asked for."""
    groups = describe_each(
        broker, request.group_ids, lambda shard, group_id: shard.consumers.describe(group_id), describe_refused
    )
    if request.include_authorized_operations:
        tell_operations(groups)
    return broker.groups.once_durable(ConsumerGroupDescribeResponse(groups=groups), request.group_ids)
