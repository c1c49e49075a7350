"""Where the broker listens, and the sessions it has.

The bounds that concern all sessions together live here: how many there may be, what they may hold, how long one may be
silent or refuse to read.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from drave.broker.core import Broker
from drave.model.errors import DraveError
from drave.model.setting import Address
from drave.model.settings import BrokerSettings
from drave.net.arrivals import Arrivals, Verdict
from drave.net.memory import ReceiveMemory
from drave.net.newcomers import Newcomers
from drave.net.outbox import Outbox
from drave.net.session import Session
from drave.net.strangers import Hints

logger = logging.getLogger("drave.net")

REST_AFTER_S: Final = 1.0
"""A session that was silent for so long keeps only its small buffer."""


class CannotListen(DraveError):
    """The address is in use, not ours, or not allowed."""

    def __init__(self, host: str, port: int, reason: OSError) -> None:
        self.host = host
        self.port = port
        self.reason = reason

    def __str__(self) -> str:
        where = f"{self.host}:{self.port}"
        match self.reason.errno:
            case errno.EADDRINUSE:
                return (
                    f"Port {self.port} on {self.host} is in use by another program (another broker?). Stop it, or "
                    f"listen elsewhere: drave serve --listen {self.host}:{self.port + 1}"
                )
            case errno.EACCES:
                return f"Listening on {where} is not allowed to this user: choose a port above 1023."
            case errno.EADDRNOTAVAIL:
                return f"{self.host} is no address of this machine, so the broker cannot listen on {where}."
        return f"The broker cannot listen on {where}: {self.reason.strerror or self.reason}."


class Sessions:
    """Every open connection, and the bounds they share."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.memory = ReceiveMemory(broker.settings.request_memory_bytes_max)
        self.hints = Hints()
        advertised = broker.settings.advertise
        self.newcomers = None if advertised is None else Newcomers(advertised)
        self.outbox = Outbox(broker.scheduler)
        self.open: dict[Session, None] = {}
        self.arrivals = Arrivals(broker.settings)
        self._turned_away: dict[Session, None] = {}
        """Refused, and not told so yet."""
        self._refused = 0
        broker.quotas.on_change(self._follow_quotas)
        self._follow_quotas()

    @property
    def settings(self) -> BrokerSettings:
        """As they are now: some change while the broker runs."""
        return self.broker.settings

    def admit(self, session: Session) -> None:
        """A connection is there: it is let in, at once or when its turn has come, or refused."""
        settings = self.settings
        if len(self.open) + len(self._turned_away) >= settings.connections_max:
            verdict = Verdict(refused=f"max.connections={settings.connections_max}")
        else:
            verdict = self.arrivals.come(session.client_host, settings, self.broker.clock.monotonic())
        if verdict.refused:
            self._turn_away(session, verdict)
            return
        self.open[session] = None
        if verdict.wait_s:
            session.mute(verdict.wait_s)

    def _turn_away(self, session: Session, verdict: Verdict) -> None:
        self._refused += 1
        if self._refused & (self._refused - 1) == 0:  # the 1st, 2nd, 4th, 8th …: a flood must not flood the log
            logger.warning(
                "%s: refused: it would pass %s (%d connections are open, %d were refused so far)",
                session.peer,
                verdict.refused,
                len(self.open),
                self._refused,
            )
        self._turned_away[session] = None
        session.refuse(verdict.wait_s)

    def gone(self, session: Session) -> None:
        """The connection is closed."""
        if session in self._turned_away:
            del self._turned_away[session]
        elif session in self.open:
            del self.open[session]
            self.arrivals.goes(session.client_host)
            if self.newcomers is not None and session.has_come:
                self.newcomers.came(session.client_host)

    def _follow_quotas(self) -> None:
        self.arrivals.follow(self.broker.catalog.client_quotas())
        for session in self.open:
            session.forget_asker()

    def sweep(self) -> None:
        """Close connections that have been silent, or have not read, for too long; the others rest."""
        now = self.broker.clock.monotonic()
        self.hints.sweep(now)
        self.arrivals.sweep(now)
        self.broker.quotas.sweep(now)
        self._look_for_the_lost(now)
        idle_s = self.settings.connections_idle_ms_max / 1000
        stalled_s = self.settings.frame_ms_max / 1000
        for session in list(self.open):
            if session.is_stalled:
                session.note_progress(now)
                if now - session.active_at > stalled_s:
                    session.abort(f"stopped halfway through a request or a reply for {stalled_s:.0f} s")
            elif now - session.active_at > idle_s and not session.owes:
                session.close(f"silent for {idle_s:.0f} s (connections.max.idle.ms)")
            elif now - session.active_at > REST_AFTER_S:
                session.rest()

    def _look_for_the_lost(self, now: float) -> None:
        newcomers = self.newcomers
        if newcomers is None or not newcomers.asking:
            return
        for session in self.open:
            if session.has_come:
                newcomers.came(session.client_host)
        newcomers.name_the_lost(now)

    async def settle(self, wait_s: float) -> None:
        """Start no more requests, and wait until no reply is owed to anybody, `wait_s` seconds at most."""
        for session in self.open:
            session.drain()
        give_up = asyncio.get_running_loop().time() + wait_s
        while any(session.owes for session in self.open) and asyncio.get_running_loop().time() < give_up:
            await asyncio.sleep(0.001)

    def close_all(self) -> None:
        """The broker stops: every session is closed once what it was answered has been sent."""
        for session in list(self.open):
            session.close("the broker is stopping")


class Listeners:
    """The listening sockets. `bind` makes one for an address, or None where an address need not be."""

    def __init__(self, sessions: Sessions, bind: Callable[[str, int], socket.socket | None] | None = None) -> None:
        self._sessions = sessions
        self._bind = bind or bind_socket
        self._servers: list[asyncio.Server] = []
        self.addresses: list[Address] = []

    async def start(self, wanted: Sequence[Address]) -> None:
        """Listen on every address; port 0 takes a free one, the same for all. Raises CannotListen."""
        loop = asyncio.get_running_loop()
        free_port = 0
        for host, port in wanted:
            sock = self._bind(host, port or free_port)
            if sock is None:
                continue
            free_port = free_port or sock.getsockname()[1]
            backlog = self._sessions.settings.listen_backlog
            self._servers.append(await loop.create_server(lambda: Session(self._sessions), sock=sock, backlog=backlog))
            self.addresses.append(Address(*sock.getsockname()[:2]))
        if not self._servers:
            host, port = wanted[0]
            raise CannotListen(host, port, OSError(errno.EADDRNOTAVAIL, "no address to listen on"))

    async def close(self) -> None:
        """Take no new connections."""
        for server in self._servers:
            server.close()
        self._servers.clear()


def bind_socket(host: str, port: int) -> socket.socket | None:
    """A bound socket. None for ::1 on a machine without IPv6: 127.0.0.1 is enough there."""
    try:
        family, _, _, _, address = _resolve(host, port)[0]
    except socket.gaierror as error:
        raise CannotListen(host, port, OSError(errno.EADDRNOTAVAIL, str(error))) from None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        if host == "::1":
            return None
        raise
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        if host == "::1" and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return None
        raise CannotListen(host, port, error) from None
    sock.setblocking(False)
    return sock


def _resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, int, int, str, tuple[str, int]]]:
    flags = socket.AI_PASSIVE
    found: Iterable[object] = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
    return list(found)  # type: ignore[arg-type]  # typeshed gives the address a wider type than TCP has
