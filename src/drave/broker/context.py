"""What a handler is given and what it may give back.

    handler(broker, context, request) → a response                     answered at once
                                      → Pending                        answered by whoever completes it
                                      → a coroutine                    awaited by the broker, for what must wait for I/O
                                      → None                           not answered (Produce with acks=0)

A request's record data are views into the session's receive buffer. They die when the handler returns: whoever keeps
them copies them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec


class Connection(Protocol):
    """The part of a session that handlers may use. Hosts are as the socket names them."""

    client_host: str
    local_host: str
    local_port: int

    def close(self, reason: str) -> None:
        """Close the connection after what was answered so far has been sent."""
        ...

    def mute(self, wait_s: float) -> None:
        """Start no more of its requests for so long: the client is over a quota (KIP-219)."""
        ...

    def asks_anybody(self) -> None:
        """The request is one that clients make of any broker, before they come to the one that they want."""
        ...

    def asks_the_way(self, client_id: str | None) -> None:
        """The same, and the client is told the advertised address, which is not the one that it dialled."""
        ...


class Context(msgspec.Struct, gc=False):
    """Who asks, and how. A msgspec struct: one is made for every request."""

    api_version: int
    client_id: str | None
    connection: Connection


class Pending(msgspec.Struct, eq=False):
    """A reply that comes later.

    The handler returns it; whoever finds the answer calls `complete` once; the session that asked has attached itself
    and sends it in its turn. When the client has gone, `cancelled` is true, `on_cancel` was called, and completing it
    does nothing. A msgspec struct: one is made for every request that waits for the disk.
    """

    on_cancel: Callable[[], None] | None = None
    cancelled: bool = False
    _deliver: Callable[[Any], None] | None = None
    _response: Any = None
    _done: bool = False

    @property
    def done(self) -> bool:
        """Whether `complete` has been called."""
        return self._done

    def complete(self, response: Any) -> None:
        """Give the answer. The response must not be changed afterwards."""
        assert not self._done, "a reply is given once"
        self._done = True
        self.on_cancel = None
        if self._deliver is None:
            self._response = response
        elif not self.cancelled:
            self._deliver(response)

    def attach(self, deliver: Callable[[Any], None]) -> None:
        """Say where the answer goes; called by the session, once. An answer that is there already goes there now."""
        self._deliver = deliver
        if self._done:
            response, self._response = self._response, None
            deliver(response)

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        if not self._done and not self.cancelled:
            self.cancelled = True
            on_cancel, self.on_cancel = self.on_cancel, None
            if on_cancel is not None:
                on_cancel()
