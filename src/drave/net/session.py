"""One connection: frames in, replies out, in the order of the requests.

    socket ─▶ buffer ─▶ frame ─▶ route ─▶ handler ─▶ response ─▶ encoded at once ──────────────┐
                                             └────▶ Pending ──▶ Slot in the queue ─completed─▶ socket

A request starts when the one before has been answered or waits. Frames are parsed where they were received: a handler's
views die when it returns. Reading stops while too many replies are owed, while the client does not read what it was
sent, and while all sessions together hold as much as they may. No failure here reaches another connection.

Who is over a quota is *muted* for a while (KIP-219): nothing is started, and what is asked meanwhile waits where it is.
A muted client that says nothing is listened to, so that it is noticed when it goes.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import deque
from collections.abc import Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from drave.broker.context import Context, Pending
from drave.broker.dispatch import LARGE, UnsupportedRequest, route, unsupported_api_versions
from drave.broker.quotas import NO_LIMITS, MeteredWay, Way, can_be_metered
from drave.model.clock import Timer
from drave.model.errors import DraveError
from drave.net.strangers import greeting
from drave.wire.api import ApiKey
from drave.wire.frames import parse_request_header

if TYPE_CHECKING:
    from drave.net.listener import Sessions

logger = logging.getLogger("drave.net")

BUFFER_SIZE: Final = 16 * 1024
"""What each session has for itself. Larger frames take more while they last."""
KEEP_SIZE: Final = 2 * 1024 * 1024
"""A buffer up to this size is kept for the next frame; a larger one is given back as soon as it is empty."""
GROWTH: Final = 4
"""A buffer grows by this factor as the bytes of a large frame arrive: a frame that is only announced costs nothing."""
REPLIES_OWED_MAX: Final = 128
"""So many requests of one connection may wait for their replies before reading pauses."""
PARTS_HELD_MAX: Final = 256
"""So many parts of replies are gathered before they are written."""
FRAME_SIZE_MIN: Final = 8
"""Key, version and correlation id."""
USUAL_FRAME_BYTES_MAX: Final = 8 * 1024 * 1024
"""What a request may have that carries nobody's records: a list of millions of small things would hold everybody."""
AWAITING, DRAINING, UNREAD, MUTED = 1, 2, 4, 8
"""What may hold the next request, one bit each: a coroutine at work, the broker's end, a client that does not read its
replies, a quota."""
_LENGTH: Final = struct.Struct(">i")
_KEY_AND_VERSION: Final = struct.Struct(">hh")


class Slot(msgspec.Struct, eq=False):
    """The place of a reply that is not there yet, in the order of the requests. One is made for each that waits."""

    session: Session
    route: Way
    correlation_id: int
    pending: Pending | None = None
    parts: list[bytes | bytearray | memoryview] | None = None

    def deliver(self, response: Any) -> None:
        """The reply is here; it leaves when all before it have left."""
        session = self.session
        self.pending = None  # or the two would name each other until the garbage collector comes
        if session.is_closing:
            return
        try:
            self.parts = self.route.encode(self.correlation_id, response)
        except Exception:
            session.fail(f"a reply to {ApiKey(self.route.key).name} v{self.route.version} could not be encoded")
            return
        if session.slots and session.slots[0] is self:
            session.flush()


class Asker(msgspec.Struct):
    """What a request's header says besides its correlation id, and the bytes before and after that which say so."""

    route: Way
    client_id: str | None
    size: int
    begin: bytes
    rest: bytes


