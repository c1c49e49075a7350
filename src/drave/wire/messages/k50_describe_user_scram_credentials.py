"""DescribeUserScramCredentials: which users have SCRAM credentials, and with how many iterations."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32


class UserName(Struct):
    name: str


class DescribeUserScramCredentialsRequest(Struct, versions=(0, 0), flexible=0):
    users: list[UserName] | None


class CredentialInfo(Struct):
    mechanism: int8
    iterations: int32


class DescribeUserScramCredentialsResult(Struct):
    user: str
    error_code: int16 = 0
    error_message: str | None = None
    credential_infos: list[CredentialInfo]


class DescribeUserScramCredentialsResponse(Struct, versions=(0, 0), flexible=0):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: str | None = None
    results: list[DescribeUserScramCredentialsResult]
