"""Steps that wait for something: up to `concurrency` records at a time, in the order of the records.

    record ─▶ task on the app's own event loop ─▶ (in order) ─▶ "out"

Everything is awaited before a commit, and before event time ends a window, so a slow answer is never late. What is
handed on sees the watermark that its record came with.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, ClassVar

from drave.streams.steps.base import Outputs, Receiver, TaskView
from drave.streams.steps.mapping import Calling
from drave.streams.transport import Message

Waiting = tuple["Future[Any]", Any, Any, int, tuple[int, int, "Message | None"]]


@dataclass(frozen=True, eq=False, kw_only=True)
class AsyncMap(Calling):
    """Another value for each, from a coroutine; None drops the record."""

    kind: ClassVar[str] = "async map"
    concurrency: int = 16
    retries: int = 0
    retry_after_ms: int = 100
    """Before the first retry; twice as long before each further one."""

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        run = _Run(self, task, outputs["out"])
        task.await_all(run)
        return (run.receive,)


class _Run:
    """What is under way in one task."""

    def __init__(self, step: AsyncMap, task: TaskView, forward: Receiver) -> None:
        self._step = step
        self._task = task
        self._forward = forward
        self._call = step.call()
        self._waiting: deque[Waiting] = deque()

    def receive(self, key: Any, value: Any, time: int) -> None:
        while len(self._waiting) >= self._step.concurrency:
            self._hand_on()
        future = asyncio.run_coroutine_threadsafe(self._attempt(value), self._task.async_loop())
        clock, message = self._task.clock, self._task.message
        self._waiting.append((future, key, value, time, (clock.watermark, clock.seen, message)))

    def poll(self) -> None:
        while self._waiting and self._waiting[0][0].done():
            self._hand_on()

    def settle(self) -> None:
        while self._waiting:
            self._hand_on()

    def cancel(self) -> None:
        for future, *_ in self._waiting:
            future.cancel()
        self._waiting.clear()

    def _hand_on(self) -> None:
        """The oldest one, waiting for it."""
        future, key, value, time, then = self._waiting.popleft()
        task, clock = self._task, self._task.clock
        now = clock.watermark, clock.seen, task.message
        clock.watermark, clock.seen, task.message = then
        try:
            try:
                result = future.result()
            except Exception as error:
                task.failed(self._step, error, key, value, time)
                return
            if result is not None:
                self._forward(key, result, time)
        finally:
            clock.watermark, clock.seen, task.message = now

    async def _attempt(self, value: Any) -> Any:
        for attempt in range(self._step.retries):
            try:
                return await self._call(value)
            except Exception:
                await asyncio.sleep(self._step.retry_after_ms * 2**attempt / 1000)
        return await self._call(value)
