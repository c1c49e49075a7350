"""CreateDelegationToken: a token with which others act for its owner."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64, since


class CreatableRenewers(Struct):
    principal_type: str
    principal_name: str


class CreateDelegationTokenRequest(Struct, versions=(1, 3), flexible=2):
    owner_principal_type: str | None = since(3, default="")  # KIP-373
    owner_principal_name: str | None = since(3, default="")  # KIP-373
    renewers: list[CreatableRenewers]
    max_lifetime_ms: int64


class CreateDelegationTokenResponse(Struct, versions=(1, 3), flexible=2):
    error_code: int16 = 0
    principal_type: str
    principal_name: str
    token_requester_principal_type: str = since(3, default="")  # KIP-373
    token_requester_principal_name: str = since(3, default="")  # KIP-373
    issue_timestamp_ms: int64
    expiry_timestamp_ms: int64
    max_timestamp_ms: int64
    token_id: str
    hmac: bytes
    throttle_time_ms: int32 = 0
