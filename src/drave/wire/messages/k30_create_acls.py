"""CreateAcls: new access rules."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32


class AclCreation(Struct):
    resource_type: int8
    resource_name: str
    resource_pattern_type: int8 = 3
    principal: str
    host: str
    operation: int8
    permission_type: int8


class CreateAclsRequest(Struct, versions=(1, 3), flexible=2):
    creations: list[AclCreation]


class AclCreationResult(Struct):
    error_code: int16 = 0
    error_message: str | None = None


class CreateAclsResponse(Struct, versions=(1, 3), flexible=2):
    throttle_time_ms: int32 = 0
    results: list[AclCreationResult]
