"""UpdateFeatures: other levels for the features that ApiVersions tells about. Each is in use at its highest, and stays.

All updates of a request are made or none (KIP-584); the first that cannot be made says why.
"""

from __future__ import annotations

from drave.broker.api.k18_api_versions import FEATURES
from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k57_update_features import (
    FeatureUpdateKey,
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)


def update_features(broker: Broker, context: Context, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse:
    """Refused, unless nothing is asked for that is not so already."""
    for update in request.feature_updates:
        if (why := _refusal(update)) is not None:
            return UpdateFeaturesResponse(
                error_code=ErrorCode.INVALID_UPDATE_VERSION, error_message=f"Nothing was changed: {why}."
            )
    return UpdateFeaturesResponse(
        results=[UpdatableFeatureResult(feature=update.feature) for update in request.feature_updates]
    )


def _refusal(update: FeatureUpdateKey) -> str | None:
    level = FEATURES.get(update.feature)
    if level is None:
        return f"this broker has no feature {update.feature!r}"
    if update.max_version_level != level:
        return f"{update.feature} is at level {level} here, and at no other"
    return None
