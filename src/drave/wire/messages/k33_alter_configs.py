"""AlterConfigs: the whole set of a resource's own settings, replaced at once."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32


class AlterableConfig(Struct):
    name: str
    value: str | None


class AlterConfigsResource(Struct):
    resource_type: int8
    resource_name: str
    configs: list[AlterableConfig]


class AlterConfigsRequest(Struct, versions=(0, 2), flexible=2):
    resources: list[AlterConfigsResource]
    validate_only: bool


class AlterConfigsResourceResponse(Struct):
    error_code: int16 = 0
    error_message: str | None = None
    resource_type: int8
    resource_name: str


class AlterConfigsResponse(Struct, versions=(0, 2), flexible=2):
    throttle_time_ms: int32 = 0
    responses: list[AlterConfigsResourceResponse]
