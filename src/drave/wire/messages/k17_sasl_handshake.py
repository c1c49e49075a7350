"""SaslHandshake: which SASL mechanism a client is about to use."""

from __future__ import annotations

from drave.schema import Struct, int16


class SaslHandshakeRequest(Struct, versions=(0, 1)):
    mechanism: str


class SaslHandshakeResponse(Struct, versions=(0, 1)):
    error_code: int16 = 0
    mechanisms: list[str]
