"""Sessions without sockets, handlers or a loop: bytes go in, bytes come out, and each turn is taken by hand.

client.send(now(b"x"), later(b"y"))  ─▶  Session  ─▶  Handlers  ─▶  Session  ─▶  client.replies
"""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

from drave.broker.context import Context, Pending
from drave.broker.dispatch import UnsupportedRequest
from drave.broker.quotas import ClientQuotas, Windows
from drave.catalog.memory import MemoryCatalog
from drave.model.settings import BrokerSettings
from drave.model.system import SystemEntropy
from drave.net.listener import Sessions
from drave.net.session import Session
from drave.wire.api import ApiKey

KEY = ApiKey.PRODUCE
VERSION = 3
"""A key and a version whose headers have no tags; what they mean is not used."""


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return int(self.now * 1000)


class Gate:
    """Awaited by a handler that is a coroutine, until it is opened."""

    def __await__(self) -> Generator[None, bytes | BaseException, bytes]:
        given = yield
        if isinstance(given, BaseException):
            raise given
        return given


class Timer:
    """What `FakeBroker.call_later` gives."""

    def __init__(self, broker: FakeBroker, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback = callback
        self._broker = broker

    def cancel(self) -> None:
        self._broker.timers.remove(self)


class FakeBroker:
    """What sessions use of a broker."""

    def __init__(self, settings: BrokerSettings) -> None:
        self.settings = settings
        self.clock = Clock()
        self.catalog = MemoryCatalog(SystemEntropy())
        windows = Windows(count=11, ms=1000)
        self.quotas = ClientQuotas(self.catalog.client_quotas, windows=windows, mutation_windows=windows)
        self.catalog.on_client_quotas(self.quotas.follow)
        self.scheduler = self
        self.tasks: list[Coroutine[Any, Any, None]] = []
        self._soon: deque[Callable[[], None]] = deque()
        self.timers: list[Timer] = []

    def connection_lost(self, connection: object) -> None:
        """Nothing was kept for it."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self, self.clock.now + delay, callback)
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        """So much time passes; what was asked for with `call_later` happens when it is due."""
        until = self.clock.now + seconds
        while due := [timer for timer in self.timers if timer.due <= until]:
            timer = min(due, key=lambda timer: timer.due)
            timer.cancel()
            self.clock.now = max(self.clock.now, timer.due)
            timer.callback()
        self.clock.now = until

    def turn(self) -> None:
        """What was asked for with `call_soon` happens."""
        while self._soon:
            self._soon.popleft()()

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        work.send(None)
        self.tasks.append(work)

    def open(self, value: bytes | BaseException | Pending, task: int = 0) -> None:
        """The coroutine goes on, with what its gate gives it, to its end."""
        work = self.tasks.pop(task)
        try:
            work.send(value)
        except StopIteration:
            return
        raise AssertionError("the coroutine waits once more")


class Way:
    """A route whose requests say how they want to be answered, and whose replies are the bytes they brought."""

    def __init__(self, handlers: Handlers, alone: bool) -> None:
        self.key = KEY
        self.version = VERSION
        self.alone = alone
        self.handler = handlers.handle

    @staticmethod
    def decode(frame: memoryview, at: int) -> tuple[bytes, int]:
        return bytes(frame[at:]), len(frame)

    @staticmethod
    def encode(correlation_id: int, response: bytes) -> list[bytes]:
        if response == b"cannot be encoded":
            raise ValueError("this reply cannot be encoded")
        return [struct.pack(">ii", 4 + len(response), correlation_id), response]


class Handlers:
    """Answers as the first byte of a request says."""

    def __init__(self) -> None:
        self.started: list[bytes] = []
        self.pending: list[tuple[bytes, Pending]] = []
        self.cancelled: list[bytes] = []

    def route(self, key: int, version: int) -> Way:
        if key not in (KEY, ApiKey.FETCH):
            raise UnsupportedRequest(key, version)
        return Way(self, alone=key == ApiKey.FETCH)

    def handle(self, broker: FakeBroker, context: Context, body: bytes) -> Any:
        kind, text = body[:1], body[1:]
        self.started.append(text)
        match kind:
            case b"n":
                return text
            case b"l":
                pending = Pending(on_cancel=lambda: self.cancelled.append(text))
                self.pending.append((text, pending))
                return pending
            case b"w":
                return self._wait()
            case b"-":
                return None
            case b"z":
                return bytes(int(text))
            case b"m":
                context.connection.mute(float(text))
                return text
            case b"c":
                context.connection.close("the handler wanted it")
                return None
        raise ValueError("a handler that fails")

    async def _wait(self) -> Any:
        return await Gate()

    def complete(self, index: int = 0) -> None:
        """Give one of the replies that are awaited."""
        text, pending = self.pending.pop(index)
        pending.complete(text)


def now(text: bytes) -> bytes:
    """A request that is answered at once."""
    return b"n" + text


def later(text: bytes) -> bytes:
    """A request that is answered when `Handlers.complete` says so."""
    return b"l" + text


def mute(seconds: float) -> bytes:
    """A request that is answered at once, and whose client is muted for so long."""
    return b"m%g" % seconds


def zeros(size: int) -> bytes:
    """A request that is answered with so many bytes."""
    return b"z%d" % size


WAIT = b"w"
"""A request whose handler is a coroutine; `FakeBroker.open` gives its answer."""
NO_REPLY = b"-"
CLOSE = b"c"
FAIL = b"!"


def frame(body: bytes, correlation_id: int, key: int = KEY, version: int = VERSION) -> bytes:
    """A request as it travels."""
    header = struct.pack(">hhih", key, version, correlation_id, -1)
    return struct.pack(">i", len(header) + len(body)) + header + body


class Client(asyncio.Transport):
    """The other end of one session, and the transport between the two."""

    def __init__(self, sessions: Sessions, host: str = "192.0.2.1") -> None:
        super().__init__()
        self.host = host
        self.session = Session(sessions)
        self.received = bytearray()
        self.writes = 0
        self.reading = True
        self.closed = False
        self.aborted = False
        self.stopped = False
        """Whether the client has stopped to read."""
        self.unsent = 0
        """What the client has not taken yet."""
        self.high = 0
        self._on_the_way = bytearray()
        self._numbers = itertools.count()
        self.session.connection_made(self)

    # -- the client's side

    def send(self, *bodies: bytes, key: int = KEY, version: int = VERSION) -> None:
        """Requests, all in one piece."""
        self.send_bytes(b"".join(frame(body, next(self._numbers), key, version) for body in bodies))

    def send_bytes(self, data: bytes) -> None:
        """Bytes, which arrive as far as the session reads."""
        self._on_the_way += data
        self.arrive()

    def arrive(self) -> None:
        """What is on its way arrives as far as the session reads."""
        while self._on_the_way and self.reading and not self.is_closing():
            buffer = self.session.get_buffer(-1)
            assert len(buffer), "the loop would take an empty buffer for a mistake"
            size = min(len(buffer), len(self._on_the_way))
            buffer[:size] = self._on_the_way[:size]
            del self._on_the_way[:size]
            self.session.buffer_updated(size)
            self.session.write_out()  # as the outbox does at the end of a turn

    @property
    def waiting_bytes(self) -> int:
        """What was sent and not read."""
        return len(self._on_the_way)

    @property
    def replies(self) -> list[bytes]:
        """Every whole reply; their correlation ids are checked to be those of the requests, in order."""
        if not self.closed:
            self.session.write_out()
        return list(self._replies())

    def _replies(self) -> Iterator[bytes]:
        at, expected = 0, itertools.count()
        while at < len(self.received):
            size, correlation_id = struct.unpack_from(">ii", self.received, at)
            text = bytes(self.received[at + 8 : at + 4 + size])
            at += 4 + size
            while (number := next(expected)) != correlation_id:
                assert number < correlation_id, "replies leave in the order of the requests"
            yield text

    def hang_up(self) -> None:
        self.session.connection_lost(None)

    # -- the transport's side

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": (self.host, 50000), "sockname": ("192.0.2.9", 9092)}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high or 0

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def write(self, data: Any) -> None:
        assert not self.closed, "nothing is written to a connection that was closed"
        self.writes += 1
        self.received += data
        if self.stopped:
            self.unsent += len(data)
            if self.unsent > self.high:
                self.session.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


class World:
    """A broker's sessions, and clients as many as are wanted."""

    def __init__(self, **settings: Any) -> None:
        self.broker = FakeBroker(BrokerSettings(**settings))
        self.handlers = Handlers()
        self.sessions = Sessions(self.broker)  # type: ignore[arg-type]  # what they use of a broker

    def client(self, host: str = "192.0.2.1") -> Client:
        return Client(self.sessions, host)

    @property
    def memory_used(self) -> int:
        return self.sessions.memory.used
