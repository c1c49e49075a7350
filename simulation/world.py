"""One seed's world: a broker, a network, clients, and somebody who troubles them.

    World(seed) ── spawn(client) … ── run ── heal ── clients end ── judged

`World.random` and the generators that are made from the seed beside it are the only source of chance; virtual time is
the only time. So a seed and a number of steps are a run.
"""

from __future__ import annotations

import asyncio
import logging
import random
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import IO, Any, Final

from drave.model.errors import DraveError
from simulation import plan as plans
from simulation.history import History
from simulation.loop import Loop, Stuck, Timeline
from simulation.machine import BrokerMachine
from simulation.nemesis import Nemesis
from simulation.network import Connection, ConnectionLost, Network
from simulation.trace import Trace

__all__ = ["Connection", "ConnectionLost", "World"]

PATIENCE_S: Final = 600.0
STEP_PATIENCE_S: Final = 15.0
"""So much virtual time clients have to end after everything has healed, and at least so much for each step: a reader
of what has nothing new waits three seconds in each, and each life of the broker may set its clock back."""


class World:
    """Everything there is. `steps` says about how much each client does."""

    def __init__(self, seed: int, *, steps: int = 40, kind: str | None = None, out: IO[str] | None = None) -> None:
        self.seed = seed
        self.timeline = Timeline()
        self.trace = Trace(lambda: self.timeline.elapsed, out)
        self.plan = plans.draw(self._generator("plan"), seed, steps, kind)
        self.random = self._generator("clients")
        self.findings: list[str] = []
        """What went wrong that no client could see."""
        threads = self._generator("threads")
        self.loop = Loop(  # type: ignore[abstract]  # what nobody asks for is left out
            self.timeline, delay=lambda: threads.uniform(0.0, 0.001), on_error=self._on_error
        )
        self.network = Network(self.timeline, self._generator("network"), self.trace, plans.ADDRESS)
        self.network.weather = self.plan.weather
        self.nemesis = Nemesis(self, self.plan, self._generator("nemesis"))
        self.machine = BrokerMachine(
            self.timeline,
            self.network,
            self._generator("machine"),
            self.trace,
            self.plan.settings,
            outside=self.loop,
            on_error=self._on_error,
            on_down=self.nemesis.down,
        )
        self.machine.disk.coldness = self.plan.cold
        self.history = History(self.now_ms)
        self.history.is_calm = self.plan.kind == "calm"
        self.history.crashes = self.plan.crashes
        self.is_healed = False
        self._trouble_ms = 0
        self._clients: list[asyncio.Task[Any]] = []

    def _generator(self, what: str) -> random.Random:
        return random.Random(f"{self.seed} {what}")

    # -- what clients use

    def now_ms(self) -> int:
        """Virtual milliseconds since the beginning."""
        return int(self.timeline.elapsed * 1000)

    def wall_ms(self) -> int:
        """What a clock on the wall shows."""
        return self.machine.wall_ms()

    async def connect(self, name: str) -> Connection:
        """A connection to the broker. Raises ConnectionLost."""
        return await self.network.connect(self.loop, name)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A client's life: the run ends when all of them have."""
        task = self.loop.create_task(work, name=name)
        self._clients.append(task)
        return task

    async def sleep(self, ms: float) -> None:
        await asyncio.sleep(ms / 1000)

    def blame(self, what: str) -> None:
        """Something is wrong that no history shows."""
        self.trace.note("finding", what)
        self.findings.append(f"at {self.now_ms()} ms: {what}")

    # -- a run

    def run(self, *, trouble_ms: int) -> None:
        """Let it all happen: once all is there, troubles for so long, then all heals, and clients end. What goes wrong
        is a finding."""
        listening = _Listening(self)
        try:
            self._trouble_ms = trouble_ms
            self.loop.call_soon(self.machine.start)
            longest_s = trouble_ms / 1000 + patience_s(self.plan.steps)
            self.timeline.run_until(self._is_over, deadline=self.timeline.now + longest_s)
        except Stuck as stuck:
            self.blame(f"stuck: {stuck}; still at work: {', '.join(self._at_work()) or 'nobody'}")
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.blame(f"a client failed: {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})")
        finally:
            listening.end()
            self.machine.bury()
            self.loop.bury()

    def trouble(self) -> None:
        """What is needed is there: from now on, for as long as was said, bad things may happen."""
        self.loop.call_later(self._trouble_ms / 1000, self._heal)
        self.loop.create_task(self.nemesis.trouble(), name="nemesis")
        self.loop.create_task(self.nemesis.take_aim(), name="aim")

    def _heal(self) -> None:
        self.is_healed = True
        self.nemesis.heal()

    def _is_over(self) -> bool:
        if any(not task.done() for task in self._clients):
            return False
        for task in self._clients:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        return self.is_healed

    def _at_work(self) -> list[str]:
        return [task.get_name() for task in self._clients if not task.done()]

    def _on_error(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.blame(f"nobody caught: {context.get('message')}: {type(error).__name__}: {error}")


def patience_s(steps: int) -> float:
    """How long clients have to end once all is well, in virtual time."""
    return max(PATIENCE_S, STEP_PATIENCE_S * steps)


class _Listening(logging.Handler):
    """Hears what the broker logs: an exception that is none of its own kinds is a finding."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world
        self._logger = logging.getLogger("drave")
        self._propagated, self._logger.propagate = self._logger.propagate, False
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._world.trace.note("log", record.levelname, record.getMessage())
        if isinstance(error, Exception) and not isinstance(error, DraveError | OSError):
            self._world.blame(f"an error in the log: {record.getMessage()}: {type(error).__name__}: {error}")

    def end(self) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated
