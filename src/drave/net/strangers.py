"""Who speaks another protocol to this port: recognised by their first bytes, told what to do.

A client that is set up wrongly tries again at once, for ever; the log hears of it once a minute (`Hints`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

logger = logging.getLogger("drave.net")

HINT_INTERVAL_S: Final = 60.0
HINTS_MAX: Final = 1000
"""So many peers and reasons are remembered; a crowd beyond that is logged more often."""

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


@dataclass(slots=True)
class _Given:
    """A hint that is in the log: when it came there, and how often it has been left out since."""

    at: float
    text: str
    left_out: int = 0


class Hints:
    """Why peers were turned away, in the log: each peer and reason once a minute, with the count of what was left out.

    given ──▶ in the log ── given again ──▶ counted ── a minute later ──▶ in the log with the count, or forgotten
    """

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], _Given] = {}  # in the order of `at`

    def give(self, now: float, host: str, peer: str, reason: str, *facts: object) -> None:
        """`peer` at `host` was turned away. `reason` says which kind it is, with a %s for each of the facts."""
        key = host, reason
        known = self._given.get(key)
        if known is not None:
            known.left_out += 1
            return
        if len(self._given) >= HINTS_MAX:
            del self._given[next(iter(self._given))]
        text = reason % facts
        self._given[key] = _Given(now, text)
        logger.info("%s: closed: %s", peer, text)

    def sweep(self, now: float) -> None:
        """Tell what was left out in the last minute. Call it about once a second."""
        for key, given in list(self._given.items()):
            if now - given.at < HINT_INTERVAL_S:
                break
            del self._given[key]
            if given.left_out:
                self._given[key] = _Given(now, given.text)
                logger.info("%s: closed %d times more since: %s", key[0], given.left_out, given.text)
