"""DescribeAcls: which access rules there are."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32


class DescribeAclsRequest(Struct, versions=(1, 3), flexible=2):
    resource_type_filter: int8
    resource_name_filter: str | None
    pattern_type_filter: int8 = 3
    principal_filter: str | None
    host_filter: str | None
    operation: int8
    permission_type: int8


class AclDescription(Struct):
    principal: str
    host: str
    operation: int8
    permission_type: int8


class DescribeAclsResource(Struct):
    resource_type: int8
    resource_name: str
    pattern_type: int8 = 3
    acls: list[AclDescription]


class DescribeAclsResponse(Struct, versions=(1, 3), flexible=2):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: str | None = None
    resources: list[DescribeAclsResource]
