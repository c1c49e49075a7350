"""RenewDelegationToken: a later expiry for a token."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64


class RenewDelegationTokenRequest(Struct, versions=(1, 2), flexible=2):
    hmac: bytes
    renew_period_ms: int64


class RenewDelegationTokenResponse(Struct, versions=(1, 2), flexible=2):
    error_code: int16 = 0
    expiry_timestamp_ms: int64
    throttle_time_ms: int32 = 0
