"""Connections between clients and the broker's sessions, and what can happen to them.

    Connection ──requests──▶ Pipe ──▶ Session     real protocol objects, as an event loop would call them
               ◀──replies─── Pipe ◀── Wire        the transport that the session writes to

Within one direction of one connection bytes keep their order, as in TCP; everything else is up to the seed: how long
they take, where they are cut into pieces, whether they stop in the middle of a frame, which end hears when that a
connection is gone, or never hears. A `Weather` says how bad it is, and may change at any time.
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from drave.schema import Struct
from drave.wire.api import ApiKey
from drave.wire.frames import decode_reply, encode_request
from simulation.loop import Loop, Timeline
from simulation.trace import Trace

KERNEL_BYTES: Final = 64 * 1024
"""What an operating system takes of what a process leaves behind when it closes."""
CLIENT_HOST: Final = "192.0.2.1"
HEARD: Final = 0.9
"""How often a client hears that the broker's machine is gone."""
_LENGTH: Final = struct.Struct(">i")


class ConnectionLost(Exception):
    """There is no connection, or none any more."""


class OutOfTurn(AssertionError):
    """A reply came that answers another request than the oldest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How the network behaves just now."""

    delay_ms: tuple[float, float] = (0.05, 1.0)
    pieces: float = 0.1
    """How often bytes arrive in pieces."""
    hiccup: float = 0.0
    """How often something takes a hundred times as long."""
    deaf: float = 0.3
    """How often one of the two ends does not hear that a connection broke."""


FAIR: Final = Weather()


class Pipe:
    """One direction of a connection. `deliver` takes bytes, and says how many it took; `end` is called after the last
    of them."""

    __slots__ = (
        "_deliver",
        "_end",
        "_ended",
        "_held",
        "_is_cut",
        "_is_moving",
        "_is_torn",
        "_loop",
        "_network",
        "on_room",
        "on_vain",
    )

    def __init__(self, network: Network, loop: Loop, deliver: Callable[[bytes], int], end: Callable[[], None]) -> None:
        self._network = network
        self._loop = loop
        self._deliver = deliver
        self._end = end
        self._held = bytearray()
        self._is_moving = False
        self._ended = False
        self._is_cut = False
        self._is_torn = False
        self.on_room: Callable[[], None] = _nobody
        """Called after something was delivered."""
        self.on_vain: Callable[[], None] = _nobody
        """Called when something was sent that can never arrive."""

    def __len__(self) -> int:
        return len(self._held)

    def send(self, data: Any) -> None:
        if self._is_cut:
            self.on_vain()
        else:
            self._held += data
            self.move()

    def finish(self) -> None:
        """There will be no more."""
        if not self._is_cut:
            self._ended = True
            self.move()

    def cut(self, keep: int) -> None:
        """Of what is on its way so many bytes may arrive, and nothing after them."""
        self._is_cut = True
        del self._held[keep:]

    def tear(self) -> None:
        """Nothing more arrives."""
        self.cut(0)
        self._is_torn = True

    def move(self) -> None:
        """Go on with what is held, after some time."""
        if not self._is_moving and (self._held or self._ended) and not self._is_torn:
            self._is_moving = True
            self._loop.call_at(self._network.arrival(), self._arrive)

    def _arrive(self) -> None:
        self._is_moving = False
        if self._is_torn or self._network.is_cut_off():
            self.move()
        elif self._held:
            size = self._network.piece(len(self._held))
            taken = self._deliver(bytes(self._held[:size]))
            del self._held[:taken]
            self.on_room()
            if taken == size:  # or else the receiver does not read; it calls `move` when it does
                self.move()
        elif self._ended:
            self.tear()
            self._end()


def _nobody() -> None:
    pass


