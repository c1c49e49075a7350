"""ApiVersions: what the broker serves; what a client asks first."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64, since, tagged


class ApiVersionsRequest(Struct, versions=(0, 5), flexible=3):
    client_software_name: str = since(3, default="")  # KIP-511
    client_software_version: str = since(3, default="")  # KIP-511
    cluster_id: str | None = since(5, default=None)  # KIP-1242
    node_id: int32 = since(5, default=-1)  # KIP-1242


class ApiVersion(Struct):
    api_key: int16
    min_version: int16
    max_version: int16


class SupportedFeatureKey(Struct):
    name: str
    min_version: int16
    max_version: int16


class FinalizedFeatureKey(Struct):
    name: str
    max_version_level: int16
    min_version_level: int16


class ApiVersionsResponse(Struct, versions=(0, 5), flexible=3):
    error_code: int16 = 0
    api_keys: list[ApiVersion]
    throttle_time_ms: int32 = since(1, default=0)
    supported_features: list[SupportedFeatureKey] = tagged(0, since=3, default=[])  # KIP-584
    finalized_features_epoch: int64 = tagged(1, since=3, default=-1)  # KIP-584
    finalized_features: list[FinalizedFeatureKey] = tagged(2, since=3, default=[])  # KIP-584
    zk_migration_ready: bool = tagged(3, since=3, default=False)  # KIP-866
