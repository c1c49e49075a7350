"""All partitions of one broker, on one disk.

    Logs.open(…)     lock the folder, recover                       blocks; nothing is served before
    logs.start(…)    appends become durable from now on
    logs.partition   → PartitionLog
    logs.close()     commit, checkpoint, unlock

A partition of the catalog has a PartitionLog from the start; files appear with its first batch.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from drave.log.delivery import Deliveries
from drave.log.driver import Driver, OpenLane, ThreadLane, drain
from drave.log.errors import StorageError
from drave.log.flusher import Flusher
from drave.log.housekeeping import free_segments, keep_house, look_for_compaction
from drave.log.opening import Folders, Opening, OpenReport, TopicLike
from drave.log.partition import PartitionLog
from drave.log.shared import Shared
from drave.model.clock import Clock, Scheduler
from drave.model.ids import Offset, TopicId
from drave.model.log_config import LogConfig
from drave.model.storage_settings import StorageSettings
from drave.store.disk import Disk, Lock, explain
from drave.store.journal import Journal
from drave.store.names import SNAPSHOT, offset_name
from drave.store.segment import FilePool

LOCK: Final = "lock"

HOUSE_S_MAX: Final = 0.003
"""How long one round of housekeeping may keep the loop."""

SLOW_SNAPSHOT_BYTES: Final = 64 * 1024
"""A snapshot of producers past this takes some milliseconds to read."""

logger = logging.getLogger("drave.log")


class Space(NamedTuple):
    """Of the volume that the partitions lie on."""

    total_bytes: int
    usable_bytes: int
    """Free, and not kept back for others."""


def lock_folder(root: Path, *, disk: Disk, node_id: int = 1) -> Lock:
    """Make this process the one that has the broker's folder. Raises DataFolderInUse or DataFolderUnusable."""
    folder = Folders.under(root, node_id).node
    try:
        disk.make_folder(folder)
        return disk.lock(folder / LOCK)
    except OSError as error:
        raise explain(root, error) from error


