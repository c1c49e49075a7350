"""Deadlines that are put off again and again."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drave.broker.coordinator.outcome import TimerName
from drave.broker.coordinator.timers import Deadlines


class VirtualTimer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualScheduler:
    """A loop whose time is a number."""

    def __init__(self) -> None:
        self.now = 100.0
        self.set_timers = 0
        self._numbers = itertools.count()
        self._queue: list[tuple[float, int, VirtualTimer, Callable[[], Any]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> VirtualTimer:
        timer = VirtualTimer()
        self.set_timers += 1
        heapq.heappush(self._queue, (self.now + delay, next(self._numbers), timer, lambda: callback(*args)))
        return timer

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> VirtualTimer:
        return self.call_later(0, callback, *args)

    call_soon_threadsafe = call_soon

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while self._queue and self._queue[0][0] <= until:
            at, _, timer, callback = heapq.heappop(self._queue)
            self.now = max(self.now, at)
            if not timer.cancelled:
                callback()
        self.now = until


def name(text: str) -> TimerName:
    return "session", "g", text


def test_a_deadline_fires_once_when_it_has_come() -> None:
    scheduler, fired = VirtualScheduler(), []
    deadlines = Deadlines(scheduler, fired.append)
    deadlines.change(name("a"), 1000)
    scheduler.advance(0.999)
    assert fired == []
    scheduler.advance(10)
    assert fired == [name("a")]
    assert len(deadlines) == 0


def test_a_deadline_that_is_put_off_fires_at_its_last_moment_only() -> None:
    scheduler, fired = VirtualScheduler(), []
    deadlines = Deadlines(scheduler, fired.append)
    for _ in range(100):
        deadlines.change(name("a"), 1000)
        scheduler.advance(0.9)
    assert fired == []
    scheduler.advance(0.1)
    assert fired == [name("a")]


def test_putting_a_deadline_off_asks_nothing_of_the_loop() -> None:
    """A heartbeat is a hot path."""
    scheduler = VirtualScheduler()
    deadlines = Deadlines(scheduler, print)
    for _ in range(1000):
        deadlines.change(name("a"), 10_000)
        scheduler.advance(0.001)
    assert scheduler.set_timers == 1


def test_a_deadline_that_is_brought_forward_fires_then() -> None:
    scheduler, fired = VirtualScheduler(), []
    deadlines = Deadlines(scheduler, fired.append)
    deadlines.change(name("a"), 60_000)
    deadlines.change(name("a"), 1000)
    scheduler.advance(1)
    assert fired == [name("a")]
    scheduler.advance(100)
    assert fired == [name("a")]


def test_a_deadline_that_is_called_off_does_not_fire() -> None:
    scheduler, fired = VirtualScheduler(), []
    deadlines = Deadlines(scheduler, fired.append)
    deadlines.change(name("a"), 1000)
    deadlines.change(name("a"), None)
    deadlines.change(name("b"), None)
    scheduler.advance(10)
    assert fired == []


def test_what_one_deadline_calls_off_at_the_same_moment_does_not_fire() -> None:
    scheduler = VirtualScheduler()
    fired: list[TimerName] = []

    def fire(which: TimerName) -> None:
        fired.append(which)
        deadlines.change(name("b"), None)

    deadlines = Deadlines(scheduler, fire)
    deadlines.change(name("a"), 1000)
    deadlines.change(name("b"), 1000)
    scheduler.advance(1)
    assert fired == [name("a")]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 5000), st.integers(0, 3000))))
def test_every_deadline_fires_exactly_at_its_moment(steps: list[tuple[str, int | None, int]]) -> None:
    """Against a model that looks at every deadline in every millisecond's place."""
    scheduler, fired = VirtualScheduler(), []
    deadlines = Deadlines(scheduler, lambda which: fired.append((round(scheduler.now * 1000), which[2])))
    model: dict[str, int] = {}
    expected: list[tuple[int, str]] = []
    now_ms = 100_000
    for which, after_ms, pause_ms in [*steps, ("a", None, 20_000)]:
        deadlines.change(name(which), after_ms)
        model.pop(which, None)
        if after_ms is not None:
            model[which] = now_ms + after_ms
        now_ms += pause_ms
        scheduler.advance(pause_ms / 1000)
        due = sorted((at, each) for each, at in model.items() if at <= now_ms)
        expected += due
        for _, each in due:
            del model[each]
    assert sorted(fired) == sorted(expected)
