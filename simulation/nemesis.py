"""What happens to the broker and its network: troubles drawn from the seed, some of which last; then all heals.

    slow disk  ├──────────────┤
    storm             ├─────────────┤
    power                 ×       ├─ another life

So a power cut may come while many wait for a slow disk. Whatever it does to the broker, it starts it again; some starts
are cut short, too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from drave.store.disk import SyncFailed
from simulation.network import FAIR, Weather
from simulation.plan import Plan

if TYPE_CHECKING:
    from simulation.world import World

STORM: Final = Weather(delay_ms=(1.0, 400.0), pieces=0.9, hiccup=0.02, deaf=0.5)


class Nemesis:
    """Troubles a world until it is told to let go."""

    def __init__(self, world: World, plan: Plan, chance: random.Random) -> None:
        self._world = world
        self._plan = plan
        self._chance = chance
        self._healed = False
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
                disk.slowness = chance.choice((10.0, 100.0, 1000.0))
                self._later(chance.randint(50, 3000), self._quicken)
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
        self._world.loop.call_later(self._chance.choice((0.0, 0.01, 0.3, 2.0)), self._start)

    def _start(self) -> None:
        chance, machine = self._chance, self._world.machine
        machine.start(wall_jump_ms=chance.choice((0, 0, 0, -1500, 3000)))
        if not self._healed and self._plan.troubles.count("power inside") and chance.random() < 0.2:
            machine.crash_at(chance.choice((1, 5, 20, 60)), power=chance.random() < 0.7)

    def heal(self) -> None:
        """From now on nothing bad happens any more."""
        self._healed = True
        self._world.trace.note("healed")
        machine = self._world.machine
        machine.disk.cut_at = None
        self._make_room()
        self._quicken()
        machine.disk.failing_syncs = machine.disk.failing_writes = 0
        self._world.network.heal()
