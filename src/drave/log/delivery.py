"""When the records of a topic with a delay (`drave.delivery.delay.ms`) are due.

    high watermark                                            durable
      ├── batch ──┼── batch ──┼── batch ──┼── not looked at ────┤
        9:00:00     9:00:01     9:00:01     until those before it are delivered
         ▲ timer: 9:00:00 and the delay

A batch is due when its newest record is as old as the delay, and what stands behind it waits with it, for a log has
one order. `message.timestamp.type` says whose clock counts. The timestamps are in the log, so nothing else is kept, and
a start finds by the time index what was due.

The law: no record is seen before its time; a high watermark never goes back; a batch is seen `PAUSE_S` late at most,
and what the loop is late. Batches are looked for beside the loop, many at a time, and never one by one as they come.
"""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drave.log import lookup
from drave.log.driver import Lane, OpenLane
from drave.log.errors import StorageError
from drave.log.flusher import Work
from drave.log.lookup import NotDue
from drave.model.clock import Clock, Scheduler, Timer

if TYPE_CHECKING:
    from drave.log.partition import PartitionLog

logger = logging.getLogger("drave.log")

PAUSE_S: Final = 0.005
"""Between two deliveries of a partition: what becomes due meanwhile comes together."""

WAIT_S_MAX: Final = 60.0
"""How long a timer trusts that nobody sets the clock on the wall."""

RETRY_S: Final = 1.0

AHEAD_MAX: Final = 256
"""Batches of a partition whose times are known at once."""


class Look:
    """Reads, beside the loop, when the next batches of a partition are due."""

    folder: Path | None = None

    def __init__(self, deliveries: Deliveries, log: PartitionLog, now_ms: int) -> None:
        assert log.files is not None, "what is durable has files"
        self.log = log
        self.due = log.high_watermark
        self.ahead: list[NotDue] = []
        self._deliveries = deliveries
        self._segments = log.files.segments
        self._end = log.durable
        self._after_ms = now_ms - log.config.delivery_delay_ms

    def run(self) -> None:
        self.due, self.ahead = lookup.not_due(self._segments, self._after_ms, self.due, self._end, AHEAD_MAX)

    def finish(self) -> None:
        self._deliveries.found(self.log, self.due, self.ahead)


