"""A connection without a client library: any request in any version, or any bytes, and what comes back."""

from __future__ import annotations

import itertools
import socket
import struct
from dataclasses import dataclass
from typing import Any, Final

from drave.schema import SchemaError
from drave.wire.api import API, ApiKey
from drave.wire.frames import decode_reply, encode_request

HOST: Final = "127.0.0.1"
CLIENT_ID: Final = "differential"
PATIENCE_S: Final = 60.0

HIGHEST: Final = {key: api.versions[1] for key, api in API.items()} | {
    ApiKey.API_VERSIONS: 4,
    ApiKey.DELETE_GROUPS: 2,
    ApiKey.TXN_OFFSET_COMMIT: 5,
    ApiKey.STREAMS_GROUP_HEARTBEAT: 0,
    ApiKey.STREAMS_GROUP_DESCRIBE: 0,
}
"""The highest version that Apache Kafka 4.3.1 has; Kafka 4.4 added one to some."""


class ConnectionEnded(Exception):
    """The broker closed the connection instead of answering."""


class NoAnswer(Exception):
    """Nothing came for so long that nothing is expected any more."""


class Unreadable(Exception):
    """An answer that is no message of its key and version."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was sent and is to be answered."""

    connection: Connection
    key: ApiKey
    version: int
    correlation_id: int


_KEYS: Final = {f"{key.name.title().replace('_', '')}Request": key for key in API}


def key_of(kind: type[Any]) -> ApiKey:
    """The key of a request's class."""
    return _KEYS[kind.__name__]


class Connection:
    """One TCP connection. Answers are taken in the order of the requests, as Kafka sends them."""

    def __init__(self, port: int, client_id: str = CLIENT_ID) -> None:
        self._client_id = client_id
        self._socket = socket.create_connection((HOST, port), timeout=PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self._socket.close()

    def send(self, request: Any, version: int) -> Asked:
        """Ask, and do not wait."""
        key, number = key_of(type(request)), next(self._numbers)
        self.send_bytes(b"".join(encode_request(key, version, number, self._client_id, request)))
        return Asked(self, key, version, number)

    def send_bytes(self, data: bytes) -> None:
        """Bytes as they are."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ConnectionEnded from error

    def send_frame(self, key: int, version: int, body: bytes, *, tags: bytes = b"") -> None:
        """A request whose body is bytes that no declaration made."""
        name = self._client_id.encode()
        content = struct.pack(">hhih", key, version, next(self._numbers), len(name)) + name + tags + body
        self.send_bytes(struct.pack(">i", len(content)) + content)

    def answer(self, asked: Asked, *, patience_s: float = PATIENCE_S) -> Any:
        """The answer to the oldest request without one. Raises ConnectionEnded, NoAnswer or Unreadable."""
        frame = self.frame(patience_s=patience_s)
        try:
            number, response = decode_reply(asked.key, asked.version, frame)
        except SchemaError as error:
            raise Unreadable(str(error)) from error
        if number != asked.correlation_id:
            raise Unreadable(f"correlation id {number} where {asked.correlation_id} was asked")
        return response

    def frame(self, *, patience_s: float = PATIENCE_S) -> bytes:
        """The next frame, without its length. Raises ConnectionEnded or NoAnswer."""
        self._socket.settimeout(patience_s)
        (size,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                more = self._socket.recv(size - len(data))
            except TimeoutError as error:
                raise NoAnswer from error
            except OSError as error:
                raise ConnectionEnded from error
            if not more:
                raise ConnectionEnded
            data += more
        return bytes(data)
