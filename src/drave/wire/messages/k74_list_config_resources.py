"""ListConfigResources: what has settings of its own."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, since


class ListConfigResourcesRequest(Struct, versions=(0, 1), flexible=0):
    resource_types: list[int8] = since(1, default=[])  # KIP-1142


class ConfigResource(Struct):
    resource_name: str
    resource_type: int8 = since(1, default=16)  # KIP-1142


class ListConfigResourcesResponse(Struct, versions=(0, 1), flexible=0):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    config_resources: list[ConfigResource]
