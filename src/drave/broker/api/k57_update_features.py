"""UpdateFeatures: other levels for the features that ApiVersions tells about. It tells about none yet: none can move.

All updates of a request are made or none (KIP-584); the first that cannot be made says why.
"""

from __future__ import annotations

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k57_update_features import UpdateFeaturesRequest, UpdateFeaturesResponse


def update_features(broker: Broker, context: Context, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse:
    """Refused, unless nothing is asked for."""
    if not request.feature_updates:
        return UpdateFeaturesResponse()
    feature = request.feature_updates[0].feature
    return UpdateFeaturesResponse(
        error_code=ErrorCode.INVALID_UPDATE_VERSION,
        error_message=f"Nothing was changed: this broker has no feature {feature!r}.",
    )