class Session(asyncio.BufferedProtocol):
    """A connection, as a protocol object that the event loop calls."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._broker = sessions.broker
        self._frame_bytes_max = sessions.settings.request_bytes_max
        self._usual_bytes_max = min(USUAL_FRAME_BYTES_MAX, self._frame_bytes_max)
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._buffer = bytearray(BUFFER_SIZE)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._out: list[bytes | bytearray | memoryview] = []
        self._in_outbox = False
        self._asker: Asker | None = None
        self._processing = False
        self._holds = 0
        self._muted_until = 0.0
        self._unmuting: Timer | None = None
        self._reading_paused = False
        self._waits_for_memory = False
        self._unsent = 0
        self.is_closing = False
        self.slots: deque[Slot] = deque()
        self.active_at = self._asked_at = 0.0
        self.peer = "?"
        self.client_host = self.local_host = ""
        self.local_port = 0

    # -- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.client_host, port = (transport.get_extra_info("peername") or ("?", 0))[:2]
        self.local_host, self.local_port = (transport.get_extra_info("sockname") or ("?", 0))[:2]
        self.peer = f"{self.client_host}:{port}"
        self._transport.set_write_buffer_limits(high=self._sessions.settings.reply_backlog_bytes_max)
        self.active_at = self._asked_at = self._broker.clock.monotonic()
        self._sessions.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closing = True
        self._sessions.gone(self)
        self._give_back()
        self._sessions.memory.leave(self)
        self._out = []
        self._asker = None
        if self._unmuting is not None:
            self._unmuting.cancel()
        slots, self.slots = self.slots, deque()
        for slot in slots:
            if slot.pending is not None:
                slot.pending.cancel()
        self._broker.connection_lost(self)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._holds |= UNREAD

    def resume_writing(self) -> None:
        self._holds &= ~UNREAD
        self.active_at = self._broker.clock.monotonic()
        self._go_on()

    @property
    def owes(self) -> bool:
        """Whether a reply is still to come, or to be sent."""
        return bool(self.slots or self._out)

    @property
    def is_stalled(self) -> bool:
        """Whether it is the client's turn: it has sent half a request, or has not taken all that it was sent."""
        if self.is_closing or self._holds & UNREAD:
            return True
        return not self._reading_paused and self._holds_half_a_frame()

    def _holds_half_a_frame(self) -> bool:
        have = self._end - self._start
        if have < 4:
            return have > 0
        size: int = _LENGTH.unpack_from(self._buffer, self._start)[0]
        return have < size + 4

    def note_progress(self, now: float) -> None:
        """A client that takes what it was sent, however slowly, is not silent."""
        unsent = self._transport.get_write_buffer_size()
        if unsent < self._unsent:
            self.active_at = now
        self._unsent = unsent

    def drain(self) -> None:
        """Start no more requests; what is owed is still sent."""
        self._holds |= DRAINING

    def mute(self, wait_s: float) -> None:
        """Start no more requests for so long, or for as long as was said before if that is longer."""
        until = self._broker.clock.monotonic() + wait_s
        if self.is_closing or until <= self._muted_until:
            return
        if self._unmuting is not None:
            self._unmuting.cancel()
        self._holds |= MUTED
        self._muted_until = until
        self._unmuting = self._broker.scheduler.call_later(wait_s, self._unmute)

    def _unmute(self) -> None:
        self._unmuting = None
        self._holds &= ~MUTED
        self._go_on()

    def refuse(self, after_s: float) -> None:
        """Not let in. With a pause before it is told so, a client that tries again at once does not come at once."""
        self.is_closing = True
        if after_s:
            self._transport.pause_reading()
            self._broker.scheduler.call_later(after_s, self._transport.abort)
        else:
            self._transport.abort()

    def forget_asker(self) -> None:
        """The client's quotas are others: look at its next header anew."""
        self._asker = None

    def close(self, reason: str) -> None:
        """Close once what was answered so far has been sent."""
        if not self.is_closing:
            logger.info("%s: closed: %s", self.peer, reason)
            self._close()

    def asks_anybody(self) -> None:
        self._asked_at = self.active_at

    def asks_the_way(self, client_id: str | None) -> None:
        self._asked_at = self.active_at
        if self._sessions.newcomers is not None:
            self._sessions.newcomers.asks(self.active_at, self.client_host, client_id)

    @property
    def has_come(self) -> bool:
        """Whether the client has asked, since it asked the way, for what it asks of the broker that it wants."""
        return self.active_at > self._asked_at

    def _turn_away(self, reason: str, *facts: object) -> None:
        """Close because of what came, with a hint in the log. `reason` has a %s for each of the facts."""
        if not self.is_closing:
            self._sessions.hints.give(self.active_at, self.client_host, self.peer, reason, *facts)
            self._close()

    def _close(self) -> None:
        self.is_closing = True
        self.write_out()
        self._transport.close()

    def abort(self, reason: str) -> None:
        """Close now; what is unsent is dropped."""
        self.is_closing = True
        self._out = []
        logger.info("%s: closed: %s", self.peer, reason)
        self._transport.abort()

    def fail(self, what: str) -> None:
        """Our own mistake: it costs this connection, and nobody else's. Called while the exception is handled."""
        logger.exception("%s: %s; the connection is closed", self.peer, what)
        self._close()

    # -- bytes in

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view[self._end :] if self._end else self._view

    def buffer_updated(self, nbytes: int) -> None:
        self._end += nbytes
        self.active_at = self._broker.clock.monotonic()
        self._process()

    def _process(self) -> None:
        """Start every request whose frame is whole, as far as it may start now."""
        if self._processing:
            return
        self._processing = True
        try:
            while not self._is_held() and self._take_frame():
                pass
        except Exception:
            self.fail("a request could not be taken")
        finally:
            self._processing = False
        if self._start == self._end:
            self._start = self._end = 0
            if len(self._buffer) > BUFFER_SIZE:
                self._tidy()
        if self._out and not self._in_outbox:
            self._write_soon()
        if (self._is_held() and not self._only_listens()) or self._end == len(self._buffer):
            self._pause_reading()
        elif self._reading_paused:
            self._resume_reading()

    def _is_held(self) -> bool:
        return self.is_closing or self._holds > 0 or len(self.slots) >= REPLIES_OWED_MAX

    def _only_listens(self) -> bool:
        """Whether it is held, and there are no bytes yet that have to wait."""
        return self._holds == MUTED and not self._end and not self.is_closing and len(self.slots) < REPLIES_OWED_MAX

    def _go_on(self) -> None:
        """Something that held the next request, or its bytes, is over."""
        if not self.is_closing and (self._end > self._start or self._reading_paused):
            self._process()

    def _take_frame(self) -> bool:
        """Start the next request, if its frame is whole and it need not wait. Whether there may be another one."""
        start = self._start
        have = self._end - start
        if have < 4:
            return self._make_room(4)
        (size,) = _LENGTH.unpack_from(self._buffer, start)
        if not FRAME_SIZE_MIN <= size <= self._usual_bytes_max and not self._takes_large(size, have):
            return False
        if have < size + 4:
            return self._make_room(size + 4)
        frame = self._view[start + 4 : start + 4 + size]
        if self.slots and self._must_start_alone(frame):
            return False
        self._start = start + 4 + size
        self._begin(frame)
        return self._start < self._end

    def _takes_large(self, size: int, have: int) -> bool:
        """Whether a frame of an unusual size is one that may have it. Refused if not, once its key has come."""
        if not FRAME_SIZE_MIN <= size <= self._frame_bytes_max:
            self._refuse_frame(size)
            return False
        if have < _LENGTH.size + _KEY_AND_VERSION.size:
            return self._make_room(_LENGTH.size + _KEY_AND_VERSION.size)
        key, _ = _KEY_AND_VERSION.unpack_from(self._buffer, self._start + _LENGTH.size)
        if key not in LARGE:
            names = ", ".join(each.name for each in LARGE)
            reason = "a frame of %s bytes for API key %s; only %s may be larger than %s bytes"
            self._turn_away(reason, size, key, names, self._usual_bytes_max)
        return key in LARGE

    def _must_start_alone(self, frame: memoryview) -> bool:
        try:
            return route(*_KEY_AND_VERSION.unpack_from(frame)).alone
        except UnsupportedRequest:
            return True  # it is answered, or ends the connection, after all that was asked before it

    def _make_room(self, size: int) -> bool:
        """See to it that the next `size` bytes can be received. Always False: nothing has started."""
        start, end = self._start, self._end
        if start and (start + size > len(self._buffer) or start == end):
            self._view[: end - start] = self._view[start:end]
            self._start, self._end = 0, end - start
        if size > len(self._buffer) and self._end == len(self._buffer):
            self._grow(min(len(self._buffer) * GROWTH, max(size, KEEP_SIZE)))
        return False

    def _grow(self, size: int) -> None:
        if self._waits_for_memory:
            return
        if not self._sessions.memory.take(self, size - len(self._buffer), self._memory_is_free):
            self._waits_for_memory = True
        else:
            grown = bytearray(size)
            grown[: self._end] = self._view[: self._end]
            self._buffer = grown
            self._view = memoryview(grown)

    def _memory_is_free(self) -> None:
        """Called by whoever gave it back: our own requests start in a turn of our own."""
        self._waits_for_memory = False
        self._broker.scheduler.call_soon(self._go_on)

    def _tidy(self) -> None:
        """An empty buffer is given back when it is very large, or when others wait for it."""
        if len(self._buffer) > KEEP_SIZE or self._sessions.memory.is_short:
            self._give_back()

    def _give_back(self) -> None:
        extra = len(self._buffer) - BUFFER_SIZE
        if extra:
            self._buffer = bytearray(BUFFER_SIZE)
            self._view = memoryview(self._buffer)
            self._start = self._end = 0
            self._sessions.memory.give(self, extra)

    def rest(self) -> None:
        """Nothing has happened for a while: keep only the small buffer."""
        if self._start == self._end:
            self._give_back()

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self.is_closing:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        self._reading_paused = False
        self._transport.resume_reading()

    # -- requests

    def _begin(self, frame: memoryview) -> None:
        try:
            asker = self._asker
            if asker is None or frame[:4] != asker.begin or frame[8 : asker.size] != asker.rest:
                asker = self._meet(frame)
            way = asker.route
            (correlation_id,) = _LENGTH.unpack_from(frame, 4)
            request, _ = way.decode(frame, asker.size)
        except UnsupportedRequest as error:
            self._answer_unsupported(error, frame)
            return
        except DraveError as error:
            self._turn_away("a request that cannot be read: %s", error)
            return
        try:
            result = way.handler(self._broker, Context(way.version, asker.client_id, self), request)
            if result is None:
                return
            kind = type(result)
            if kind is not Pending and kind is not CoroutineType and not self.slots:
                self._out += way.encode(correlation_id, result)
                if way.alone or len(self._out) > PARTS_HELD_MAX:
                    self.write_out()  # now, so that a client which does not read is noticed before the next one
                return
        except Exception:
            self.fail(f"{ApiKey(way.key).name} v{way.version} failed")
            return
        slot = Slot(self, way, correlation_id)
        self.slots.append(slot)
        if kind is Pending:
            slot.pending = result
            result.attach(slot.deliver)
        elif kind is CoroutineType:
            self._holds |= AWAITING
            self._broker.spawn(self._await(slot, result), name=f"{ApiKey(way.key).name} of {self.peer}")
        else:
            slot.deliver(result)

    def _meet(self, frame: memoryview) -> Asker:
        """Read a header. The next one is probably made of the same bytes, but for its correlation id."""
        header, size = parse_request_header(frame)
        way: Way = route(header.api_key, header.api_version)
        quotas = self._broker.quotas
        if (
            quotas.are_set
            and (limits := quotas.limits_of(header.client_id)) is not NO_LIMITS
            and can_be_metered(way.key)
        ):
            way = MeteredWay(way, limits, self, self._broker.clock)
        self._asker = Asker(way, header.client_id, size, bytes(frame[:4]), bytes(frame[8:size]))
        return self._asker

    async def _await(self, slot: Slot, result: Coroutine[Any, Any, Any]) -> None:
        try:
            response = await result
        except Exception:
            self.fail(f"{ApiKey(slot.route.key).name} v{slot.route.version} failed")
            return
        self._holds &= ~AWAITING
        if isinstance(response, Pending):
            slot.pending = response
            response.attach(slot.deliver)
            if self.is_closing:
                response.cancel()
        else:
            slot.deliver(response)
        self._go_on()

    def _answer_unsupported(self, error: UnsupportedRequest, frame: memoryview) -> None:
        if error.key == ApiKey.API_VERSIONS:
            self._out += unsupported_api_versions(_LENGTH.unpack_from(frame, 4)[0])
        else:
            self._turn_away("%s", error)

    def _refuse_frame(self, size: int) -> None:
        met = greeting(self._view[self._start : self._end])
        if met is not None:
            self._out.append(met.reply)
            self._turn_away(met.reason)
        elif size < FRAME_SIZE_MIN:
            self._turn_away("a frame that says it has %s bytes; the smallest request has %s", size, FRAME_SIZE_MIN)
        else:
            self._turn_away(
                "a frame of %s bytes is larger than socket.request.max.bytes=%s; send smaller batches, or raise the "
                "setting",
                size,
                self._frame_bytes_max,
            )

    # -- replies out

    def flush(self) -> None:
        """Send every reply whose turn has come, and start what waited for that."""
        slots = self.slots
        while slots and (parts := slots[0].parts) is not None:
            self._out += parts
            if slots.popleft().route.alone:
                self.write_out()  # now: the next one may start, and be as large
        if not self._processing:
            if not self._in_outbox:
                self._write_soon()
            if self._end > self._start or self._reading_paused:
                self._go_on()

    def _write_soon(self) -> None:
        self._in_outbox = self._sessions.outbox.add(self)
        if not self._in_outbox:
            self.write_out()

    def write_out(self) -> None:
        """Hand what was answered to the operating system."""
        self._in_outbox = False
        out = self._out
        if not out:
            return
        self._out = []
        if len(out) == 1:
            self._transport.write(out[0])
        else:
            self._transport.writelines(out)
