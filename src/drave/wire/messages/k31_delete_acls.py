"""DeleteAcls: access rules that match a filter go."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32


class DeleteAclsFilter(Struct):
    resource_type_filter: int8
    resource_name_filter: str | None
    pattern_type_filter: int8 = 3
    principal_filter: str | None
    host_filter: str | None
    operation: int8
    permission_type: int8


class DeleteAclsRequest(Struct, versions=(1, 3), flexible=2):
    filters: list[DeleteAclsFilter]


class DeleteAclsMatchingAcl(Struct):
    error_code: int16 = 0
    error_message: str | None = None
    resource_type: int8
    resource_name: str
    pattern_type: int8 = 3
    principal: str
    host: str
    operation: int8
    permission_type: int8


class DeleteAclsFilterResult(Struct):
    error_code: int16 = 0
    error_message: str | None = None
    matching_acls: list[DeleteAclsMatchingAcl]


class DeleteAclsResponse(Struct, versions=(1, 3), flexible=2):
    throttle_time_ms: int32 = 0
    filter_results: list[DeleteAclsFilterResult]
