"""One partition's log as its readers see it.

    start                 high watermark        durable          end
      ├── readable ───────────────┼── not due yet ──┼── in the window ─┤

What is durable can be read, but for records of a topic with a delay: those are there once they are due (`delivery.py`),
and until then the high watermark stands before them, as it does in Kafka before what is not replicated yet. So nobody
who reads needs to know of delays: neither fetches, nor look-ups by time, nor lag, nor retention.

Reads that may wait for the disk run elsewhere on what they were given: segments are closed when the last reader lets
go, and lists of segments are replaced, never changed.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from drave.log import lookup
from drave.log.epochs import LeaderEpochs
from drave.log.errors import OffsetOutOfRange, StorageError
from drave.log.files import PartitionFiles
from drave.log.lookup import TimestampOffset
from drave.log.points import stable_end
from drave.log.reading import NO_BATCHES, Batches, Plan, read_batches
from drave.log.rolling import FOREVER
from drave.log.shared import Shared
from drave.log.waiting import Waiting
from drave.model.ids import Offset, TopicId
from drave.store.disk import WouldBlock
from drave.store.recovery_points import RecoveryPoint
from drave.store.segment import Segment

RECENT_BYTES: Final = 8 * 1024 * 1024
"""What was written so lately is in memory: reading it cannot wait for the disk."""

_NO_EPOCHS: Final = LeaderEpochs()


class ReadableLog(abc.ABC):
    """The log of one partition, to be read. `PartitionLog` is what is written to."""

    __slots__ = (
        "_active",
        "_epochs",
        "_loaded",
        "_opened_size",
        "_shared",
        "_stable_position",
        "_stable_segment",
        "_waiting",
        "durable",
        "end",
        "files",
        "high_watermark",
        "index",
        "last_stable",
        "leader_epoch",
        "name",
        "start",
        "topic_id",
    )

    def __init__(self, shared: Shared, name: str, topic_id: TopicId, index: int) -> None:
        self.name = name
        """The topic's."""
        self.topic_id = topic_id
        self.index = index
        self.files: PartitionFiles | None = None
        self.start = self.end = 0
        self.durable = 0
        """The end of what would survive a power cut."""
        self.high_watermark = 0
        """The end of what is durable and due: what consumers may see."""
        self.last_stable = 0
        self.leader_epoch = shared.flusher.epoch_floor
        self._shared = shared
        self._loaded = False
        self._active: Segment | None = None
        self._opened_size = 0
        self._stable_segment: Segment | None = None
        self._stable_position = 0
        self._epochs = _NO_EPOCHS
        self._waiting = Waiting()

    def __repr__(self) -> str:
        return f"<{self} {self.start}..{self.high_watermark}..{self.end}>"

    def __str__(self) -> str:
        return f"{self.name}-{self.index}"

    def _begin_at(self, point: RecoveryPoint, *, readable: Offset) -> None:
        """Begin as recovery left the partition; consumers see no more than what lies below `readable`."""
        self.leader_epoch = point.leader_epoch
        self.start = point.start
        self.end = self.durable = point.offset
        self.high_watermark = max(point.start, min(readable, point.offset))
        self.last_stable = min(stable_end(point), self.high_watermark)

    @abc.abstractmethod
    def load(self) -> None:
        """Open the partition, if this life has not done so. Raises StorageError."""

    def when_durable(self, end: Offset, callback: Callable[[], None]) -> None:
        """Call back once everything below `end` is durable: at once, before returning, when it is already."""
        if end <= self.durable:
            callback()
            return
        self._waiting.for_end(end, callback)

    # -- reading

    def read_now(
        self, start: Offset, *, bytes_max: int, limit: Offset, whole_first: bool, committed: bool = False
    ) -> Batches | None:
        """Whole batches from the one that holds `start`, below `limit`, no more than `bytes_max` together.

        A first batch larger than that comes when `whole_first`; who reads only what was `committed` is told of the
        aborted transactions. None when the disk would have to be waited for: then `read` does. Raises OffsetOutOfRange
        or StorageError.
        """
        if not self.start <= start <= self.end:
            raise OffsetOutOfRange(str(self), start, self.start, self.end)
        if start >= limit:
            if self._stable_segment is not None and start == self.durable:
                self._stable_segment.hint(start, self._stable_position)  # who reads here now comes back for more
            return NO_BATCHES
        try:
            plan = self._plan(start, limit, committed)
            while plan is not None:
                batches = read_batches(plan, bytes_max, whole_first=whole_first, now=True)
                if batches is not None:
                    return batches
                plan = self._plan(start, limit, committed, after=plan)
        except WouldBlock:
            return None
        except OSError as error:
            raise StorageError(str(self), f"could not read: {error}") from error
        return NO_BATCHES

    async def read(
        self, start: Offset, *, bytes_max: int, limit: Offset, whole_first: bool, committed: bool = False
    ) -> Batches:
        """What `read_now` does, waiting for the disk without stopping the loop."""
        if not self.start <= start <= self.end:
            raise OffsetOutOfRange(str(self), start, self.start, self.end)
        if start >= limit:
            return NO_BATCHES
        try:
            plan = self._plan(start, limit, committed)
            while plan is not None:
                work = partial(read_batches, plan, bytes_max, whole_first=whole_first, now=False)
                batches = await self._shared.disk.run(work)
                if batches is not None:
                    return batches
                plan = self._plan(start, limit, committed, after=plan)
        except OSError as error:
            raise StorageError(str(self), f"could not read: {error}") from error
        return NO_BATCHES

    def _plan(self, start: int, limit: int, committed: bool, after: Plan | None = None) -> Plan | None:
        """Which segment to read, and how far; None when there is none with anything below `limit`."""
        if not self._loaded:
            self.load()
        files = self.files
        if files is None:
            return None
        if after is None:
            number = files.at(start)
        else:
            number = files.at(after.segment.base) + 1
        if number >= len(files.segments) or files.bases[number] >= limit:
            return None
        segment = files.segments[number]
        if limit == self.durable and segment is self._stable_segment:
            end = self._stable_position
        elif limit >= self.end or (number + 1 < len(files.bases) and files.bases[number + 1] <= limit):
            end = segment.size
        else:
            end = -1
        recent = FOREVER
        if segment is self._active:
            recent = max(self._opened_size, segment.size - RECENT_BYTES)
        is_last = number + 1 == len(files.bases) or files.bases[number + 1] >= limit
        aborted = files.aborted_since(number) if committed else ()
        return Plan(segment, files.file(segment), start, limit, end, recent, is_last, aborted)

    # -- by time

    async def offset_for_time(self, timestamp_ms: int) -> TimestampOffset | None:
        """The first record that is not older than `timestamp_ms`, below the high watermark. Raises StorageError."""
        return await self._look_up(lookup.first_since, timestamp_ms)

    async def max_timestamp(self) -> TimestampOffset | None:
        """The first of the records with the largest timestamp. Raises StorageError.

        What was appended already is waited for, so that a pending write does not hide it.
        """
        if self.durable < self.end:
            durable = asyncio.get_running_loop().create_future()
            self.when_durable(self.end, partial(durable.set_result, None))
            await durable
        return await self._look_up(lookup.latest)

    async def _look_up(self, find: Callable[..., TimestampOffset | None], *args: int) -> TimestampOffset | None:
        self.load()
        files = self.files
        if files is None:
            return None
        work = partial(find, files.segments, *args, self.start, self.high_watermark)
        try:
            return await self._shared.disk.run(work)
        except OSError as error:
            raise StorageError(str(self), f"could not read: {error}") from error

    # -- leader epochs

    def epoch_at(self, offset: Offset) -> int:
        """The leader epoch that wrote `offset`, or that will; -1 when it is not known."""
        self.load()
        return self.leader_epoch if offset >= self.end else self._epochs.epoch_at(offset)

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, Offset]:
        """The largest leader epoch up to `epoch` and where its writes end; (-1, -1) when it is not known."""
        self.load()
        found, end = self._epochs.end_of(epoch, current=self.leader_epoch, end=self.end)
        return found, end
