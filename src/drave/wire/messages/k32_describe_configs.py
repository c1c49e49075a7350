"""DescribeConfigs: the settings of topics, brokers and groups, and where each value comes from."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, since


class DescribeConfigsResource(Struct):
    resource_type: int8
    resource_name: str
    configuration_keys: list[str] | None


class DescribeConfigsRequest(Struct, versions=(1, 4), flexible=4):
    resources: list[DescribeConfigsResource]
    include_synonyms: bool = False
    include_documentation: bool = since(3, default=False)  # KIP-569


class DescribeConfigsSynonym(Struct):
    name: str
    value: str | None
    source: int8


class DescribeConfigsResourceResult(Struct):
    name: str
    value: str | None
    read_only: bool
    config_source: int8 = -1
    is_sensitive: bool
    synonyms: list[DescribeConfigsSynonym]
    config_type: int8 = since(3, default=0)  # KIP-569
    documentation: str | None = since(3, default="")  # KIP-569


class DescribeConfigsResult(Struct):
    error_code: int16 = 0
    error_message: str | None = None
    resource_type: int8
    resource_name: str
    configs: list[DescribeConfigsResourceResult]


class DescribeConfigsResponse(Struct, versions=(1, 4), flexible=4):
    throttle_time_ms: int32 = 0
    results: list[DescribeConfigsResult]
