"""Where a crash is aimed: at the moment that somebody asks for something, or is told of it.

    request ──▶ broker ── writes ── syncs ──▶ reply
           └─ asked: some time on the way ─┘      └─ told: right now, or a little later

Most mistakes about what is durable show only when the power goes between two events that lie within a millisecond. The
moments that are worth it are those in which a client waits, or has just believed an answer. Chance says which kind of
question it is about, among those that clients have asked lately; a seed has its favourites. No mistake in particular is
known here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from drave.wire.api import ApiKey
from simulation.loop import Loop
from simulation.network import Network

LOOKING: Final = frozenset(
    (
        ApiKey.API_VERSIONS,
        ApiKey.METADATA,
        ApiKey.FIND_COORDINATOR,
        ApiKey.FETCH,
        ApiKey.LIST_OFFSETS,
        ApiKey.OFFSET_FETCH,
        ApiKey.HEARTBEAT,
        ApiKey.DESCRIBE_GROUPS,
        ApiKey.DESCRIBE_CONFIGS,
        ApiKey.DESCRIBE_CLIENT_QUOTAS,
        ApiKey.LIST_TRANSACTIONS,
        ApiKey.CONSUMER_GROUP_DESCRIBE,
        ApiKey.STREAMS_GROUP_DESCRIBE,
    )
)
"""Questions that leave nothing behind."""
SKIPPED: Final = (0, 0, 0, 2)
"""So many questions of the kind go by first."""
FAVOUR: Final = 0.7
"""How often it is one of the seed's favourite kinds, each as likely as it stands there often."""
AFTER_TOLD_MS: Final = (0.0, 0.0, 0.3, 2.0)
STAGE_MS: Final = 1.0
"""Something is written, synced and heard of in about so long, on a disk that is not slow."""
STAGES: Final = (1, 2, 4)
"""A question has some of these."""
LATELY_S: Final = 1.5
"""Who aims at what nobody has asked for so long may wait for ever."""


class Aim:
    """One at a time. `slowness` says how slow the disk is; `on_near` is called when the question has come that was
    aimed at, and then `fire` when the moment has."""

    def __init__(
        self,
        network: Network,
        loop: Loop,
        chance: random.Random,
        favourites: Sequence[int],
        *,
        slowness: Callable[[], float],
        on_near: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._chance = chance
        self._favourites = favourites
        self._slowness = slowness
        self._on_near = on_near
        self._asked: dict[int, float] = {}
        """When each kind of question was asked last; in the order of their first."""
        self._kind: int | None = None
        self._told = False
        self._left = 0
        self._fire: Callable[[], None] = _nothing
        network.on_request = self._on_request
        network.on_reply = self._on_reply

    def take(self, fire: Callable[[], None]) -> str:
        """Aim at some kind of question, and at one side of it. Returns which, for people."""
        chance, now = self._chance, self._loop.time()
        lately = [kind for kind, at in self._asked.items() if now - at < LATELY_S]
        wanted = [kind for kind in self._favourites if kind in self._asked]
        if not lately:
            return "nobody"
        self._kind = chance.choice(wanted if wanted and chance.random() < FAVOUR else lately)
        self._told = chance.random() < 0.5
        self._left = chance.choice(SKIPPED)
        self._fire = fire
        return f"{ApiKey(self._kind).name} {'told' if self._told else 'asked'}"

    def drop(self) -> None:
        """Nothing is aimed at any more."""
        self._kind = None

    def _on_request(self, key: int) -> None:
        if key not in LOOKING:
            self._asked[key] = self._loop.time()
        if not self._told:
            self._see(key)

    def _on_reply(self, key: int) -> None:
        if self._told:
            self._see(key)

    def _see(self, key: int) -> None:
        if key != self._kind:
            return
        if self._left:
            self._left -= 1
            return
        self._kind = None
        if self._told:
            after_ms = self._chance.choice(AFTER_TOLD_MS)
        else:
            after_ms = self._chance.uniform(0.0, STAGE_MS * (1.0 + self._slowness()) * self._chance.choice(STAGES))
        self._on_near()
        self._loop.call_later(after_ms / 1000, self._fire)


def _nothing() -> None:
    pass
