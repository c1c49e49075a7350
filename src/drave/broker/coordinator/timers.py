"""Many deadlines on one timer of the scheduler.

Most deadlines are put off long before they come: each heartbeat moves one. Moving one is an entry in a dict; the heap
keeps the old moment, and whoever comes up too early is put back.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from drave.broker.coordinator.outcome import TimerName
from drave.model.clock import Scheduler, Timer


class Deadlines:
    """Named deadlines; `fire` is called with the name of each that has come, on the scheduler's thread."""

    def __init__(self, scheduler: Scheduler, fire: Callable[[TimerName], None]) -> None:
        self._scheduler = scheduler
        self._fire = fire
        self._due: dict[TimerName, float] = {}
        self._queued: dict[TimerName, float] = {}
        """The moment under which a name is in the heap; other entries of that name are leftovers."""
        self._heap: list[tuple[float, TimerName]] = []
        self._timer: Timer | None = None
        self._timer_at = 0.0

    def __len__(self) -> int:
        return len(self._due)

    def change(self, name: TimerName, after_ms: int | None) -> None:
        """Set the deadline `after_ms` from now, in place of the one that there is; None calls it off."""
        if after_ms is None:
            self._due.pop(name, None)
            return
        at = self._due[name] = self._scheduler.time() + after_ms / 1000
        queued = self._queued.get(name)
        if queued is None or at < queued:
            self._queue(name, at)
            self._arm()

    def clear(self) -> None:
        """Call all off."""
        self._due.clear()
        self._queued.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _queue(self, name: TimerName, at: float) -> None:
        self._queued[name] = at
        heapq.heappush(self._heap, (at, name))

    def _arm(self) -> None:
        if not self._heap:
            return
        at = self._heap[0][0]
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._scheduler.call_later(max(at - self._scheduler.time(), 0.0), self._wake)

    def _wake(self) -> None:
        self._timer = None
        # A loop may call a timer a shade too early; what is due by the moment it was set for is due.
        now = max(self._scheduler.time(), self._timer_at)
        for name in self._take_due(now):
            if self._due.get(name, now + 1) <= now:
                del self._due[name]
                self._fire(name)
        self._arm()

    def _take_due(self, now: float) -> list[TimerName]:
        due = []
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self._queued.get(name) != at:
                continue
            del self._queued[name]
            deadline = self._due.get(name)
            if deadline is None:
                continue
            if deadline <= now:
                due.append(name)
            else:
                self._queue(name, deadline)
        return due