class Deliveries:
    """All partitions of a broker that hold records back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: dict[PartitionLog, deque[NotDue]] = {}
        """What is known to come next, of the partitions of which something is."""
        self._timers: dict[PartitionLog, Timer] = {}
        self._unknown: dict[PartitionLog, None] = {}
        """Partitions that have something behind the high watermark, nobody knows from when on."""
        self._looking: Look | None = None
        self._woken = False
        self._scheduler: Scheduler | None = None
        self._open_lane: OpenLane | None = None
        self._lane: Lane | None = None

    # -- what logs tell

    def expect(self, log: PartitionLog) -> None:
        """`log` has something durable that is not due, perhaps."""
        if log not in self._ahead and log not in self._unknown:
            self._unknown[log] = None
            self._wake()

    def reconsider(self, log: PartitionLog) -> None:
        """`log` has another delay, or none any more."""
        if log.config.delivery_delay_ms:
            self.expect(log)
            if log in self._ahead:
                self._arm(log, PAUSE_S)
            return
        self.forget(log)
        try:
            log.load()
            log.deliver(log.durable)
        except StorageError as error:
            logger.warning("%s: what was held back is seen with the next write: %s", log, error)

    def forget(self, log: PartitionLog) -> None:
        """`log` holds nothing back any more."""
        self._unknown.pop(log, None)
        self._ahead.pop(log, None)
        self._disarm(log)

    # -- running

    def start(self, scheduler: Scheduler, open_lane: OpenLane) -> None:
        """Deliver from now on, by timers."""
        self._scheduler, self._open_lane = scheduler, open_lane
        for log in self._ahead:
            self._arm(log)
        self._wake()

    def stop(self, *, wait: bool) -> None:
        """Deliver nothing any more."""
        self._scheduler = None
        for log in list(self._timers):
            self._disarm(log)
        if self._lane is not None:
            self._lane.stop(wait=wait)

    def deliver_due(self) -> None:
        """Deliver what is due, here and now: before the start, in tests and tools."""
        for log in list(self._ahead):
            self._deliver(log)
        for log in list(self._unknown):
            del self._unknown[log]
            try:
                look = self._look_at(log)
                if look is not None:
                    look.run()
                    look.finish()
            except (OSError, StorageError) as error:
                self._failed(log, error)

    # -- looking

    def _wake(self) -> None:
        if self._scheduler is not None and self._unknown and not self._woken and self._looking is None:
            self._woken = True
            self._scheduler.call_soon(self._look_on)

    def _look_on(self) -> None:
        self._woken = False
        while self._scheduler is not None and self._looking is None and self._unknown:
            log = next(iter(self._unknown))
            del self._unknown[log]
            try:
                self._looking = self._look_at(log)
            except StorageError as error:
                self._failed(log, error)
            if self._looking is not None:
                self._give(self._looking, self._scheduler)

    def _give(self, look: Look, scheduler: Scheduler) -> None:
        if self._lane is None:
            assert self._open_lane is not None, "it came with the scheduler"
            self._lane = self._open_lane("drave-delivery", self._looked, scheduler)
        self._lane.give(look)

    def _look_at(self, log: PartitionLog) -> Look | None:
        """A look at what `log` holds back; None when that is nothing. Raises StorageError."""
        if log.removed or not log.config.delivery_delay_ms:
            return None
        log.load()
        return Look(self, log, self._clock.wall_ms()) if log.high_watermark < log.durable else None

    def _looked(self, work: Work, error: BaseException | None) -> None:
        self._looking = None
        assert isinstance(work, Look), "nothing else is given to this lane"
        if self._scheduler is None:
            return
        if error is None:
            work.finish()
        else:
            self._failed(work.log, error)
        self._wake()

    def _failed(self, log: PartitionLog, error: BaseException) -> None:
        logger.warning("%s: what is due in it is not known yet: %s", log, error)
        if self._scheduler is None:
            self._unknown[log] = None
        else:
            self._scheduler.call_later(RETRY_S, self.expect, log)

    def found(self, log: PartitionLog, due: int, ahead: list[NotDue]) -> None:
        """Batches below `due` are; those that come next are known."""
        if log.removed or not log.config.delivery_delay_ms:
            return
        log.deliver(due)
        if ahead:
            self._ahead[log] = deque(ahead)
            self._arm(log, PAUSE_S)
        elif log.high_watermark < log.durable:
            self.expect(log)

    # -- delivering

    def _arm(self, log: PartitionLog, least_s: float = 0.0) -> None:
        self._disarm(log)
        if self._scheduler is not None:
            due_ms = self._ahead[log][0].timestamp + log.config.delivery_delay_ms
            wait_s = (due_ms - self._clock.wall_ms()) / 1000
            self._timers[log] = self._scheduler.call_later(max(least_s, min(wait_s, WAIT_S_MAX)), self._deliver, log)

    def _disarm(self, log: PartitionLog) -> None:
        timer = self._timers.pop(log, None)
        if timer is not None:
            timer.cancel()

    def _deliver(self, log: PartitionLog) -> None:
        ahead, after_ms = self._ahead[log], self._clock.wall_ms() - log.config.delivery_delay_ms
        end = -1
        while ahead and ahead[0].timestamp <= after_ms:
            end = ahead.popleft().end
        if ahead:
            self._arm(log, PAUSE_S)
        else:
            self.forget(log)
        if end >= 0:
            log.deliver(end)
        if not ahead and log.high_watermark < log.durable:
            self.expect(log)
