"""DeleteGroups: groups without members go, with their offsets."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, since


class DeleteGroupsRequest(Struct, versions=(0, 3), flexible=2):
    groups_names: list[str]


class DeletableGroupResult(Struct):
    group_id: str
    error_code: int16 = 0
    error_message: str | None = since(3, default=None)


class DeleteGroupsResponse(Struct, versions=(0, 3), flexible=2):
    throttle_time_ms: int32 = 0
    results: list[DeletableGroupResult]
