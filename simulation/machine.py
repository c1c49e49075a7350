"""A machine, and the lives that its broker has on it: the product's own `Server`, on simulated everything.

    start ─▶ recovery ─▶ serving ─▶ stopped, failed, killed or cut off from power ─▶ start …
                          what stays between two lives: the disk, as the end left it, and the catalog's file

The broker is the real one from its composition root down. Its loop, clock, chance, disk and lanes come from here; its
catalog is the real SQLite one on a file in memory, whose commits are a thread's work: they happen when the seed says.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from drave.catalog import Catalog
from drave.catalog.sqlite import SqliteCatalog
from drave.log.driver import Done
from drave.log.flusher import Work
from drave.model.clock import Entropy
from drave.model.ids import TopicId
from drave.model.settings import BrokerSettings
from drave.server import Machine, Server
from drave.store.disk import SyncFailed
from simulation.disk import MachineDisk
from simulation.loop import Loop, Timeline
from simulation.network import Network, Socket
from simulation.trace import Trace

WALL_MS: Final = 1_700_000_000_000
THREAD_S: Final = (0.00001, 0.001)
"""How long a thread takes to wake up, or to be heard."""

_numbers = itertools.count()


class LifeClock:
    """A machine's clock in one life. Its wall clock may have been set meanwhile."""

    def __init__(self, timeline: Timeline, wall_offset_ms: int) -> None:
        self._timeline = timeline
        self._wall_offset_ms = wall_offset_ms
        self._beside: float | None = None
        """Seconds that a thread has spent beside the loop, while it runs."""

    def monotonic(self) -> float:
        return self._timeline.now + (self._beside or 0.0)

    def wall_ms(self) -> int:
        return WALL_MS + self._wall_offset_ms + int(self.monotonic() * 1000)

    def spend(self, seconds: float) -> None:
        """Whoever runs now waits for so long."""
        if self._beside is None:
            self._timeline.spend(seconds)
        else:
            self._beside += seconds

    @contextmanager
    def beside(self) -> Iterator[Callable[[], float]]:
        """What runs here is a thread: it spends its own time. Gives how much it was."""
        self._beside = 0.0
        spent = 0.0
        try:
            yield lambda: spent
        finally:
            spent = self._beside
            self._beside = None


class SeededEntropy:
    """`Entropy` from a seed."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def topic_id(self) -> TopicId:
        return TopicId(bytes([self._chance.randrange(0xF0)]) + self._chance.randbytes(15))

    def uuid_text(self) -> str:
        return str(uuid.UUID(bytes=self._chance.randbytes(16), version=4))

    def uniform(self, low: float, high: float) -> float:
        return self._chance.uniform(low, high)


class EventLane:
    """A lane whose work is an event: it begins some time after it was given, and is heard of when its time is over.

    Work happens at one moment, so what a slow disk takes before anything of it is there comes before that moment: in
    this gap a power cut takes what was written, while clients may have been told of it."""

    def __init__(self, life: Life, name: str, done: Done) -> None:
        self._life = life
        self._name = name
        self._done = done

    def give(self, work: Work) -> None:
        self._life.loop.call_later(self._life.io_delay(), self._run, work)

    def _run(self, work: Work) -> None:
        life = self._life
        life.trace.note(self._name, type(work).__name__)
        error: Exception | None = None
        with life.clock.beside() as spent:
            try:
                work.run()
            except Exception as caught:
                error = caught
        life.loop.call_later(spent() + life.thread_delay(), self._done, work, error)

    def stop(self, *, wait: bool) -> None:
        """Nothing to end: what was given still happens, if the loop does."""


class CatalogFile:
    """An SQLite database in memory, which outlives its connections."""

    def __init__(self) -> None:
        self._name = f"file:simulated-{next(_numbers)}?mode=memory&cache=shared"
        self._anchor = self._open()
        self._connection: sqlite3.Connection | None = None

    def open(self, settings: BrokerSettings, entropy: Entropy) -> Catalog:
        return SqliteCatalog(Path(self._name), entropy, topic_defaults=settings.topic_defaults, connect=self._connect)

    def let_go(self) -> None:
        """The process that had it open is gone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        self.let_go()
        self._anchor.close()

    def _connect(self, _: Path) -> sqlite3.Connection:
        self.let_go()
        self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._name, uri=True, timeout=0, isolation_level=None, check_same_thread=False)


