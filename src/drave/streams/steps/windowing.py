"""Aggregates in tumbling and hopping windows.

    record ─▶ its windows ─▶ add ─▶ "changes"              each new result, at once, at the record's time
                  │                  "final"               one result per key and window, when the window is over
                  └ all of them over ─▶ "late"             the record as it came

A window is over when the watermark has reached its end and grace. Final results leave in the order of the windows' ends
and then of the keys' bytes; their time is the last millisecond of the window.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any, ClassVar

from drave.streams.formats import Packed, key_format_for
from drave.streams.state.buckets import Window, WindowStore
from drave.streams.steps.base import NEVER, Outputs, Receiver, TaskView, nowhere
from drave.streams.steps.windowed import OverWindows
from drave.streams.windows import TimeWindows, Windowed


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowedAggregate(OverWindows):
    """One state for each key and window."""

    kind: ClassVar[str] = "windows"
    windows: TimeWindows

    def prepare(self, task: TaskView) -> WindowStore:
        keys, states = key_format_for(self.key_type), Packed(self.bound.state_type)
        store = WindowStore(self.stores[0], task.state, keys, states)
        task.adopt(store)
        return store

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        run = _Run(self, task, outputs)
        task.fire_at(self, run)
        return (run.receiver_one() if self.windows.every_ms == self.windows.size_ms else run.receive_many,)


class _Run:
    """The windows of one task."""

    has_results = True

    def __init__(self, step: WindowedAggregate, task: TaskView, outputs: Outputs) -> None:
        self._step = step
        self._task = task
        self._clock = task.clock
        self._encode_key = key_format_for(step.key_type).encode
        self._store: WindowStore = task.prepared(step)
        self._windows = step.windows
        self._size = step.windows.size_ms
        self._open_for = self._size + step.windows.grace_ms + task.lag_of(step)
        self._final = outputs["final"]
        self._late = outputs["late"]
        self._changes = None if outputs["changes"] is nowhere else outputs["changes"]
        self._due = self._store.starts()
        """The starts of all open windows, as a heap."""

    @property
    def deadline(self) -> int:
        return self._due[0] + self._open_for if self._due else NEVER

    def receiver_one(self) -> Receiver:
        """For windows of which each record is in one."""
        size, open_for, clock, late, changes = self._size, self._open_for, self._clock, self._late, self._changes
        windows, open_window, result = self._store.windows, self._open, self._result
        add, initial = self._step.bound.add, self._step.bound.initial

        def receive(key: Any, value: Any, time: int) -> None:
            start = time - time % size
            if start + open_for <= clock.seen:
                late(key, value, time)
                return
            window = windows.get(start) or open_window(start)
            states = window.states
            try:
                state = add(states.get(key, initial), value, time)
            except Exception as error:
                self._task.failed(self._step, error, key, value, time)
                return
            states[key] = state
            window.dirty[key] = None
            if changes is not None:
                changes(key, result(key, start, state), time)

        return receive

    def receive_many(self, key: Any, value: Any, time: int) -> None:
        bound, closed = self._step.bound, self._clock.seen - self._open_for
        open_starts = [start for start in self._windows.starts(time) if start > closed]
        if not open_starts:
            self._late(key, value, time)
            return
        windows = [self._open(start) for start in open_starts]
        try:
            states = [bound.add(window.states.get(key, bound.initial), value, time) for window in windows]
        except Exception as error:
            self._task.failed(self._step, error, key, value, time)
            return
        for start, window, state in zip(open_starts, windows, states, strict=True):
            window.states[key] = state
            window.dirty[key] = None
            if self._changes is not None:
                self._changes(key, self._result(key, start, state), time)

    def _open(self, start: int) -> Window:
        window = self._store.get(start)
        if window is None:
            window = self._store.open(start)
            heapq.heappush(self._due, start)
            self._clock.deadline = min(self._clock.deadline, start + self._open_for)
        return window

    def _result(self, key: Any, start: int, state: Any) -> Windowed[Any]:
        result = self._step.bound.result
        return Windowed(key, start, start + self._size, state if result is None else result(state))

    def fire(self, watermark: int) -> None:
        due = self._due
        while due and due[0] + self._open_for <= watermark:
            start = heapq.heappop(due)
            window = self._store.get(start)
            if window is not None and self._final is not nowhere:
                self._end(start, window)
            self._store.drop(start)

    def _end(self, start: int, window: Window) -> None:
        time = start + self._size - 1
        for key in sorted(window.states, key=self._encode_key):
            try:
                result = self._result(key, start, window.states[key])
            except Exception as error:
                self._task.failed(self._step, error, key, window.states[key], time)
                continue
            self._final(key, result, time)
