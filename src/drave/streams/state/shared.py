"""States that other threads may look at, between two changes of the one that owns them.

engine ─▶ get, scan ─────────────────▶ state        as ever: reading needs no lock against reading
       ─▶ commit, wipe, close ─ lock ─▶ state ◀─ lock ─ a look from another thread
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

from drave.streams.state import Change, States, TaskId, TaskState


class SharedStates:
    """`States`, and looks into those that are open."""

    def __init__(self, states: States) -> None:
        self._states = states
        self._lock = Lock()
        self._open: dict[TaskId, TaskState] = {}

    def open(self, task: TaskId) -> TaskState:
        with self._lock:
            state = self._open[task] = self._states.open(task)
        return _SharedState(self, task, state, self._lock)

    def tasks(self) -> list[TaskId]:
        return self._states.tasks()

    def remove(self, task: TaskId) -> None:
        self._states.remove(task)

    @contextmanager
    def look(self, task: TaskId) -> Iterator[TaskState | None]:
        """A state that stays as it is during the block, from any thread; None when it is not open here."""
        with self._lock:
            yield self._open.get(task)

    def closed(self, task: TaskId) -> None:
        """Its owner has done with it. The lock is held."""
        self._open.pop(task, None)


class _SharedState:
    """`TaskState`, for the thread that owns it."""

    def __init__(self, states: SharedStates, task: TaskId, state: TaskState, lock: Lock) -> None:
        self.offset = state.offset
        self.get = state.get
        self.scan = state.scan
        self._states = states
        self._task = task
        self._state = state
        self._lock = lock

    def commit(self, changes: Mapping[str, Iterable[Change]], offsets: Mapping[str, int]) -> None:
        with self._lock:
            self._state.commit(changes, offsets)

    def wipe(self, store: str) -> None:
        with self._lock:
            self._state.wipe(store)

    def close(self) -> None:
        with self._lock:
            self._states.closed(self._task)
            self._state.close()
