"""An onlooker: wherever something is about to happen, it looks, and right afterwards it looks again.

    ── quiet ── question ─ look, look, look ─ ✕ ─ look? look? look, look ── quiet ──

It asks what can be asked without changing anything: where partitions end, how far they are stable, where they begin,
what is committed in them, and where groups stand. That nothing of it goes back is for the laws to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drave.wire.api import ApiKey
from simulation.clients.caller import Caller, Unanswered
from simulation.clients.offsets import find
from simulation.clients.reading import EARLIEST, LATEST, Fetcher, look_up
from simulation.history import Partition

QUICK_MS: Final = (1, 5)
LOOKS_PER_STEP: Final = 10


class Onlooker:
    """Looks at some topics' partitions, and at some groups."""

    def __init__(self, caller: Caller, topics: Sequence[str], groups: Sequence[str]) -> None:
        caller.back_off_ms = QUICK_MS
        caller.version(ApiKey.LIST_OFFSETS, low=2)  # below, nobody can ask for what is stable
        self._caller = caller
        self._topics = topics
        self._groups = groups
        self._fetcher = Fetcher(caller, committed_only=True)

    async def live(self, steps: int) -> None:
        caller, random, world = self._caller, self._caller.random, self._caller.world
        places = [place for topic in self._topics for place in await caller.wait_for(topic)]
        left = LOOKS_PER_STEP * steps
        while left > 0 and not world.is_healed:
            await world.nemesis.tense.wait()
            await self._look(places)
            await world.sleep(random.choice((0, 1, 2, 5)))
            left -= 1

    async def _look(self, places: list[Partition]) -> None:
        caller, random = self._caller, self._caller.random
        match random.choice(("stable", "stable", "stable", "stable", "end", "start", "read", "group")):
            case "stable":
                await look_up(caller, places, LATEST, committed_only=True)
            case "end":
                await look_up(caller, places, LATEST)
            case "start":
                await look_up(caller, places, EARLIEST)
            case "read":
                await self._read(random.choice(places))
            case "group":
                await find(caller, random.choice(self._groups), places)

    async def _read(self, place: Partition) -> None:
        """The last records that are stable."""
        found = await look_up(self._caller, [place], LATEST, committed_only=True)
        if place in found:
            try:
                await self._fetcher.fetch({place: max(0, found[place].offset - 3)}, wait_ms=0)
            except Unanswered:
                await self._caller.back_off()
