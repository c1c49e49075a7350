"""JoinGroup: a member enters a classic group, and waits until the new generation is complete."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, nullable, since


class JoinGroupRequestProtocol(Struct):
    name: str
    metadata: bytes


class JoinGroupRequest(Struct, versions=(0, 9), flexible=6):
    group_id: str
    session_timeout_ms: int32
    rebalance_timeout_ms: int32 = since(1, default=-1)
    member_id: str
    group_instance_id: str | None = since(5, default=None)  # KIP-345
    protocol_type: str
    protocols: list[JoinGroupRequestProtocol]
    reason: str | None = since(8, default=None)  # KIP-800


class JoinGroupResponseMember(Struct):
    member_id: str
    group_instance_id: str | None = since(5, default=None)  # KIP-345
    metadata: bytes


class JoinGroupResponse(Struct, versions=(0, 9), flexible=6):
    throttle_time_ms: int32 = since(2, default=0)
    error_code: int16 = 0
    generation_id: int32 = -1
    protocol_type: str | None = since(7, default=None)  # KIP-559
    protocol_name: str | None = nullable(7)
    leader: str
    skip_assignment: bool = since(9, default=False)  # KIP-814
    member_id: str
    members: list[JoinGroupResponseMember]