class Wire(asyncio.Transport):
    """The broker's end of a connection: the transport of one session."""

    def __init__(self, network: Network, loop: Loop, protocol: asyncio.BufferedProtocol, client: Connection) -> None:
        super().__init__()
        self._network = network
        self.loop = loop
        self._protocol = protocol
        self._client = client
        self._is_reading = True
        self._is_closing = False
        self._is_lost = False
        self._high = KERNEL_BYTES
        self._is_full = False
        self.requests = Pipe(network, loop, self._receive, self._hear_the_end)
        self.replies = Pipe(network, client.loop, client.receive, client.lose)
        self.replies.on_room = self._made_room
        self.requests.on_vain = self._tell_client
        self.replies.on_vain = self._hear_soon

    def begin(self) -> None:
        self._protocol.connection_made(self)

    # -- what comes

    def _receive(self, data: bytes) -> int:
        taken = 0
        while taken < len(data) and self._is_reading and not self._is_closing:
            buffer = memoryview(self._protocol.get_buffer(-1))
            assert len(buffer), "a loop takes an empty buffer for a mistake"
            size = min(len(buffer), len(data) - taken)
            buffer[:size] = data[taken : taken + size]
            self._protocol.buffer_updated(size)
            taken += size
        return len(data) if self._is_closing else taken

    def _hear_the_end(self) -> None:
        if not self._is_closing and not self._protocol.eof_received():
            self.close()

    def break_at(self, sent: int, answered: int) -> None:
        """So many bytes more may arrive in each direction; then the connection is of no use, which nobody knows yet."""
        self.requests.cut(sent)
        self.replies.cut(answered)

    def hear(self) -> None:
        """The broker's end hears that the connection is gone."""
        self.requests.tear()
        self.replies.tear()
        self._is_closing = True
        self._lose(ConnectionResetError("the network broke it"))

    def _hear_soon(self) -> None:
        self._network.after_a_while(self.loop, self.hear)

    def _tell_client(self) -> None:
        self._network.after_a_while(self._client.loop, self._client.lose)

    def _lose(self, error: Exception | None = None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._network.wires.pop(self, None)
            self._protocol.connection_lost(error)

    # -- what goes

    def write(self, data: Any) -> None:
        if self._is_closing or self.loop.is_dead:
            return
        self.replies.send(data)
        if len(self.replies) > self._high and not self._is_full:
            self._is_full = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def _made_room(self) -> None:
        if self.loop.is_dead:
            return
        if self._is_full and len(self.replies) <= self._high // 4:
            self._is_full = False
            self.loop.call_soon(self._resume)
        if self._is_closing and len(self.replies) <= KERNEL_BYTES:
            self.loop.call_soon(self._lose)

    def _resume(self) -> None:
        if not self._is_lost and not self._is_closing:
            self._protocol.resume_writing()

    # -- what a session asks of its transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": (CLIENT_HOST, self._client.port), "sockname": self._network.address}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = KERNEL_BYTES if high is None else high

    def get_write_buffer_size(self) -> int:
        return len(self.replies)

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        self.requests.move()

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self.requests.tear()
            self.replies.finish()
            if len(self.replies) <= KERNEL_BYTES:
                self.loop.call_soon(self._lose)

    def abort(self) -> None:
        if not self._is_lost:
            self._is_closing = True
            self.requests.tear()
            self.replies.tear()
            self._tell_client()
            self.loop.call_soon(self._lose)


class Connection:
    """A client's end: messages go in, and replies come out."""

    def __init__(self, network: Network, loop: Loop, name: str, port: int) -> None:
        self._network = network
        self._wire: Wire | None = None
        self._received = bytearray()
        self._waiting: deque[tuple[int, int, int, asyncio.Future[Any]]] = deque()
        self._next_id = 0
        self.loop = loop
        self.name = name
        self.port = port
        self.is_lost = False

    def plug(self, wire: Wire) -> None:
        """The network has joined the two ends."""
        self._wire = wire

    async def ask(self, message: Struct, version: int) -> Any:
        """The reply to one request, of which several may be on their way. Raises ConnectionLost."""
        key, correlation_id = self._write(message, version)
        answer: asyncio.Future[Any] = self.loop.create_future()
        self._waiting.append((key, version, correlation_id, answer))
        return await answer

    def send(self, message: Struct, version: int) -> None:
        """A request that is not answered. Raises ConnectionLost."""
        self._write(message, version)

    def _write(self, message: Struct, version: int) -> tuple[int, int]:
        if self.is_lost or self._wire is None:
            raise ConnectionLost
        key = key_of(message)
        correlation_id = self._next_id
        self._next_id += 1
        self._network.trace.note("request", self.name, self.port, ApiKey(key).name, version, correlation_id)
        self._wire.requests.send(b"".join(encode_request(key, version, correlation_id, self.name, message)))
        self._network.on_request(key)
        return key, correlation_id

    def close(self) -> None:
        """Hang up. What was not answered is lost."""
        if not self.is_lost:
            wire = self._wire
            self.lose()
            if wire is not None:
                wire.requests.finish()
                wire.replies.tear()

    # -- the network's side

    def receive(self, data: bytes) -> int:
        if self.is_lost:
            return len(data)
        received = self._received
        received += data
        while len(received) >= 4:
            (size,) = _LENGTH.unpack_from(received)
            if len(received) < size + 4:
                break
            self._take_reply(bytes(received[4 : size + 4]))
            del received[: size + 4]
        return len(data)

    def _take_reply(self, frame: bytes) -> None:
        key, version, expected, answer = self._waiting.popleft()
        correlation_id, message = decode_reply(key, version, frame)
        if correlation_id != expected:
            raise OutOfTurn(f"{self.name}: a reply to {correlation_id} instead of {expected}")
        self._network.trace.note("reply", self.name, self.port, ApiKey(key).name, correlation_id, len(frame))
        if not answer.done():
            answer.set_result(message)
            self._network.on_reply(key)

    def lose(self) -> None:
        """The client's end hears that the connection is gone."""
        if not self.is_lost:
            self.is_lost = True
            waiting, self._waiting = self._waiting, deque()
            for *_, answer in waiting:
                if not answer.done():
                    answer.set_exception(ConnectionLost())


class Listener:
    """Where one life of the broker listens. A door that was shut stays shut."""

    def __init__(self, network: Network, loop: Loop, make_protocol: Callable[[], asyncio.BufferedProtocol]) -> None:
        self._network = network
        self.loop = loop
        self.make_protocol = make_protocol

    def close(self) -> None:
        if self._network.listener is self:
            self._network.listener = None


class Socket:
    """What the broker binds: it knows its network. Stands in for a `socket.socket`."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def getsockname(self) -> tuple[str, int]:
        return self._network.address

    def listen(self, loop: Loop, make_protocol: Callable[[], asyncio.BufferedProtocol]) -> Listener:
        listener = self._network.listener = Listener(self._network, loop, make_protocol)
        return listener


class Network:
    """All connections to one broker, and the weather that they are in."""

    def __init__(self, timeline: Timeline, chance: random.Random, trace: Trace, address: tuple[str, int]) -> None:
        self.address = address
        self.trace = trace
        self.weather = FAIR
        self.listener: Listener | None = None
        self.wires: dict[Wire, Connection] = {}
        self.on_request: Callable[[int], None] = _nobody_asks
        """Called with the API key of what a client has just asked."""
        self.on_reply: Callable[[int], None] = _nobody_asks
        """Called with the API key of what a client has just been told."""
        self._timeline = timeline
        self._chance = chance
        self._cut_off_until = 0.0
        self._next_port = 40_000

    # -- joining

    async def connect(self, loop: Loop, name: str) -> Connection:
        """A connection to the broker. Raises ConnectionLost."""
        await asyncio.sleep(self._delay())
        listener = self.listener
        if listener is None or listener.loop.is_dead or self.is_cut_off():
            raise ConnectionLost
        self._next_port += 1
        connection = Connection(self, loop, name, self._next_port)
        wire = Wire(self, listener.loop, listener.make_protocol(), connection)
        self.wires[wire] = connection
        listener.loop.call_soon(wire.begin)
        await asyncio.sleep(self._delay())
        if connection.is_lost:
            raise ConnectionLost
        connection.plug(wire)
        return connection

    # -- what bytes meet

    def _delay(self) -> float:
        chance, weather = self._chance, self.weather
        seconds = chance.uniform(*weather.delay_ms) / 1000
        return seconds * 100 if weather.hiccup and chance.random() < weather.hiccup else seconds

    def arrival(self) -> float:
        """When what is sent now arrives."""
        return max(self._timeline.now, self._cut_off_until) + self._delay()

    def is_cut_off(self) -> bool:
        return self._timeline.now < self._cut_off_until

    def piece(self, size: int) -> int:
        """How much of what could arrive together does."""
        chance, weather = self._chance, self.weather
        if size > 1 and chance.random() < weather.pieces:
            return chance.randint(1, min(size, chance.choice((3, 60, 5000, size))))
        return size

    # -- what happens to connections

    def cut_off(self, seconds: float) -> None:
        """For a while nothing arrives anywhere; then all of it does."""
        self._cut_off_until = max(self._cut_off_until, self._timeline.now + seconds)

    def heal(self) -> None:
        """Fair weather from now on."""
        self.weather = FAIR
        self._cut_off_until = 0.0

    def break_one(self) -> None:
        """One connection breaks, wherever its bytes are; sometimes one of the two ends does not hear of it."""
        if not self.wires:
            return
        chance = self._chance
        busy = [wire for wire in self.wires if wire.requests or wire.replies]
        wire = chance.choice(busy if busy and chance.random() < 0.7 else list(self.wires))
        connection = self.wires[wire]
        deaf = chance.choice(("broker", "client")) if chance.random() < self.weather.deaf else ""
        self.trace.note("break", connection.name, connection.port, deaf and f"{deaf} does not hear")
        wire.break_at(chance.randint(0, len(wire.requests)), chance.randint(0, len(wire.replies)))
        if deaf != "client":
            self.after_a_while(connection.loop, connection.lose)
        if deaf != "broker":
            self.after_a_while(wire.loop, wire.hear)

    def lose_all(self) -> None:
        """The broker's machine is gone, and with it its ends. What was on its way to clients may still arrive; who of
        them does not hear of it now does so when it sends."""
        chance = self._chance
        for wire, connection in self.wires.items():
            wire.break_at(0, chance.randint(0, len(wire.replies)))
            if chance.random() < HEARD:
                self.after_a_while(connection.loop, connection.lose)
        self.wires.clear()
        self.listener = None

    def after_a_while(self, loop: Loop, then: Callable[[], None]) -> None:
        loop.call_at(self.arrival(), then)


def _nobody_asks(_: int) -> None:
    pass


def key_of(message: Struct) -> int:
    """The API key of a request: its module says it."""
    module = type(message).__module__.rpartition(".")[2]
    return int(module[1:].split("_")[0])
