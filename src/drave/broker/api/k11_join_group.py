"""JoinGroup: parked until the members of the new generation are there."""

from __future__ import annotations

from typing import Any

from drave.broker.callers import joiner_of
from drave.broker.context import Context
from drave.broker.coordinator.refusals import join_refused
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k11_join_group import JoinGroupRequest


def join_group(broker: Broker, context: Context, request: JoinGroupRequest) -> Any:
    """Take the member into its group."""
    if not request.group_id:
        return join_refused(ErrorCode.INVALID_GROUP_ID, context.api_version, request.member_id)
    joiner = joiner_of(broker, context)
    return broker.groups.submit(
        request.group_id,
        lambda shard, token, now_ms: shard.classic.join(request, joiner, token, now_ms),
        lambda code: join_refused(code, context.api_version, request.member_id),
        writes=True,
    )
