"""The way of a metered client's requests: what they use is noted on it, and how long the client must wait is found.

    frame ─▶ decode ─▶ handler ─▶ …  ─▶ encode ─▶ reply, at once        throttle_time_ms: the longest of the waits
              └── processor time ──┘     └────┘                         and the session is muted for it (KIP-219)

What is known when the handler has been asked holds the session from then on: a client that sends ahead would otherwise
be served all that it has sent until its first reply is durable, and then wait for a quarter of a minute.

It stands in the place of a `Route` in sessions whose client has a quota; the handlers do not know of it. What counts as
request time is the time in which the loop was busy with a client's requests and with nothing else: reading them, their
handlers' steps, writing their responses. Waiting for a disk, a lock or another client costs nothing. As in Kafka, what
writing a response takes counts for the next one, and a wait for request time is no longer than one window.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import CoroutineType
from typing import Any, Final, Protocol

from drave.broker.context import Connection
from drave.broker.quotas.clients import Limits
from drave.model.clock import Clock
from drave.wire.api import API, ApiKey

Parts = list[bytes | bytearray | memoryview]

PERCENT: Final = 100
"""Request time is counted in percent of a second: 50 a second is half of the loop's time."""


class Way(Protocol):
    """What a session needs to have a request answered: a `Route`, or a metered one."""

    key: int
    version: int
    alone: bool

    @property
    def decode(self) -> Callable[[Any, int], tuple[Any, int]]: ...

    @property
    def handler(self) -> Callable[..., Any]: ...

    @property
    def encode(self) -> Callable[[int, Any], Parts]: ...


def can_be_metered(key: int) -> bool:
    """Whether the key's responses can say how long to wait. The others are brokers' requests, or too few to count."""
    return hasattr(API[ApiKey(key)].response, "throttle_time_ms")


class MeteredWay:
    """One key in one version, for one client of one session."""

    __slots__ = ("_clock", "_connection", "_frame_bytes", "_limits", "_started", "_way", "alone", "key", "version")

    def __init__(self, way: Way, limits: Limits, connection: Connection, clock: Clock) -> None:
        self.key = way.key
        self.version = way.version
        self.alone = way.alone
        self._way = way
        self._limits = limits
        self._connection = connection
        self._clock = clock
        self._frame_bytes = 0
        self._started = 0.0

    def decode(self, frame: Any, at: int) -> tuple[Any, int]:
        """The session's first step with a request, right before its handler."""
        self._started = self._clock.monotonic()
        self._frame_bytes = len(frame)
        return self._way.decode(frame, at)

    def handler(self, *given: Any) -> Any:
        """The same answer as the handler's own."""
        produce = self._limits.produce
        if produce is not None and self.key == ApiKey.PRODUCE:
            produce.record(self._frame_bytes, self._started * 1000)
        result = self._way.handler(*given)
        now_ms = self._spend(self._started) * 1000
        if type(result) is CoroutineType:
            return self._steps(result)
        self._hold(self._produce_wait_ms(now_ms))
        if result is not None:  # Produce with acks=0: nobody is told, and for request time nobody waits
            self._hold(self._request_wait_ms(now_ms))
        return result

    def encode(self, correlation_id: int, response: Any) -> Parts:
        """The session's last step: what was used is known, and so is the wait."""
        started = self._clock.monotonic()
        now_ms = started * 1000
        wait_ms: int = response.throttle_time_ms  # a handler's own limit: fetched bytes, changes of the catalog
        wait_ms = max(
            wait_ms,
            self._produce_wait_ms(now_ms),
            self._request_wait_ms(now_ms),
            self._share_fetch_wait_ms(response, now_ms),
        )
        if wait_ms:
            response.throttle_time_ms = wait_ms
            self._hold(wait_ms)
        parts = self._way.encode(correlation_id, response)
        self._spend(started)
        return parts

    # -- parts

    def _produce_wait_ms(self, now_ms: float) -> int:
        produce = self._limits.produce
        return 0 if produce is None or self.key != ApiKey.PRODUCE else produce.wait_ms(now_ms)

    def _share_fetch_wait_ms(self, response: Any, now_ms: float) -> int:
        """What was acquired is the client's until its lock runs out, so it is sent, and waited for afterwards."""
        fetch = self._limits.fetch
        if fetch is None or self.key != ApiKey.SHARE_FETCH:
            return 0
        fetch.record(sum(map(len, self._way.encode(0, response))), now_ms)
        return fetch.wait_ms(now_ms)

    def _request_wait_ms(self, now_ms: float) -> int:
        request = self._limits.request
        return 0 if request is None else min(request.wait_ms(now_ms), request.windows.ms)

    def _hold(self, wait_ms: int) -> None:
        if wait_ms:
            self._connection.mute(wait_ms / 1000)

    def _spend(self, started: float) -> float:
        """Note the time since then as used. Returns the time now."""
        now = self._clock.monotonic()
        if self._limits.request is not None:
            self._limits.request.record((now - started) * PERCENT, now * 1000)
        return now

    async def _steps(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await self._each_step(work)

    @types.coroutine
    def _each_step(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """A coroutine as it is; the time of each of its steps is noted, that between them is not."""
        go_on: Callable[[], Any] = partial(work.send, None)
        while True:
            started = self._clock.monotonic()
            try:
                awaited = go_on()
            except StopIteration as end:
                return end.value
            finally:
                self._spend(started)
            try:
                go_on = partial(work.send, (yield awaited))
            except BaseException as error:  # whatever it is, it is for the coroutine
                go_on = partial(work.throw, error)
