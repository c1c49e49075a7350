"""AlterUserScramCredentials: SCRAM credentials that are set or go."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32


class ScramCredentialDeletion(Struct):
    name: str
    mechanism: int8


class ScramCredentialUpsertion(Struct):
    name: str
    mechanism: int8
    iterations: int32
    salt: bytes
    salted_password: bytes


class AlterUserScramCredentialsRequest(Struct, versions=(0, 0), flexible=0):
    deletions: list[ScramCredentialDeletion]
    upsertions: list[ScramCredentialUpsertion]


class AlterUserScramCredentialsResult(Struct):
    user: str
    error_code: int16 = 0
    error_message: str | None = None


class AlterUserScramCredentialsResponse(Struct, versions=(0, 0), flexible=0):
    throttle_time_ms: int32 = 0
    results: list[AlterUserScramCredentialsResult]
