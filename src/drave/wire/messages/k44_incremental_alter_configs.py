"""IncrementalAlterConfigs: single settings that are set, removed, or changed as lists."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32


class AlterableConfig(Struct):
    name: str
    config_operation: int8
    value: str | None


class AlterConfigsResource(Struct):
    resource_type: int8
    resource_name: str
    configs: list[AlterableConfig]


class IncrementalAlterConfigsRequest(Struct, versions=(0, 1), flexible=1):
    resources: list[AlterConfigsResource]
    validate_only: bool


class AlterConfigsResourceResponse(Struct):
    error_code: int16 = 0
    error_message: str | None = None
    resource_type: int8
    resource_name: str


class IncrementalAlterConfigsResponse(Struct, versions=(0, 1), flexible=1):
    throttle_time_ms: int32 = 0
    responses: list[AlterConfigsResourceResponse]
