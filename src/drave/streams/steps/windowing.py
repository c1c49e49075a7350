"""Aggregates in tumbling and hopping windows.

    record ─▶ its windows ─▶ add ─▶ "changes"              each new result, at once, at the record's time
                  │                  "final"               one result per key and window, when the window is over
                  └ all of them over ─▶ "late"             the record as it came

A window is over when the watermark has reached its end and grace. Final results leave in the order of the windows' ends
and then of the keys' bytes; their time is the last millisecond of the window.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from drave.streams.agg import Bound
from drave.streams.formats import Packed, key_format_for
from drave.streams.state import StoreSpec
from drave.streams.state.buckets import WindowStore
from drave.streams.steps.base import NEVER, Outputs, Receiver, Step, TaskView, nowhere
from drave.streams.windows import TimeWindows, Windowed


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowedAggregate(Step):
    """One state for each key and window."""

    kind: ClassVar[str] = "windows"
    windows: TimeWindows
    bound: Bound

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        return (StoreSpec(self.name),)

    @property
    def details(self) -> Mapping[str, str]:
        return {"windows": str(self.windows)}

    def delay_ms(self, port: str) -> int:
        return self.windows.grace_ms if port == "final" else 0

    def prepare(self, task: TaskView) -> WindowStore:
        keys, states = key_format_for(self.key_type), Packed(self.bound.state_type)
        store = WindowStore(self.stores[0], task.state, keys, states)
        task.adopt(store)
        return store

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        run = _Run(self, task, outputs)
        task.fire_at(self, run)
        return (run.receive_one if self.windows.every_ms == self.windows.size_ms else run.receive_many,)


class _Run:
    """The windows of one task."""

    def __init__(self, step: WindowedAggregate, task: TaskView, outputs: Outputs) -> None:
        self._step = step
        self._task = task
        self._clock = task.clock
        self._keys = key_format_for(step.key_type)
        self.store: WindowStore = task.prepared(step)
        self._windows = step.windows
        self._size = step.windows.size_ms
        self._open_for = self._size + step.windows.grace_ms + task.lag_of(step)
        self._final = outputs["final"]
        self._late = outputs["late"]
        self._changes = None if outputs["changes"] is nowhere else outputs["changes"]
        self._due = self.store.starts()
        """The starts of all open windows, as a heap."""

    @property
    def deadline(self) -> int:
        return self._due[0] + self._open_for if self._due else NEVER

    def receive_one(self, key: Any, value: Any, time: int) -> None:
        if not self._add(time - time % self._size, key, value, time):
            self._late(key, value, time)

    def receive_many(self, key: Any, value: Any, time: int) -> None:
        taken = False
        for start in self._windows.starts(time):
            taken |= self._add(start, key, value, time)
        if not taken:
            self._late(key, value, time)

    def _add(self, start: int, key: Any, value: Any, time: int) -> bool:
        """Whether the window was still open."""
        found = self.store.get(start)
        if found is None:
            over = start + self._open_for
            if over <= self._clock.watermark:
                return False
            found = self.store.open(start)
            heapq.heappush(self._due, start)
            if over < self._clock.deadline:
                self._clock.deadline = over
        bucket, dirty = found
        bound = self._step.bound
        try:
            state = bound.add(bucket.get(key, bound.initial), value, time)
        except Exception as error:
            self._task.failed(self._step, error, key, value, time)
            return True
        bucket[key] = state
        dirty[key] = None
        if self._changes is not None:
            self._changes(key, self._result(key, start, state), time)
        return True

    def _result(self, key: Any, start: int, state: Any) -> Windowed[Any]:
        result = self._step.bound.result
        return Windowed(key, start, start + self._size, state if result is None else result(state))

    def fire(self, watermark: int) -> None:
        due = self._due
        while due and due[0] + self._open_for <= watermark:
            start = heapq.heappop(due)
            found = self.store.get(start)
            if found is not None and self._final is not nowhere:
                bucket = found[0]
                for key in sorted(bucket, key=self._keys.encode):
                    self._final(key, self._result(key, start, bucket[key]), start + self._size - 1)
            self.store.drop(start)