class Logs:
    """The logs of one broker. Made by `open`."""

    def __init__(
        self, shared: Shared, lock: Lock | None, report: OpenReport, partitions: dict[tuple[TopicId, int], PartitionLog]
    ) -> None:
        self.report = report
        self._shared = shared
        self._lock = lock
        self._closed = False
        self._partitions = partitions
        self._driver: Driver | None = None
        self._retention = Round(self, keep_house)
        self._compaction = Round(self, look_for_compaction)

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        disk: Disk,
        clock: Clock,
        settings: StorageSettings,
        topics: Iterable[TopicLike],
        tombstones: Iterable[TopicId] = (),
        node_id: int = 1,
        locked: bool = False,
        adopting: TopicId | None = None,
    ) -> Logs:
        """Lock, and recover what a crash left. Blocks until all of it is done.

        `tombstones` are the deleted topics whose files may still be there; `locked` says that the caller holds what
        `lock_folder` gave, because more than the logs is opened under it; the folders of the topic `adopting` are not
        this broker's. Raises DataFolderInUse or DataFolderUnusable.
        """
        topics = list(topics)
        folders = Folders.under(root, node_id)
        lock = None if locked else lock_folder(root, disk=disk, node_id=node_id)
        try:
            opening = Opening(disk, clock, folders, topics, tombstones, adopting=adopting)
            points, generation = opening.run()
        except BaseException as error:
            if lock is not None:
                lock.release()
            if isinstance(error, OSError):
                raise explain(root, error) from error
            raise
        partitions: dict[tuple[TopicId, int], PartitionLog] = {}
        journal = Journal(disk, folders.journal, generation=generation, bytes_max=settings.journal_bytes_max)
        pool = FilePool(disk, min(settings.open_segments_max, disk.open_files_max // 2))
        flusher = Flusher(
            disk,
            clock,
            settings,
            journal,
            folders.node,
            folders.topics,
            partitions.values,
            epoch_floor=opening.epoch_floor,
        )
        shared = Shared(disk, clock, settings, pool, flusher, Deliveries(clock), folders.topics)
        for topic in topics:
            for index in range(topic.partitions):
                key = topic.topic_id, index
                partitions[key] = PartitionLog(shared, topic.name, *key, topic.config, points.get(key))
        _open_slow_ones(partitions.values(), disk)
        shared.deliveries.deliver_due()
        return cls(shared, lock, opening.report, partitions)

    # -- running

    def start(
        self, scheduler: Scheduler, on_failure: Callable[[BaseException], None], open_lane: OpenLane = ThreadLane
    ) -> None:
        """Make durable what is appended from now on. `on_failure` is called once, when the disk fails."""
        self._driver = Driver(self._shared.flusher, self._shared.clock, scheduler, on_failure, open_lane)
        self._shared.deliveries.start(scheduler, open_lane)

    def flush(self) -> None:
        """Do all that waits, here and now, instead of `start`: for tests, the simulator and tools."""
        drain(self._shared.flusher)
        self._shared.deliveries.deliver_due()

    @property
    def flusher(self) -> Flusher:
        """What `start` drives with threads and the simulator step by step."""
        return self._shared.flusher

    async def close(self) -> None:
        """Commit what was appended, make a last checkpoint, unlock. After a failure nothing more is written."""
        flusher, driver, self._driver = self._shared.flusher, self._driver, None
        if self._closed:
            return
        self._closed = True
        flusher.refuse("the broker is stopping")
        if driver is not None:
            await driver.settle()
            flusher.begin_checkpoint(clean=True)
            await driver.settle()
            driver.stop()
        elif not flusher.failed:
            self.flush()
            flusher.begin_checkpoint(clean=True)
            self.flush()
        self._shared.deliveries.stop(wait=not flusher.failed)
        for log in self:
            log.close()
        if self._lock is not None:
            self._lock.release()

    # -- partitions

    def partition(self, topic_id: TopicId, index: int) -> PartitionLog | None:
        """A partition's log; None when the catalog has none."""
        return self._partitions.get((topic_id, index))

    def __iter__(self) -> Iterator[PartitionLog]:
        return iter(self._partitions.values())

    def __len__(self) -> int:
        return len(self._partitions)

    def add_topic(self, topic: TopicLike) -> None:
        """Follow the catalog: a topic is new, or has more partitions."""
        for index in range(topic.partitions):
            key = topic.topic_id, index
            if key not in self._partitions:
                self._partitions[key] = PartitionLog(self._shared, topic.name, *key, topic.config)

    def remove_topic(self, topic_id: TopicId) -> None:
        """Follow the catalog: a topic is gone, and its tombstone is durable. Files go soon, the name is free now."""
        for key in [key for key in self._partitions if key[0] == topic_id]:
            self._partitions.pop(key).remove()
        self._shared.flusher.forget_topic(topic_id)

    def configure(self, topic_id: TopicId, config: LogConfig) -> None:
        """Follow the catalog: a topic has other configs."""
        for index in itertools.count():
            log = self._partitions.get((topic_id, index))
            if log is None:
                break
            log.configure(config)

    def follow_settings(self, settings: StorageSettings) -> None:
        """Take other settings of those that may change while the broker runs: `producer_id_expiration_ms`."""
        self._shared = self._shared._replace(settings=settings)

    def on_forgotten(self, callback: Callable[[TopicId], None]) -> None:
        """Call back once nothing on the disk speaks of a deleted topic any more: its tombstone may go."""
        self._shared.flusher.on_forgotten = callback

    def delete_records(self, log: PartitionLog, before: Offset) -> asyncio.Future[Offset]:
        """Let a log begin at `before`; gives its start once that is durable. Segments without records go soon after.

        Raises OffsetOutOfRange or StorageError; so may the future.
        """
        moved = log.delete_records(before)
        moved.add_done_callback(partial(self._deleted, log))
        return moved

    def _deleted(self, log: PartitionLog, moved: asyncio.Future[Offset]) -> None:
        if moved.exception() is None:
            free_segments(log, self._shared)

    # -- where they lie

    @property
    def folder(self) -> Path:
        """The folder of all partitions' folders."""
        return self._shared.topics

    def space(self) -> Space:
        """Raises OSError."""
        disk, folder = self._shared.disk, self._shared.topics
        return Space(disk.total_bytes(folder), disk.free_bytes(folder))

    # -- housekeeping

    def keep_house(self, now_ms: int) -> None:
        """Retention, and producers that are silent for long; what is due for compaction. Call it about once a second;
        it never takes long."""
        shared = self._shared
        self._retention.go_on(shared, now_ms, shared.settings.retention_check_interval_ms)
        if shared.settings.cleaner_enable:
            self._compaction.go_on(shared, now_ms, shared.settings.cleaner_backoff_ms)


def _open_slow_ones(logs: Iterable[PartitionLog], disk: Disk) -> None:
    """Open partitions that know very many producers now, while nobody is kept waiting by it."""
    for log in logs:
        point = log.points.durable
        if point is None or point.snapshot < 0:
            continue
        found = disk.stat(log.folder / offset_name(point.snapshot, SNAPSHOT))
        if found is not None and found.size > SLOW_SNAPSHOT_BYTES:
            try:
                log.load()
            except (OSError, StorageError) as error:
                logger.warning("%s could not be opened yet: %s", log, error)


class Round:
    """A visit to every partition now and then, for a few milliseconds at a time."""

    def __init__(self, logs: Iterable[PartitionLog], visit: Callable[[PartitionLog, Shared, int], None]) -> None:
        self._logs = logs
        self._visit = visit
        self._waiting: Iterator[PartitionLog] = iter(())
        self._next_ms = 0

    def go_on(self, shared: Shared, now_ms: int, interval_ms: int) -> None:
        """Visit some of those that wait; all wait again after an interval."""
        if now_ms >= self._next_ms:
            self._next_ms = now_ms + interval_ms
            self._waiting = iter(list(self._logs))
        clock = shared.clock
        end = clock.monotonic() + HOUSE_S_MAX
        for log in self._waiting:
            self._visit(log, shared, now_ms)
            if clock.monotonic() >= end:
                break
