"""ApiVersions: what this broker serves, answered from the table that serves it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.api import ApiKey
from drave.wire.messages.k18_api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)

SOFTWARE_SINCE: Final = 3
NODE_UNKNOWN: Final = -1
SOFTWARE_NAME: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")

FEATURES: Final[Mapping[str, int]] = {
    "group.version": 1,
    "share.version": 1,
    "streams.version": 1,
    "transaction.version": 2,
}
"""What clients act on by itself, not by a version of a request, and the level that is in use: the highest there is.
With level 1 of groups there are consumer groups (KIP-848), with that of shares share groups (KIP-932); from level 2 of
transactions on, adding partitions to them is left to the broker (KIP-890)."""

FEATURES_EPOCH: Final = 4
"""Rises with every change of FEATURES: Java's clients pass over what is not newer than what they know."""

ZERO_SINCE: Final = 4
"""Before, a feature whose levels begin with 0 must not be told as supported (KAFKA-17011)."""

Advertised = Mapping[ApiKey, tuple[int, int]]


def api_versions(
    advertised: Advertised, broker: Broker, context: Context, request: ApiVersionsRequest
) -> ApiVersionsResponse:
    """The table, or why this client should look elsewhere."""
    context.connection.asks_anybody()
    return answer(advertised, _refusal(broker, context, request), context.api_version)


def answer(advertised: Advertised, error: ErrorCode, version: int = 0) -> ApiVersionsResponse:
    """The table goes along with UNSUPPORTED_VERSION too, so that the client knows what to ask with (KIP-511)."""
    told = advertised if error in (ErrorCode.NONE, ErrorCode.UNSUPPORTED_VERSION) else {}
    return ApiVersionsResponse(
        error_code=error,
        api_keys=[ApiVersion(api_key=key, min_version=low, max_version=high) for key, (low, high) in told.items()],
        throttle_time_ms=0,
        supported_features=[
            SupportedFeatureKey(name=name, min_version=0, max_version=level) for name, level in FEATURES.items()
        ]
        if error is ErrorCode.NONE and version >= ZERO_SINCE
        else [],
        finalized_features_epoch=FEATURES_EPOCH if error is ErrorCode.NONE else -1,
        finalized_features=[
            FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level)
            for name, level in FEATURES.items()
        ]
        if error is ErrorCode.NONE
        else [],
    )


def _refusal(broker: Broker, context: Context, request: ApiVersionsRequest) -> ErrorCode:
    if context.api_version >= SOFTWARE_SINCE:
        names = (request.client_software_name, request.client_software_version)
        if not all(SOFTWARE_NAME.fullmatch(name) for name in names):
            return ErrorCode.INVALID_REQUEST
    if request.cluster_id is not None and (
        request.cluster_id != broker.catalog.cluster_id or request.node_id not in (NODE_UNKNOWN, broker.node_id)
    ):
        return (
            ErrorCode.REBOOTSTRAP_REQUIRED
        )  # KIP-1242: the connection was led to another broker than it was meant for
    return ErrorCode.NONE
