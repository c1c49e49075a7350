"""Heartbeat: a member of a classic group is alive, and hears whether the group rebalances."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, since


class HeartbeatRequest(Struct, versions=(0, 4), flexible=4):
    group_id: str
    generation_id: int32
    member_id: str
    group_instance_id: str | None = since(3, default=None)  # KIP-345


class HeartbeatResponse(Struct, versions=(0, 4), flexible=4):
    throttle_time_ms: int32 = since(1, default=0)
    error_code: int16 = 0
