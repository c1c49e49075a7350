"""Aggregates in sliding windows: for each time of a record, what its key had in the span up to it.

    record ─▶ kept for the span and grace ─▶ "changes"     what its own window, and each it also lies in, holds now
                                              "final"       one result per key and time, when its window is over
    all windows over ─▶ "late"

An entry's note is the first window that it was in time for: one that comes late may be too late for its own window, and
still count for the later ones. A result is computed from its entries when it is asked for, in the order of their times.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any, ClassVar

from drave.streams.formats import key_format_for
from drave.streams.state.entries import EntryStore
from drave.streams.steps.base import NEVER, Outputs, Receiver, TaskView, nowhere
from drave.streams.steps.windowed import OverWindows
from drave.streams.windows import SlidingWindows, Windowed


@dataclass(frozen=True, eq=False, kw_only=True)
class SlidingAggregate(OverWindows):
    """One result for each key and time of a record."""

    kind: ClassVar[str] = "sliding windows"
    windows: SlidingWindows
    kept_type: Any
    """Of the values that are kept for a while."""

    def prepare(self, task: TaskView) -> EntryStore:
        keys = key_format_for(self.key_type)
        store = EntryStore(self.stores[0], task.state, keys, self.kept_type, self.windows.size_ms)
        task.adopt(store)
        return store

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        run = _Run(self, task, outputs)
        task.fire_at(self, run)
        return (run.receive,)


class _Run:
    """The windows of one task."""

    def __init__(self, step: SlidingAggregate, task: TaskView, outputs: Outputs) -> None:
        self._step = step
        self._task = task
        self._clock = task.clock
        self._store: EntryStore = task.prepared(step)
        self._encode_key = key_format_for(step.key_type).encode
        self._size = step.windows.size_ms
        self._open_for = 1 + step.windows.grace_ms + task.lag_of(step)
        self._final = outputs["final"]
        self._late = outputs["late"]
        self._changes = outputs["changes"]
        self._due: list[tuple[int, bytes, Any]] = []
        """The times that windows end with, and whose they are, as a heap."""
        self._noted: dict[Any, set[int]] = {}
        for entry in self._store:
            if entry.note == entry.time and entry.time + self._open_for > task.clock.watermark:
                self._note(entry.key, entry.time)

    @property
    def deadline(self) -> int:
        ends = self._due[0][0] + self._open_for if self._due else NEVER
        oldest = self._store.oldest_end
        return ends if oldest is None else min(ends, oldest + self._size + self._open_for)

    @property
    def has_results(self) -> bool:
        return bool(self._due)

    def receive(self, key: Any, value: Any, time: int) -> None:
        if key is None:
            return
        first = max(time, self._clock.seen - self._open_for + 1)
        if first > time + self._size:
            self._late(key, value, time)
            return
        try:
            self._step.bound.add(self._step.bound.initial, value, time)
        except Exception as error:
            self._task.failed(self._step, error, key, value, time)
            return
        self._store.add(key, time, first, value)
        if first == time:
            self._note(key, time)
        self._clock.deadline = min(self._clock.deadline, self.deadline)
        if self._changes is not nowhere:
            for end in sorted(end for end in self._noted.get(key, ()) if first <= end <= time + self._size):
                self._tell(self._changes, key, end, time)

    def _note(self, key: Any, time: int) -> None:
        noted = self._noted.setdefault(key, set())
        if time not in noted:
            noted.add(time)
            heapq.heappush(self._due, (time, self._encode_key(key), key))

    def _result(self, key: Any, end: int) -> Windowed[Any]:
        bound = self._step.bound
        state = bound.initial
        for entry in sorted(self._store.near(key, end - self._size, end), key=lambda entry: (entry.time, entry.number)):
            if entry.note <= end:
                state = bound.add(state, entry.value, entry.time)
        return Windowed(key, end - self._size, end + 1, state if bound.result is None else bound.result(state))

    def fire(self, watermark: int) -> None:
        due = self._due
        while due and due[0][0] + self._open_for <= watermark:
            end, _, key = heapq.heappop(due)
            noted = self._noted[key]
            noted.discard(end)
            if not noted:
                del self._noted[key]
            if self._final is not nowhere:
                self._tell(self._final, key, end, end)
        self._store.drop_before(watermark - self._size - self._open_for)

    def _tell(self, forward: Receiver, key: Any, end: int, time: int) -> None:
        try:
            result = self._result(key, end)
        except Exception as error:
            self._task.failed(self._step, error, key, None, end)
            return
        forward(key, result, time)
