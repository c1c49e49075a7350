"""Who speaks another protocol to this port: recognised by their first bytes, told what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HTTP_METHODS: Final = (b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN", b"PRI ")
TLS_HANDSHAKE: Final = b"\x16\x03"
TLS_ALERT_HANDSHAKE_FAILURE: Final = bytes((0x15, 3, 1, 0, 2, 2, 40))

_HELP: Final = (
    "This port speaks the Kafka protocol, not HTTP. Point a Kafka client at it (bootstrap.servers), "
    "or try: drave topic list --bootstrap HOST:PORT\n"
)


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the stranger is answered, and what the log says."""

    reply: bytes
    reason: str


def greeting(start: bytes | memoryview) -> Greeting | None:
    """Who this is, from the first bytes of a frame that makes no sense; None when nobody we know."""
    first = bytes(start[:4])
    if first in HTTP_METHODS:
        body = _HELP.encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return Greeting(head.encode() + body, "HTTP was spoken to a Kafka port; the client was told so")
    if first[:2] == TLS_HANDSHAKE:
        return Greeting(
            TLS_ALERT_HANDSHAKE_FAILURE,
            "TLS was spoken to a plain port; set the client's security.protocol to PLAINTEXT",
        )
    return None
