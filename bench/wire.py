"""One blocking connection that speaks in frames encoded by hand, and what a row says when an answer is not right."""

from __future__ import annotations

import socket
import struct
from types import TracebackType
from typing import Final, Self

TIMEOUT_S: Final = 60.0


class Wrong(Exception):
    """The broker answered, and the answer is not right."""


def connect(port: int) -> socket.socket:
    """A connection that sends at once what it is given."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Wire:
    """A connection with a buffer for its largest reply."""

    def __init__(self, port: int, *, reply_bytes_max: int = 64 * 1024) -> None:
        self.socket = connect(port)
        self.buffer = bytearray(reply_bytes_max)
        self._view = memoryview(self.buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, frame: bytes | bytearray) -> None:
        self.socket.sendall(frame)

    def receive(self) -> int:
        """Take one reply into the buffer; its size with its length. Raises Wrong."""
        self._receive(0, 4)
        size: int = struct.unpack_from(">i", self.buffer)[0] + 4
        if size > len(self.buffer):
            raise Wrong(f"a reply of {size} bytes, {len(self.buffer)} at most were expected")
        self._receive(4, size)
        return size

    def _receive(self, start: int, end: int) -> None:
        while start < end:
            got = self.socket.recv_into(self._view[start:end])
            if not got:
                raise Wrong("the broker closed the connection")
            start += got

    def ask(self, frame: bytes | bytearray) -> bytes:
        """Send, and wait for the reply."""
        self.send(frame)
        size = self.receive()
        return bytes(self._view[:size])
