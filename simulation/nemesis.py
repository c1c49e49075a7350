"""What happens to the broker and its network: troubles drawn from the seed, some of which last; then all heals.

    slow disk  ├──────────────┤
    storm             ├─────────────┤
    power                 ×       ├─ another life

So a power cut may come while many wait for a slow disk; one that is aimed comes while somebody waits for an answer, or
has just been told one. Whatever it does to the broker, it starts it again; some starts are cut short, too.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from drave.store.disk import SyncFailed
from simulation.aim import Aim
from simulation.network import FAIR, Weather
from simulation.plan import THEMES, Plan

if TYPE_CHECKING:
    from simulation.world import World

TENSE_MS: Final = 100
"""For so long after a start of the broker it is worth while to look at what everybody was told before its end."""
AIM_S: Final = 1.5
"""For so long the question may be waited for that was aimed at."""
HOW: Final = (*("power",) * 3, *("power inside",) * 4, "kill", "stop")
STORM: Final = Weather(delay_ms=(1.0, 400.0), pieces=0.9, hiccup=0.02, deaf=0.5)


class Nemesis:
    """Troubles a world until it is told to let go."""

    def __init__(self, world: World, plan: Plan, chance: random.Random) -> None:
        self._world = world
        self._plan = plan
        self._chance = chance
        self._healed = False
        self.tense = asyncio.Event()
        """Set while a crash is near, and until shortly after the start that follows it; and when all has healed."""
        self._aim = Aim(
            world.network,
            world.loop,
            chance,
            THEMES[plan.theme],
            slowness=lambda: world.machine.disk.slowness,
            on_near=self.tense.set,
        )
        self._excused = False
        """Whether something was done to the disk in this life, or the one before, that may end it."""

    async def trouble(self) -> None:
        """One trouble after another."""
        plan, chance = self._plan, self._chance
        while plan.troubles and not self._healed:
            await self._world.sleep(chance.randint(*plan.pause_ms))
            if not self._healed:
                self._one(chance.choice(plan.troubles))

    def _one(self, what: str) -> None:
        world, chance = self._world, self._chance
        machine, network, disk = world.machine, world.network, world.machine.disk
        world.trace.note("trouble", what)
        match what:
            case "break":
                network.break_one()
            case "cut off":
                network.cut_off(chance.choice((0.1, 1.0, 8.0)))
            case "storm":
                network.weather = STORM
                self._later(chance.randint(50, 1000), self._clear_up)
            case "kill" | "power":
                machine.crash(power=what == "power")
            case "kill inside" | "power inside":
                machine.crash_at(chance.choice((1, 3, 10, 40, 200)), power=what == "power inside")
            case "stop":
                machine.stop()
            case "slow":
                self._slow_down((10.0, 100.0, 1000.0), (50, 3000))
            case "full":
                self._excused = True
                disk.room_bytes = chance.choice((0, 100, 5000))
                self._later(chance.randint(50, 3000), self._make_room)
            case "failing sync":
                self._excused = True
                disk.failing_syncs = 1
            case "failing write":
                self._excused = True
                disk.failing_writes = 1
            case _:
                raise AssertionError(f"there is no trouble {what!r}")

    def _slow_down(self, how_much: tuple[float, ...], ms: tuple[int, int]) -> None:
        self._world.machine.disk.slowness = self._chance.choice(how_much)
        self._later(self._chance.randint(*ms), self._quicken)

    async def take_aim(self) -> None:
        """One crash after another, each when somebody is asking for something; often on a disk that lets them wait."""
        plan, chance, world = self._plan, self._chance, self._world
        while plan.aim_ms is not None and not self._healed:
            await world.sleep(chance.randint(*plan.aim_ms))
            if self._healed or not world.machine.is_serving:
                continue
            how = chance.choice(HOW)
            hit: asyncio.Future[None] = world.loop.create_future()
            world.trace.note("aim", how, self._aim.take(partial(self._hit, how, hit)))
            if chance.random() < 0.7:
                self._slow_down((5.0, 20.0, 60.0), (1000, 3000))
            await asyncio.wait([hit], timeout=AIM_S)
            self._aim.drop()

    def _hit(self, how: str, hit: asyncio.Future[None]) -> None:
        if not hit.done():
            hit.set_result(None)
        if self._healed:
            return
        machine = self._world.machine
        self._world.trace.note("hit", how)
        match how:
            case "stop":
                machine.stop()
            case "power" | "kill":
                machine.crash(power=how == "power")
            case "power inside":
                machine.crash_at_sync(self._chance.randint(1, 4))

    def _relax(self) -> None:
        if not self._healed:
            self.tense.clear()

    def _later(self, ms: int, then: Callable[[], None]) -> None:
        self._world.loop.call_later(ms / 1000, then)

    def _clear_up(self) -> None:
        self._world.network.weather = FAIR if self._healed else self._plan.weather

    def _quicken(self) -> None:
        self._world.machine.disk.slowness = 1.0

    def _make_room(self) -> None:
        self._world.machine.disk.room_bytes = None

    def down(self, error: BaseException | None) -> None:
        """A life of the broker has ended; another one begins after a while."""
        if error is not None and not (self._excused or isinstance(error, SyncFailed)):
            self._world.blame(f"the broker ended by itself: {type(error).__name__}: {error}")
        self._world.loop.call_later(self._chance.choice((0.0, 0.01, 0.1, 0.1, 0.3, 2.0)), self._start)

    def _start(self) -> None:
        chance, machine = self._chance, self._world.machine
        machine.start(wall_jump_ms=chance.choice((0, 0, 0, -1500, 3000)))
        self.tense.set()
        self._later(TENSE_MS, self._relax)
        if not self._healed and self._plan.troubles.count("power inside") and chance.random() < 0.2:
            machine.crash_at(chance.choice((1, 5, 20, 60)), power=chance.random() < 0.7)

    def heal(self) -> None:
        """From now on nothing bad happens any more."""
        self._healed = True
        self._aim.drop()
        self.tense.set()
        self._world.trace.note("healed")
        machine = self._world.machine
        machine.disk.cut_at = machine.disk.cut_at_sync = None
        self._make_room()
        self._quicken()
        machine.disk.failing_syncs = machine.disk.failing_writes = 0
        self._world.network.heal()
