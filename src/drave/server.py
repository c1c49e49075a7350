"""The composition root: the one module that names a backend, and starts and stops things.

    settings → lock → catalog → logs, recovered → broker → coordinators → listeners               start
    listeners → long polls answered → replies sent → sessions → broker → logs → catalog → lock    stop

What must not fail (a sync, the journal) fails the broker: the log calls `on_failure`, and `wait` raises it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from drave.broker.core import Broker
from drave.catalog import Catalog
from drave.catalog.sqlite import SqliteCatalog
from drave.log import Logs, lock_folder
from drave.log.driver import OpenLane, ThreadLane
from drave.model.clock import Clock, Entropy
from drave.model.setting import Address
from drave.model.settings import BrokerSettings
from drave.model.system import SystemClock, SystemEntropy
from drave.net.listener import Listeners, Sessions, bind_socket
from drave.store.disk import Disk, Lock, RealDisk

logger = logging.getLogger("drave.server")

HOUSEKEEPING_INTERVAL_S: Final = 1.0
GARBAGE_THRESHOLD: Final = 50_000
"""Allocations between two looks of the youngest garbage collection: the broker makes next to no cycles."""


def open_catalog(settings: BrokerSettings, entropy: Entropy) -> Catalog:
    """The catalog in the data folder. Raises CatalogUnusable."""
    path = settings.data_folder / "catalog.sqlite"
    return SqliteCatalog(path, entropy, topic_defaults=settings.topic_defaults)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a broker stands on: this machine, unless told otherwise. Beside it there is the event loop that runs it."""

    clock: Clock = field(default_factory=SystemClock)
    entropy: Entropy = field(default_factory=SystemEntropy)
    disk: Disk = field(default_factory=RealDisk)
    open_catalog: Callable[[BrokerSettings, Entropy], Catalog] = open_catalog
    open_lane: OpenLane = ThreadLane
    bind: Callable[[str, int], socket.socket | None] = bind_socket


class Server:
    """A broker with its listeners. `async with Server(settings) as server:` starts and stops it."""

    def __init__(self, settings: BrokerSettings, machine: Machine | None = None) -> None:
        self.settings = settings
        self._machine = machine or Machine()
        self._lock: Lock | None = None
        self._catalog: Catalog | None = None
        self._logs: Logs | None = None
        self._broker: Broker | None = None
        self._sessions: Sessions | None = None
        self._listeners: Listeners | None = None
        self._janitor: asyncio.TimerHandle | None = None
        self._forget_from = 0.0
        self._failed = False
        self._ended: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Server:
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def addresses(self) -> list[Address]:
        """Where it listens; the ports are the real ones."""
        assert self._listeners is not None, "the server has been started"
        return self._listeners.addresses

    @property
    def broker(self) -> Broker:
        """The broker inside, for tools that run with it."""
        assert self._broker is not None, "the server has been started"
        return self._broker

    async def wait(self) -> None:
        """Until `end` is called; raises what made the broker stop by itself."""
        assert self._ended is not None, "the server has been started"
        await self._ended

    def end(self) -> None:
        """Let `wait` return."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _fail(self, error: BaseException) -> None:
        logger.critical("the broker stops: %s", error)
        self._failed = True
        if self._broker is not None:
            self._broker.abandon()
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

    # -- starting

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        settings = self.settings
        machine = self._machine
        self._lock = lock_folder(settings.data_folder, disk=machine.disk, node_id=settings.node_id)
        self._catalog = machine.open_catalog(settings, machine.entropy)
        self._logs = Logs.open(
            settings.data_folder,
            disk=machine.disk,
            clock=machine.clock,
            settings=settings.storage,
            topics=self._catalog.topics().values(),
            tombstones=self._catalog.tombstones(),
            node_id=settings.node_id,
            locked=True,
        )
        for topic_id in sorted(self._catalog.tombstones()):
            await self._catalog.forget_tombstone(topic_id)  # opening the logs has removed what it stood for
        self._broker = Broker(
            settings,
            clock=machine.clock,
            entropy=machine.entropy,
            scheduler=loop,
            catalog=self._catalog,
            logs=self._logs,
        )
        self._logs.start(loop, self._fail, machine.open_lane)
        await self._broker.groups.start()
        await self._broker.transactions.start()
        await self._broker.share_states.start()
        self._sessions = Sessions(self._broker)
        self._listeners = Listeners(self._sessions, machine.bind)
        await self._listeners.start(settings.listen)
        self._forget_from = loop.time() + settings.storage.initial_task_delay_ms / 1000
        self._janitor = loop.call_later(HOUSEKEEPING_INTERVAL_S, self._keep_house)

    def _keep_house(self) -> None:
        assert self._sessions is not None
        assert self._logs is not None
        loop = asyncio.get_running_loop()
        self._sessions.sweep()
        if loop.time() >= self._forget_from:
            self._logs.keep_house(self._machine.clock.wall_ms())
        self._janitor = loop.call_later(HOUSEKEEPING_INTERVAL_S, self._keep_house)

    # -- stopping

    async def stop(self) -> None:
        """Answer what is owed, close what is open, write what is pending. Whatever was not started is skipped."""
        if self._janitor is not None:
            self._janitor.cancel()
        if self._listeners is not None:
            await self._listeners.close()
        if self._broker is not None:
            self._broker.end_waits()
        if self._sessions is not None:
            if not self._failed:  # replies that wait for a disk that has failed never come
                await self._sessions.settle(self.settings.shutdown_ms_max / 1000)
            self._sessions.close_all()
        if self._broker is not None:
            await self._broker.close()
        if self._logs is not None:
            await self._logs.close()
        if self._catalog is not None:
            self._catalog.close()
        if self._lock is not None:
            self._lock.release()
        self._ended = self._broker = self._logs = self._catalog = self._lock = None


async def run(settings: BrokerSettings, *, ready: Callable[[Server], None], signals: Iterable[int] = ()) -> None:
    """Serve until one of `signals` comes. `ready` is called once clients can connect.

    Raises DraveError with one sentence when it cannot start, or cannot go on.
    """
    loop = asyncio.get_running_loop()
    async with Server(settings) as server:
        for number in signals:
            loop.add_signal_handler(number, server.end)
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE_THRESHOLD, 20, 50)
        ready(server)
        await server.wait()


def serve(settings: BrokerSettings, *, ready: Callable[[Server], None]) -> None:
    """`run` in a loop of its own, until SIGINT or SIGTERM."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS refuses what it calls unlimited
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run(settings, ready=ready, signals=(signal.SIGINT, signal.SIGTERM)))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, or asyncio's own where uvloop is missing."""
    with suppress(ImportError):
        import uvloop  # heavy to import, and not there on every platform

        return uvloop.new_event_loop
    return None
