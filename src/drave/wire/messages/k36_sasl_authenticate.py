"""SaslAuthenticate: the mechanism's own messages, back and forth."""

from __future__ import annotations

from drave.schema import Struct, int16, int64, since


class SaslAuthenticateRequest(Struct, versions=(0, 2), flexible=2):
    auth_bytes: bytes


class SaslAuthenticateResponse(Struct, versions=(0, 2), flexible=2):
    error_code: int16 = 0
    error_message: str | None = None
    auth_bytes: bytes
    session_lifetime_ms: int64 = since(1, default=0)
