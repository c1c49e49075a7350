"""Those who wait for a partition: until what they wrote is durable, or until it begins where they said."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from drave.model.ids import Offset

Callback = Callable[[], None]


class Waiting:
    """Callbacks by the end that they wait for, and futures by the start."""

    __slots__ = ("_starts", "ends")

    def __init__(self) -> None:
        self.ends: deque[tuple[int, Callback]] = deque()
        """In the order of their ends: whoever moves the high watermark takes them from the left."""
        self._starts: list[tuple[int, asyncio.Future[Offset]]] = []

    def for_end(self, end: int, callback: Callback) -> None:
        """Keep `callback` until everything below `end` is durable."""
        ends = self.ends
        later: list[tuple[int, Callback]] = []
        while ends and ends[-1][0] > end:  # only a duplicate comes with an end that others have passed
            later.append(ends.pop())
        ends.append((end, callback))
        ends.extend(reversed(later))

    def for_start(self, start: int, moved: asyncio.Future[Offset]) -> None:
        """Keep `moved` until the partition begins at `start` or later."""
        self._starts.append((start, moved))

    def started(self, start: Offset) -> int:
        """The partition begins at `start` now. Returns the highest start that somebody still waits for, or -1."""
        for wanted, moved in self._starts:
            if wanted <= start and not moved.done():
                moved.set_result(start)
        self._starts = [each for each in self._starts if each[0] > start]
        return max((wanted for wanted, _ in self._starts), default=-1)

    def give_up(self, error: Exception) -> None:
        """The broker stops, or the topic is gone: nobody was told that a new start is durable, and nobody will be."""
        for _, moved in self._starts:
            if not moved.done():
                moved.set_exception(error)
        self._starts = []
