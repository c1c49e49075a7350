"""AlterShareGroupOffsets: another start for a share group without members (KIP-932)."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.coordinator.refusals import share_alteration_refused
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k91_alter_share_group_offsets import AlterShareGroupOffsetsRequest


def alter_share_group_offsets(broker: Broker, context: Context, request: AlterShareGroupOffsetsRequest) -> Any:
    """Answered when the starts have moved."""
    if not request.group_id:
        return share_alteration_refused(ErrorCode.INVALID_GROUP_ID, "The group's id must not be empty.")
    return broker.groups.submit(
        request.group_id,
        lambda shard, token, now_ms: shard.shares.administration.alter(request, token),
        share_alteration_refused,
        writes=True,
    )
