"""Event loops on virtual time.

    Timeline   ready │ event, event, event … │      timers │ 3.2 ms, 7.0 ms, 9.5 s … │
    loops          clients   life 1 (dead)   life 2

One timeline orders the events of several asyncio loops: one for all clients, one for each life of the broker. An event
runs to its end before the next one; when none is ready, time jumps to the next timer. A loop that has died runs
nothing any more, and nobody in it hears of that: so does a process that is killed.

The law: nothing here asks the machine for time, chance, threads or the order of a set, so a seed is a run.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from asyncio.events import _set_running_loop  # which asyncio keeps for those who write loops
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BEGINNING_S: Final = 1000.0
"""What the monotonic clock shows when a run begins."""
EVENTS_AT_ONCE_MAX: Final = 200_000
"""So many events at one moment are no work any more: somebody spins."""
CLOSE_ATTEMPTS: Final = 8


class Stuck(AssertionError):
    """Virtual time would have to go on, and nothing would ever happen; or it does not go on."""


class Event:
    """Something that will happen: what asyncio calls a handle."""

    __slots__ = ("args", "at", "callback", "loop")

    def __init__(self, loop: Loop, at: float, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.loop = loop
        self.at = at
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def cancel(self) -> None:
        self.callback = None
        self.args = ()

    def cancelled(self) -> bool:
        return self.callback is None

    def when(self) -> float:
        return self.at


class Timeline:
    """Virtual time, and everything that is going to happen in it."""

    def __init__(self) -> None:
        self.now = BEGINNING_S
        """Seconds."""
        self.events = 0
        """So many have happened."""
        self._ready: deque[Event] = deque()
        self._timers: list[tuple[float, int, Event]] = []
        self._numbers = itertools.count()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self.now - BEGINNING_S

    def soon(self, event: Event) -> None:
        self._ready.append(event)

    def later(self, event: Event) -> None:
        heapq.heappush(self._timers, (event.at, next(self._numbers), event))

    def spend(self, seconds: float) -> None:
        """Whoever runs now takes so long, and nobody else runs meanwhile."""
        self.now += seconds

    def run_until(self, done: Callable[[], bool], *, deadline: float) -> None:
        """Let things happen until `done`. Raises Stuck when the deadline comes first, or nothing is left to happen."""
        try:
            while not done():
                self._turn(deadline)
        finally:
            _set_running_loop(None)

    def _turn(self, deadline: float) -> None:
        """All that happens at the next moment."""
        ready = self._ready
        if not ready:
            self._jump(deadline)
        running: Loop | None = None
        left = EVENTS_AT_ONCE_MAX
        while ready:
            event = ready.popleft()
            callback = event.callback
            loop = event.loop
            if callback is None or loop.is_dead:
                continue
            if loop is not running:
                _set_running_loop(loop)
                running = loop
            try:
                callback(*event.args)
            except Exception as error:
                loop.call_exception_handler({"message": f"{callback} failed", "exception": error})
            except BaseException:
                if not loop.is_dead:  # the power was cut in the middle of it
                    raise
            self.events += 1
            left -= 1
            if not left:
                raise Stuck(f"{EVENTS_AT_ONCE_MAX} events without a step of time; the last was {callback}")

    def _jump(self, deadline: float) -> None:
        """Time goes on to the next timer, and all that are due become ready."""
        timers = self._timers
        while timers and (timers[0][2].callback is None or timers[0][2].loop.is_dead):
            heapq.heappop(timers)
        if not timers:
            raise Stuck("nothing is left to happen")
        if timers[0][0] > deadline:
            raise Stuck(f"it is not done after {deadline - BEGINNING_S:.0f} s of virtual time")
        self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            self._ready.append(heapq.heappop(timers)[2])


class Loop(asyncio.AbstractEventLoop):
    """One process's event loop on a timeline.

    `delay` says how long it takes until something given to another thread is done, and `on_error` hears what nobody
    caught.
    """

    def __init__(
        self, timeline: Timeline, *, delay: Callable[[], float], on_error: Callable[[dict[str, Any]], None]
    ) -> None:
        self._timeline = timeline
        self._delay = delay
        self._on_error = on_error
        self._tasks: list[asyncio.Task[Any]] = []
        self.is_dead = False

    # -- time

    def time(self) -> float:
        return self._timeline.now

    def call_soon(self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Any = None) -> Any:
        event = Event(self, self._timeline.now, callback, args)
        self._timeline.soon(event)
        return event

    call_soon_threadsafe = call_soon

    def call_at(self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Any = None) -> Any:
        event = Event(self, when, callback, args)
        self._timeline.later(event)
        return event

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Any = None
    ) -> Any:
        return self.call_at(self._timeline.now + delay, callback, *args)

    # -- tasks

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name)
        if len(self._tasks) > 1000:
            self._tasks = [each for each in self._tasks if not each.done()]
        self._tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> asyncio.Future[T]:
        """A thread runs it at some moment, and a little later the loop hears of it."""
        future: asyncio.Future[T] = self.create_future()

        def run() -> None:
            result: list[T] = []
            error: Exception | None = None
            try:
                result.append(func(*args))
            except Exception as caught:
                error = caught
            self.call_later(self._delay(), tell, result, error)

        def tell(result: list[T], error: Exception | None) -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result[0])

        self.call_later(self._delay(), run)
        return future

    async def create_server(  # type: ignore[override]  # only what a broker asks for
        self, protocol_factory: Any, *, sock: Any, backlog: int
    ) -> Any:
        """Listen on a simulated socket, which knows its network."""
        return sock.listen(self, protocol_factory)

    # -- what asyncio asks of a loop

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.is_dead:
            self._on_error(context)

    def die(self) -> None:
        """Nothing more happens in it, and nobody in it hears of that."""
        self.is_dead = True

    def bury(self) -> None:
        """Let go of what was left lying, so that it makes no noise when it is collected. The run is over."""
        self.is_dead = True
        _set_running_loop(self)
        try:
            while self._tasks:  # ending one may begin another
                task = self._tasks.pop()
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  # asyncio's own switch
                if not task.done():
                    _close(task.get_coro())
        finally:
            _set_running_loop(None)


def _close(coroutine: Coroutine[Any, Any, Any] | Any) -> None:
    """End a coroutine, whatever it still wants to wait for while it ends."""
    for _ in range(CLOSE_ATTEMPTS):
        with suppress(BaseException):
            coroutine.close()
            return
