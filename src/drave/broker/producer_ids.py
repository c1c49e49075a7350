"""Ids for idempotent producers, handed out from blocks that the catalog has made durable (KIP-98).

A block costs one commit and serves a thousand producers; what is left of it when the broker stops is never used.
"""

from __future__ import annotations

import asyncio

from drave.catalog import Catalog


class ProducerIds:
    """Every id once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._block = range(0)
        self._turn = asyncio.Lock()

    @property
    def at_hand(self) -> bool:
        """Whether `take` gives one."""
        return len(self._block) > 0

    def take(self) -> int | None:
        """The next id of the block at hand; None when it is used up, and `fetch` has to be awaited."""
        block = self._block
        if not block:
            return None
        self._block = block[1:]
        return block[0]

    async def ensure(self) -> None:
        """Have one at hand. Raises CatalogUnusable."""
        async with self._turn:  # who waited here finds the block that another has fetched
            if not self._block:
                self._block = await self._catalog.next_producer_ids()

    async def fetch(self) -> int:
        """The next id, from a new block where there is no other. Raises CatalogUnusable."""
        while (producer_id := self.take()) is None:
            await self.ensure()
        return producer_id
