"""UpdateFeatures: other levels for what the cluster has agreed to use."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, since, until


class FeatureUpdateKey(Struct):
    feature: str
    max_version_level: int16
    allow_downgrade: bool = until(0, default=False)
    upgrade_type: int8 = since(1, default=1)  # KIP-778


class UpdateFeaturesRequest(Struct, versions=(0, 2), flexible=0):
    timeout_ms: int32 = 60000
    feature_updates: list[FeatureUpdateKey]
    validate_only: bool = since(1, default=False)  # KIP-778


class UpdatableFeatureResult(Struct):
    feature: str
    error_code: int16 = 0
    error_message: str | None = None


class UpdateFeaturesResponse(Struct, versions=(0, 2), flexible=0):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: str | None = None
    results: list[UpdatableFeatureResult] = until(1, default=[])
