"""When to look at which key again: a heap that forgets nothing and may ask too early.

A key is noted once, with the earliest moment asked for. Who is asked looks at what the key has become, and may name a
later moment. Nothing of it is stored: it is made anew from the store whose keys it watches.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any

from drave.streams.steps.base import NEVER


class Deadlines:
    """Keys by moment, and those of one moment in the order of their bytes."""

    def __init__(self, encode_key: Callable[[Any], bytes]) -> None:
        self._encode = encode_key
        self._heap: list[tuple[int, bytes, Any]] = []
        self._noted: dict[Any, int] = {}

    @property
    def first(self) -> int:
        """The earliest moment; NEVER when there is none."""
        return self._heap[0][0] if self._heap else NEVER

    def note(self, key: Any, moment: int) -> None:
        """Ask for `key` at `moment`, unless it is asked for before that."""
        noted = self._noted.get(key)
        if noted is None or moment < noted:
            self._noted[key] = moment
            heapq.heappush(self._heap, (moment, self._encode(key), key))

    def due(self, moment: int) -> Iterator[Any]:
        """Take out the keys that were noted for `moment` or before."""
        heap = self._heap
        while heap and heap[0][0] <= moment:
            noted, _, key = heapq.heappop(heap)
            if self._noted.get(key) == noted:  # else it was noted for an earlier moment, and has been taken out
                del self._noted[key]
                yield key
