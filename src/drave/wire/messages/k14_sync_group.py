"""SyncGroup: the leader hands in the assignment, and each member takes its own part."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, since


class SyncGroupRequestAssignment(Struct):
    member_id: str
    assignment: bytes


class SyncGroupRequest(Struct, versions=(0, 5), flexible=4):
    group_id: str
    generation_id: int32
    member_id: str
    group_instance_id: str | None = since(3, default=None)  # KIP-345
    protocol_type: str | None = since(5, default=None)  # KIP-559
    protocol_name: str | None = since(5, default=None)  # KIP-559
    assignments: list[SyncGroupRequestAssignment]


class SyncGroupResponse(Struct, versions=(0, 5), flexible=4):
    throttle_time_ms: int32 = since(1, default=0)
    error_code: int16 = 0
    protocol_type: str | None = since(5, default=None)  # KIP-559
    protocol_name: str | None = since(5, default=None)  # KIP-559
    assignment: bytes
