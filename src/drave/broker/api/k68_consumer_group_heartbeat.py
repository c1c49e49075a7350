"""ConsumerGroupHeartbeat: a member of a consumer group says what it wants and has, and hears what it gets (KIP-848)."""

from __future__ import annotations

from typing import Any

from drave.broker.callers import joiner_of
from drave.broker.context import Context
from drave.broker.coordinator.refusals import heartbeat_refused
from drave.broker.core import Broker
from drave.wire.messages.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest


def consumer_group_heartbeat(broker: Broker, context: Context, request: ConsumerGroupHeartbeatRequest) -> Any:
    """Answered once what it rests on is durable."""
    by = joiner_of(broker, context)
    return broker.groups.submit(
        request.group_id,
        lambda shard, token, now_ms: shard.consumers.heartbeat(request, by, token, now_ms),
        heartbeat_refused,
        writes=True,
    )
