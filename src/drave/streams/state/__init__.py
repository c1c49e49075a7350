"""Where a task's state lies between two runs: ordered bytes, always a committed prefix of its changelog.

    memory.py   a sorted map: tests, and apps that would rather restore than keep files
    sqlite.py   one file per task (the default)
    rocksdb.py  the same behind RocksDB; an extra

Nothing here knows keys, windows or values: `cache.py` above does, and hands over what changed at each commit. A crash
leaves the files behind the changelog, never ahead, so a restore goes on from `offset`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

Change = tuple[bytes, bytes | None]
"""A key, and its new value or None for its end."""


@dataclass(frozen=True, slots=True, order=True)
class TaskId:
    """One partition's share of one sub-topology. `name` is fit for a file: the sub-topology's name."""

    name: str
    partition: int

    def __str__(self) -> str:
        return f"{self.name}-{self.partition}"

    @classmethod
    def parse(cls, text: str) -> Self:
        name, _, partition = text.rpartition("-")
        return cls(name, int(partition))


@dataclass(frozen=True, slots=True)
class StoreSpec:
    """A store of each task. `source` names the topic that is its changelog already; else the app keeps one."""

    name: str
    source: str | None = None


class TaskStore(Protocol):
    """A store as its task sees it: what changed since the last commit. It is made when the state below is restored."""

    @property
    def spec(self) -> StoreSpec: ...
    def changes(self) -> list[Change]:
        """What changed since the last call, in the order of the first change; from now on it counts as committed."""
        ...

    def __len__(self) -> int:
        """Entries in memory."""
        ...


class TaskState(Protocol):
    """The stores of one task."""

    def offset(self, store: str) -> int | None:
        """Where in its changelog this store goes on; None when it was never written."""
        ...

    def get(self, store: str, key: bytes) -> bytes | None: ...

    def scan(self, store: str, low: bytes, high: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """What lies at or above `low` and below `high` (None: to the end), in the order of the keys' bytes.

        What is committed meanwhile may or may not be seen.
        """
        ...

    def commit(self, changes: Mapping[str, Iterable[Change]], offsets: Mapping[str, int]) -> None:
        """All of it, or nothing of it."""
        ...

    def wipe(self, store: str) -> None:
        """Forget a store and its offset: its changelog no longer reaches back to it."""
        ...

    def close(self) -> None: ...


class States(Protocol):
    """All tasks' states of one process."""

    def open(self, task: TaskId) -> TaskState:
        """Raises StateInUse when another process has it open."""
        ...

    def tasks(self) -> list[TaskId]:
        """Those whose state lies here, open or not: a standby or an earlier run left them."""
        ...

    def remove(self, task: TaskId) -> None: ...
