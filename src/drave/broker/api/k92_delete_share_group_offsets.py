"""DeleteShareGroupOffsets: what a share group without members remembers of some topics goes (KIP-932)."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.coordinator.refusals import share_deletion_refused
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k92_delete_share_group_offsets import DeleteShareGroupOffsetsRequest


def delete_share_group_offsets(broker: Broker, context: Context, request: DeleteShareGroupOffsetsRequest) -> Any:
    """Answered when it is forgotten."""
    if not request.group_id:
        return share_deletion_refused(ErrorCode.INVALID_GROUP_ID, "The group's id must not be empty.")
    return broker.groups.submit(
        request.group_id,
        lambda shard, token, now_ms: shard.shares.administration.delete_offsets(request, token),
        share_deletion_refused,
    )
