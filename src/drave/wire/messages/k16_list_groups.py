"""ListGroups: which groups this broker coordinates."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, since


class ListGroupsRequest(Struct, versions=(0, 5), flexible=3):
    states_filter: list[str] = since(4, default=[])  # KIP-518
    types_filter: list[str] = since(5, default=[])  # KIP-848


class ListedGroup(Struct):
    group_id: str
    protocol_type: str
    group_state: str = since(4, default="")  # KIP-518
    group_type: str = since(5, default="")  # KIP-848


class ListGroupsResponse(Struct, versions=(0, 5), flexible=3):
    throttle_time_ms: int32 = since(1, default=0)
    error_code: int16 = 0
    groups: list[ListedGroup]
