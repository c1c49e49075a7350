"""DescribeGroups: state, protocol and members of classic groups."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, since


class DescribeGroupsRequest(Struct, versions=(0, 6), flexible=5):
    groups: list[str]
    include_authorized_operations: bool = since(3, default=False)  # KIP-430


class DescribedGroupMember(Struct):
    member_id: str
    group_instance_id: str | None = since(4, default=None)  # KIP-345
    client_id: str
    client_host: str
    member_metadata: bytes
    member_assignment: bytes


class DescribedGroup(Struct):
    error_code: int16 = 0
    error_message: str | None = since(6, default=None)  # KIP-1043
    group_id: str
    group_state: str
    protocol_type: str
    protocol_data: str
    members: list[DescribedGroupMember]
    authorized_operations: int32 = since(3, default=-(2**31))  # KIP-430


class DescribeGroupsResponse(Struct, versions=(0, 6), flexible=5):
    throttle_time_ms: int32 = since(1, default=0)
    groups: list[DescribedGroup]
