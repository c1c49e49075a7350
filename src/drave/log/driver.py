"""Drives a Flusher: with two lanes beside the loop (threads; events of the simulator), or step by step.

    loop    append, append, append ─┐                 ┌─ finish: watermarks, replies ─ append …
    commit                          └─ journal, sync ─┘
    chores          sync a segment ─ … ─ write recovery points ─ remove files

While the disk is quick, small commits run on the loop itself (`pace`): waking a thread and being woken by it costs a
third as much as the sync, and while the loop is busy several times as much, for the two share one interpreter. The
commit thread has the rest, and sleeps until it is given work.

Chores rest between two of them for as long as the last one took, unless the next journal file is half full already.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, Protocol

from drave.log.commit import Commit
from drave.log.flusher import Flusher, Work
from drave.log.pace import BYTES_MAX, Pace
from drave.model.clock import Clock, Scheduler

REST_S_MAX: Final = 0.2

EMPTY_TURNS_MAX: Final = 25
"""So many turns of the loop that bring nothing take as long as a quick sync. To wait for those who shared the last
one costs little more than not to, when they do not come."""


def drain(flusher: Flusher) -> None:
    """Do all that is waiting, on this thread: for tests, tools and the last steps before a stop."""
    while (work := flusher.next_commit() or flusher.next_chore()) is not None:
        try:
            work.run()
        except Exception as error:
            flusher.fail(error)
            raise
        work.finish()


Done = Callable[[Work, BaseException | None], None]
"""Called on the loop with what was run, and what it raised."""


class Lane(Protocol):
    """Runs one work at a time beside the loop, and tells it when it is done."""

    def give(self, work: Work) -> None: ...

    def stop(self, *, wait: bool) -> None:
        """End after what was given."""
        ...


OpenLane = Callable[[str, Done, Scheduler], Lane]
"""What makes a lane, of its name, whom to tell, and the loop to tell it on."""


class ThreadLane:
    """A lane that is a thread."""

    def __init__(self, name: str, done: Done, scheduler: Scheduler) -> None:
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._done = done
        self._scheduler = scheduler
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def give(self, work: Work) -> None:
        self._queue.put(work)

    def stop(self, *, wait: bool) -> None:
        self._queue.put(None)
        if wait:
            self._thread.join()

    def _serve(self) -> None:
        while (work := self._queue.get()) is not None:
            error: BaseException | None = None
            try:
                work.run()
            except BaseException as caught:  # it is raised again on the loop, where somebody hears it
                error = caught
            try:
                self._scheduler.call_soon_threadsafe(self._done, work, error)
            except RuntimeError:
                return  # the loop was closed without waiting for us


class Driver:
    """Two lanes, and the loop that gives them their work."""

    def __init__(
        self,
        flusher: Flusher,
        clock: Clock,
        scheduler: Scheduler,
        on_failure: Callable[[BaseException], None],
        open_lane: OpenLane = ThreadLane,
    ) -> None:
        self._flusher = flusher
        self._clock = clock
        self._scheduler = scheduler
        self._on_failure = on_failure
        self._open_lane = open_lane
        self._commits = open_lane("drave-commit", self._committed, scheduler)
        self._chores: Lane | None = None
        self._pace = Pace(flusher.settings.inline_sync_us_max)
        self._woken = False
        self._woken_at = 0.0
        self._empty_turns = 0
        self._last_batches = 0
        self._chore_began = 0.0
        self._resting = False
        self._stopped = False
        self._settled: asyncio.Future[None] | None = None
        flusher.wake = self._wake
        self._wake()

    # -- the loop's side; what is ready to run before `_kick` does joins its window

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self._woken_at = self._clock.monotonic()
            self._scheduler.call_soon(self._gather, -1)

    def _gather(self, before: int) -> None:
        """Whoever was ready when the first write came has written by the second turn of the loop. Those who were
        answered just now come a little later, one turn after the other. Who is alone, and was so the last time, is
        not kept waiting."""
        waiting = self._flusher.waiting
        if waiting == self._last_batches == 1 or self._has_gathered(waiting, before):
            self._kick()
        else:
            self._scheduler.call_soon(self._gather, waiting)

    def _has_gathered(self, waiting: int, before: int) -> bool:
        if waiting > before:
            self._empty_turns = 0
            return before >= 0 and self._clock.monotonic() - self._woken_at >= self._pace.patience_s
        self._empty_turns += 1
        is_crowd = not waiting or waiting * 2 >= self._last_batches
        return is_crowd or self._empty_turns >= EMPTY_TURNS_MAX or not self._pace.is_quick

    def _kick(self) -> None:
        self._woken = False
        if self._stopped:
            return
        self._give_commit()
        self._give_chore()
        if self._settled is not None and self._flusher.is_idle and not self._settled.done():
            self._settled.set_result(None)

    def _give_commit(self) -> None:
        work = self._flusher.next_commit()
        if isinstance(work, Commit):
            self._last_batches = work.batches
            if work.journal_only and work.bytes <= BYTES_MAX and self._pace.is_quick:
                self._commit_here(work)
                return
        if work is not None:
            self._commits.give(work)

    def _commit_here(self, commit: Commit) -> None:
        try:
            commit.run()
        except Exception as error:
            self._fail(error)
            return
        self._pace.note(commit.seconds, on_loop=True)
        commit.finish()
        self._scheduler.call_soon(self._go_on)  # the replies that became due leave first

    def _go_on(self) -> None:
        """With a fill or a chore. Whoever has written meanwhile waits for others, and they for `_gather`."""
        if not self._woken:
            self._kick()

    def _committed(self, work: Work, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)
            return
        if isinstance(work, Commit) and work.seconds:
            self._pace.note(work.seconds, on_loop=False)
        work.finish()
        self._scheduler.call_soon(self._kick)  # the replies that became due leave first

    def _give_chore(self) -> None:
        if self._resting and self._settled is None:
            return
        chore = self._flusher.next_chore()
        if chore is None:
            self._rest(self._flusher.paused_s)
            return
        if self._chores is None:
            self._chores = self._open_lane("drave-chores", self._chore_done, self._scheduler)
        self._chore_began = self._clock.monotonic()
        self._chores.give(chore)

    def _chore_done(self, work: Work, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)
            return
        work.finish()
        took = self._clock.monotonic() - self._chore_began
        if not self._flusher.hurried and self._settled is None:
            self._rest(min(took, REST_S_MAX))
        self._kick()

    def _rest(self, seconds: float) -> None:
        if seconds > 0.0 and not self._resting:
            self._resting = True
            self._scheduler.call_later(seconds, self._rested)

    def _rested(self) -> None:
        self._resting = False
        self._wake()

    def _fail(self, error: BaseException) -> None:
        if not self._stopped:
            self._stopped = True
            self._flusher.fail(error)
            self._on_failure(error)
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    async def settle(self) -> None:
        """Until all that can be done now is done; after a failure that is nothing."""
        if self._stopped:
            return
        self._settled = asyncio.get_running_loop().create_future()
        self._wake()
        await self._settled
        self._settled = None

    def stop(self) -> None:
        """End the lanes after what they were given; nothing more is given to them.

        After a failure nobody waits for them: a disk that fails may also keep them for ever.
        """
        self._stopped = True
        self._flusher.wake = _asleep
        wait = not self._flusher.failed
        self._commits.stop(wait=wait)
        if self._chores is not None:
            self._chores.stop(wait=wait)


def _asleep() -> None:
    pass
