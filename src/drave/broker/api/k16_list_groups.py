"""ListGroups: the groups in these states and of these types, or all."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k16_list_groups import ListGroupsRequest, ListGroupsResponse


def list_groups(broker: Broker, context: Context, request: ListGroupsRequest) -> Any:
    """Filters do not mind the case; one that names nothing real lets nothing pass."""
    shards = broker.groups.shards()
    if isinstance(shards, ErrorCode):
        return ListGroupsResponse(error_code=shards, groups=[])
    states = frozenset(state.strip().lower() for state in request.states_filter)
    types = frozenset(kind.strip().lower() for kind in request.types_filter)
    groups = [group for shard in shards for group in shard.list(states, types)]
    return broker.groups.once_durable(ListGroupsResponse(groups=groups))
