"""Records into a topic, as requests that were encoded beforehand: one connection, some requests in flight."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Final

from bench import frames
from bench.brokers import receive

_IN_FLIGHT: Final = 8


def load(port: int, topic: str, requests: Sequence[bytes]) -> None:
    """All of them, in order; returns when the last is acknowledged."""
    reply = frames.ProduceReply(topic)

    def acknowledged() -> None:
        _, error, _ = reply.parse(receive(connection))
        if error:
            raise RuntimeError(f"the broker refused records of {topic} with error {error}")

    with socket.create_connection(("127.0.0.1", port)) as connection:
        for number, request in enumerate(requests):
            connection.sendall(request)
            if number >= _IN_FLIGHT:
                acknowledged()
        for _ in range(min(len(requests), _IN_FLIGHT)):
            acknowledged()
