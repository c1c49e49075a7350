"""LeaveGroup: members go, so that the others need not wait for a timeout."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, since, until


class MemberIdentity(Struct):
    member_id: str
    group_instance_id: str | None = None
    reason: str | None = since(5, default=None)  # KIP-800


class LeaveGroupRequest(Struct, versions=(0, 5), flexible=4):
    group_id: str
    member_id: str = until(2, default="")
    members: list[MemberIdentity] = since(3, default=[])  # KIP-345


class MemberResponse(Struct):
    member_id: str
    group_instance_id: str | None
    error_code: int16 = 0


class LeaveGroupResponse(Struct, versions=(0, 5), flexible=4):
    throttle_time_ms: int32 = since(1, default=0)
    error_code: int16 = 0
    members: list[MemberResponse] = since(3, default=[])  # KIP-345
