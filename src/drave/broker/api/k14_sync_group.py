"""SyncGroup: parked until the leader's assignment has come."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.coordinator.refusals import sync_refused
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k14_sync_group import SyncGroupRequest

_PROTOCOL_NAMED_SINCE = 5


def sync_group(broker: Broker, context: Context, request: SyncGroupRequest) -> Any:
    """Give the member its part."""
    if not request.group_id:
        return sync_refused(ErrorCode.INVALID_GROUP_ID)
    if context.api_version >= _PROTOCOL_NAMED_SINCE and None in (request.protocol_type, request.protocol_name):
        return sync_refused(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)  # KIP-559
    return broker.groups.submit(
        request.group_id, lambda shard, token, now_ms: shard.classic.sync(request, token, now_ms), sync_refused
    )
