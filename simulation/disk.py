"""The disk of a simulated machine: `SimulatedDisk`, which takes time, is cold now and then, and says when it is cut.

commit lane ─ sync ─▶ takes 0.1 … 40 ms ─▶ the lane's work ends that much later
the loop    ─ sync ─▶ takes 0.1 ms      ─▶ nobody else runs meanwhile
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from drave.testing.disk import SimulatedDisk
from simulation.trace import Trace

T = TypeVar("T")

SYNC_S: Final = (0.00005, 0.0006)


class MachineDisk(SimulatedDisk):
    """`spend` is told how long a sync takes, `on_cut` that the power or the process is gone.

    `slowness`   a sync takes so many times as long
    `coldness`   how often what somebody wants to read is not in memory
    """

    def __init__(self, chance: random.Random, trace: Trace, spend: Callable[[float], None]) -> None:
        super().__init__()
        self.chance = chance
        self.slowness = 1.0
        self.coldness = 0.05
        self.on_cut: Callable[[], None] = _nobody
        self._trace = trace
        self._spend = spend

    def is_cut(self, *, syncs: bool = False) -> bool:
        if not super().is_cut(syncs=syncs):
            return False
        self.on_cut()
        return True

    def is_cold(self) -> bool:
        return self.chance.random() < self.coldness

    def sync_fails(self, path: Path) -> bool:
        self._trace.note("sync", path)
        self._take_time()
        return super().sync_fails(path)

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        self._trace.note("sync folder", path)
        self._take_time()

    def _take_time(self) -> None:
        self._spend(self.chance.uniform(*SYNC_S) * self.slowness)

    async def run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(None, work)


def _nobody() -> None:
    pass
