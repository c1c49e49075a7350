"""Ids for idempotent producers, handed out from blocks that the catalog has made durable (KIP-98).

A block costs one commit and serves a thousand producers; what is left of it when the broker stops is never used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from drave.catalog import Catalog


class ProducerIds:
    """Every id once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._block: Iterator[int] = iter(())
        self._turn = asyncio.Lock()

    def take(self) -> int | None:
        """The next id of the block at hand; None when it is used up, and `fetch` has to be awaited."""
        return next(self._block, None)

    async def fetch(self) -> int:
        """The next id, from a new block where there is no other. Raises CatalogUnusable."""
        async with self._turn:  # who waited here finds the block that another has fetched
            while (producer_id := self.take()) is None:
                self._block = iter(await self._catalog.next_producer_ids())
            return producer_id
