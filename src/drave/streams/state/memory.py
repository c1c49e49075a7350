"""State in memory: as quick as a dict, and gone with the process, whose changelogs bring it back.

    values    {key: value}        what `get` asks
    keys      a sorted list       what `scan` walks; only new and ended keys touch it

Like a disk, `MemoryStates` outlives the tasks that are closed and opened on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from sortedcontainers import SortedList

from drave.streams.state import Change, TaskId

_PORTION: Final = 256
"""A scan looks up so many keys at a time, so that a commit may come between."""


class MemoryStates:
    """`States` in memory."""

    def __init__(self) -> None:
        self._tasks: dict[TaskId, MemoryTaskState] = {}

    def open(self, task: TaskId) -> MemoryTaskState:
        return self._tasks.setdefault(task, MemoryTaskState())

    def tasks(self) -> list[TaskId]:
        return sorted(self._tasks)

    def remove(self, task: TaskId) -> None:
        self._tasks.pop(task, None)


class MemoryTaskState:
    """`TaskState` in memory."""

    def __init__(self) -> None:
        self._stores: dict[str, _Store] = {}
        self._offsets: dict[str, int] = {}

    def offset(self, store: str) -> int | None:
        return self._offsets.get(store)

    def get(self, store: str, key: bytes) -> bytes | None:
        found = self._stores.get(store)
        return None if found is None else found.values.get(key)

    def scan(self, store: str, low: bytes, high: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        found = self._stores.get(store)
        return iter(()) if found is None else found.scan(low, high)

    def commit(self, changes: Mapping[str, Iterable[Change]], offsets: Mapping[str, int]) -> None:
        for store, changed in changes.items():
            self._stores.setdefault(store, _Store()).change(changed)
        self._offsets.update(offsets)

    def wipe(self, store: str) -> None:
        self._stores.pop(store, None)
        self._offsets.pop(store, None)

    def close(self) -> None:
        """Nothing to give back."""


class _Store:
    __slots__ = ("keys", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.keys = SortedList()

    def change(self, changed: Iterable[Change]) -> None:
        values = self.values
        new = set()
        for key, value in changed:
            if value is not None:
                if key not in values:
                    new.add(key)
                values[key] = value
            elif values.pop(key, None) is not None:
                if key in new:
                    new.discard(key)
                else:
                    self.keys.remove(key)
        self.keys.update(new)

    def scan(self, low: bytes, high: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        inclusive = True
        while portion := list(islice(self.keys.irange(low, high, (inclusive, False)), _PORTION)):
            for key in portion:
                value = self.values.get(key)
                if value is not None:
                    yield key, value
            low, inclusive = portion[-1], False
