"""Who listens at an address: found out with one ApiVersions request in plain Kafka, before librdkafka goes there.

    client is set to   what the port answers with          what is said
    plaintext, SASL    Kafka                               nothing
                       a TLS alert, HTTP, nothing at all   that this is no plain Kafka, and what to set
    TLS                Kafka                               that TLS is not spoken here
                       anything else                       nothing: librdkafka will see

librdkafka tries for as long as it is let, and says at last that the transport failed.
"""

from __future__ import annotations

import enum
import socket
import struct
from typing import Final

API_VERSIONS: Final = struct.pack(">ihhih", 10, 18, 0, 0, -1)
"""ApiVersions v0 with correlation id 0 and no client id. Every broker answers it, also before authentication."""
_REPLY_START: Final = struct.Struct(">iih")
_REPLY_SIZE_MAX: Final = 1 << 16
_TLS_ALERT: Final = b"\x15\x03"
_HTTP: Final = b"HTTP"


class Speech(enum.Enum):
    """What a port answers with."""

    KAFKA = "Kafka"
    TLS = "TLS"
    HTTP = "HTTP"
    UNKNOWN = "something else"
    NOTHING = "nothing"
    SILENCE = "no answer in time"


def speech_of(host_and_port: tuple[str, int], timeout_s: float) -> Speech:
    """What is spoken there. Raises OSError when the connection is not taken."""
    with socket.create_connection(host_and_port, timeout=timeout_s) as connection:
        try:
            connection.sendall(API_VERSIONS)
            return heard(_read(connection, _REPLY_START.size))
        except TimeoutError:
            return Speech.SILENCE
        except OSError:
            return Speech.NOTHING


def heard(answer: bytes) -> Speech:
    """What the first bytes of an answer are."""
    if not answer:
        return Speech.NOTHING
    if answer.startswith(_TLS_ALERT):
        return Speech.TLS
    if answer.startswith(_HTTP):
        return Speech.HTTP
    if len(answer) < _REPLY_START.size:
        return Speech.UNKNOWN
    size, correlation_id, _ = _REPLY_START.unpack_from(answer)
    return Speech.KAFKA if 6 <= size <= _REPLY_SIZE_MAX and correlation_id == 0 else Speech.UNKNOWN


def complaint(speech: Speech, protocol: str) -> str | None:
    """Why a client with this `security.protocol` will not get anywhere, and what to do; None when it may."""
    if protocol.endswith("ssl"):
        if speech is not Speech.KAFKA:
            return None
        plain = "sasl_plaintext" if protocol.startswith("sasl") else "plaintext"
        return f"speaks Kafka without TLS: use security.protocol={plain} in place of {protocol}"
    encrypted = "sasl_ssl" if protocol.startswith("sasl") else "ssl"
    match speech:
        case Speech.KAFKA | Speech.SILENCE:
            return None
        case Speech.TLS:
            return f"speaks TLS: say so with --set security.protocol={encrypted}"
        case Speech.HTTP:
            return "speaks HTTP, not Kafka: is it the right port?"
        case Speech.UNKNOWN | Speech.NOTHING:
            return (
                f"takes connections and does not speak plain Kafka: is it the right port? If it speaks TLS, "
                f"say so with --set security.protocol={encrypted}"
            )


def _read(connection: socket.socket, size: int) -> bytes:
    """So many bytes, or what came before the end."""
    read = b""
    while len(read) < size and (more := connection.recv(size - len(read))):
        read += more
    return read
