"""DescribeDelegationToken: the tokens of some owners."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64, since


class DescribeDelegationTokenOwner(Struct):
    principal_type: str
    principal_name: str


class DescribeDelegationTokenRequest(Struct, versions=(1, 3), flexible=2):
    owners: list[DescribeDelegationTokenOwner] | None


class DescribedDelegationTokenRenewer(Struct):
    principal_type: str
    principal_name: str


class DescribedDelegationToken(Struct):
    principal_type: str
    principal_name: str
    token_requester_principal_type: str = since(3, default="")  # KIP-373
    token_requester_principal_name: str = since(3, default="")  # KIP-373
    issue_timestamp: int64
    expiry_timestamp: int64
    max_timestamp: int64
    token_id: str
    hmac: bytes
    renewers: list[DescribedDelegationTokenRenewer]


class DescribeDelegationTokenResponse(Struct, versions=(1, 3), flexible=2):
    error_code: int16 = 0
    tokens: list[DescribedDelegationToken]
    throttle_time_ms: int32 = 0