class Life:
    """One life of the broker's process."""

    def __init__(self, machine: BrokerMachine, number: int, wall_offset_ms: int) -> None:
        self._chance = random.Random(machine.chance.getrandbits(64))
        self._disk = machine.disk
        self.number = number
        self.trace = machine.trace
        self.clock = LifeClock(machine.timeline, wall_offset_ms)
        self.loop = Loop(  # type: ignore[abstract]  # what a broker never asks for is left out
            machine.timeline, delay=self.io_delay, on_error=machine.on_error
        )
        self.is_serving = False
        self.server = Server(
            machine.settings,
            Machine(
                clock=self.clock,
                entropy=SeededEntropy(self._chance),
                disk=machine.disk,
                open_catalog=machine.catalog.open,
                open_lane=lambda name, done, _: EventLane(self, name, done),
                bind=lambda *_: Socket(machine.network),  # type: ignore[arg-type]  # the loop listens on it
            ),
        )

    def thread_delay(self) -> float:
        """Until the loop hears of the end of a lane's work."""
        return self._chance.uniform(*THREAD_S)

    def io_delay(self) -> float:
        """Until a lane comes to its work, and the same of whoever reads from the disk, or commits to the catalog."""
        return self.thread_delay() * self._disk.slowness


class BrokerMachine:
    """`on_down` is called after each end of a life, with what ended it by itself, or None; `outside` is a loop that
    lives longer than they do."""

    def __init__(
        self,
        timeline: Timeline,
        network: Network,
        chance: random.Random,
        trace: Trace,
        settings: BrokerSettings,
        *,
        outside: Loop,
        on_error: Callable[[dict[str, Any]], None],
        on_down: Callable[[BaseException | None], None],
    ) -> None:
        self.timeline = timeline
        self.network = network
        self.chance = chance
        self.trace = trace
        self.settings = settings
        self.on_error = on_error
        self._outside = outside
        self._on_down = on_down
        self.disk = MachineDisk(random.Random(chance.getrandbits(64)), trace, self._spend)
        self.disk.on_cut = self._died
        self.catalog = CatalogFile()
        self.life: Life | None = None
        self.lives: list[Life] = []
        self._wall_offset_ms = 0
        self._power_fails = True

    @property
    def is_serving(self) -> bool:
        return self.life is not None and self.life.is_serving

    def wall_ms(self) -> int:
        """What the machine's wall clock shows."""
        return WALL_MS + self._wall_offset_ms + int(self.timeline.now * 1000)

    def _spend(self, seconds: float) -> None:
        assert self.life is not None, "a disk call is somebody's"
        self.life.clock.spend(seconds)

    # -- lives

    def start(self, *, wall_jump_ms: int = 0) -> None:
        """Begin another life."""
        assert self.life is None, "one life at a time"
        self._wall_offset_ms += wall_jump_ms
        life = self.life = Life(self, len(self.lives), self._wall_offset_ms)
        self.lives.append(life)
        self.trace.note("life", life.number)
        life.loop.call_soon(self._begin, life)

    def _begin(self, life: Life) -> None:
        life.loop.create_task(self._live(life), name=f"life {life.number}")

    async def _live(self, life: Life) -> None:
        error: Exception | None = None
        try:
            async with life.server as server:
                life.is_serving = True
                self.trace.note("serving")
                await server.wait()
        except Exception as caught:
            error = caught
        self._over(life, error)

    def _over(self, life: Life, error: Exception | None) -> None:
        """The process has ended by itself: cleanly, or because the disk failed."""
        if life is not self.life:
            return
        self.trace.note("ended", "" if error is None else f"{type(error).__name__}: {error}")
        life.is_serving = False
        life.loop.die()
        self.life = None
        self.network.lose_all()
        if isinstance(error, SyncFailed) and self.chance.random() < 0.5:  # somebody restarts the whole machine
            self.disk.power_cut()
        else:
            self.disk.kill()
        self.catalog.let_go()
        self._on_down(error)

    def stop(self) -> None:
        """Ask it to stop, as SIGTERM does."""
        if self.is_serving:
            assert self.life is not None
            self.life.is_serving = False
            self.life.loop.call_soon(self.life.server.end)

    def crash(self, *, power: bool) -> None:
        """Now: the process is killed, or the power fails."""
        if self.life is not None:
            self._power_fails = power
            self._died()

    def crash_at(self, calls: int, *, power: bool) -> None:
        """The same in the middle of the n-th call to the disk from now, if this life comes so far."""
        self._power_fails = power
        self.disk.cut_at = calls

    def crash_at_sync(self, syncs: int) -> None:
        """The power fails in the middle of the n-th call from now that makes something durable."""
        self._power_fails = True
        self.disk.cut_at_sync = syncs

    def _died(self) -> None:
        life, self.life = self.life, None
        assert life is not None
        self.trace.note("power cut" if self._power_fails else "kill", life.number)
        life.is_serving = False
        life.loop.die()
        self.network.lose_all()
        self._outside.call_soon(self._after_death)

    def _after_death(self) -> None:
        """Once the call in whose middle it happened has unwound."""
        if self._power_fails:
            self.disk.power_cut()
        else:
            self.disk.kill()
        self.catalog.let_go()
        self._on_down(None)

    def bury(self) -> None:
        """The run is over."""
        self.disk.on_cut = _nobody
        self.disk.cut_at = 1
        self.life = None
        for life in self.lives:
            life.loop.bury()
        self.catalog.close()


def _nobody() -> None:
    pass
