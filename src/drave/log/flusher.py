"""What makes appended batches durable: windows are committed, and now and then a checkpoint is made.

    append ─▶ window ─▶ Commit ─▶ high watermark, replies              one in flight, in order
                        │ journal: entries of many partitions, one sync
                        └ direct: a partition that wrote much has its own files synced; its bytes skip the journal

    journal file full, or much written past it ─▶ checkpoint:
        CheckpointStep   for each partition written since the last one: sync segments, indexes, names; producer
                         snapshot, leader epochs
        PointsWrite      replace recovery-points; then the journal file is free, and old segments may go

The flusher decides and keeps the books; it never waits. What may wait is a `Work`: `run` is called once, on whatever
thread, and then `finish` on the flusher's own. Whoever drives it (threads, or a test, step by step) keeps one commit
and one chore in flight at most.

Which way a partition's bytes take is chosen for each partition of a window: both ways keep its own order, and no
promise is made across partitions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from drave.log.errors import LogClosed
from drave.log.files import Sync, remove_tree
from drave.model.clock import Clock
from drave.model.ids import TopicId
from drave.model.storage_settings import StorageSettings
from drave.store import journal as journals
from drave.store.disk import FULL, Disk, SyncFailed
from drave.store.journal import Item, Journal, Place
from drave.store.recovery_points import write_recovery_points
from drave.store.segment import Segment

if TYPE_CHECKING:
    from drave.log.partition import PartitionLog

logger = logging.getLogger("drave.log")

FILL_SLICE_BYTES: Final = 256 * 1024
CHORE_PAUSE_S: Final = 1.0
"""How long a chore waits that found the disk full."""

ALONE: Final = 4
"""A partition that is alone in its window is synced directly from so much less on."""

RECENT: Final = 0.2
"""The weight of the newest sync in the average of recent ones."""


class Work(Protocol):
    """Something that may wait for the disk."""

    folder: Path | None
    """The partition's folder in which it names files, if it does."""

    def run(self) -> None:
        """Do it. What is raised ends the broker."""
        ...

    def finish(self) -> None:
        """Enter it into the books."""
        ...


class Flusher:
    """The books: what waits to be committed, what has to be checkpointed, what may be removed."""

    def __init__(
        self,
        disk: Disk,
        clock: Clock,
        settings: StorageSettings,
        journal: Journal,
        folder: Path,
        topics: Path,
        logs: Callable[[], Iterable[PartitionLog]],
        *,
        epoch_floor: int,
    ) -> None:
        self.disk = disk
        self.clock = clock
        self.settings = settings
        self.journal = journal
        self.folder = folder
        """The node's: recovery points."""
        self.topics = topics
        """That of all partitions' folders."""
        self.logs = logs
        self.epoch_floor = epoch_floor
        """The leader epoch of partitions without a recovery point."""
        self.window: list[PartitionLog] = []
        self.wake: Callable[[], None] = _nobody
        """Called when there is something to do after nothing was."""
        self.refusal: LogClosed | None = None
        """Why nothing more may be appended."""
        self.failed = False
        """Whether the disk has failed: then nothing is written any more."""
        self.stopped_cleanly = False
        self.sync_seconds = 0.0
        """How long recent syncs of the journal took."""
        self.on_forgotten: Callable[[TopicId], None] = _forgotten
        self._commit: Work | None = None
        self._again: Commit | None = None
        self._starts_waiting: list[PartitionLog] = []
        self._chore: Work | None = None
        self._dirty: dict[PartitionLog, None] = {}
        self._checkpoint: Checkpoint | None = None
        self._checkpoint_wanted = False
        self._clean_wanted = False
        self._removals: list[FileRemoval | FolderRemoval] = []
        self._leaving: list[PartitionLog] = []
        self._forgetting: list[tuple[TopicId, int]] = []
        self._bytes_left = settings.checkpoint_bytes
        self._batches_left = settings.checkpoint_batches
        self._pause_until = 0.0

    # -- what logs tell

    def join(self, log: PartitionLog) -> None:
        """`log` has something to be committed; it says so once for each window."""
        window = self.window
        window.append(log)
        if len(window) == 1:
            self.wake()

    def touched(self, log: PartitionLog) -> None:
        """`log` has other files than its recovery point says."""
        self._dirty[log] = None

    def written(self, log: PartitionLog, size: int) -> None:
        """`log` has written and is not going to commit: durability = "os"."""
        self._dirty[log] = None
        self._bytes_left -= size
        self._batches_left -= 1
        if self._bytes_left <= 0 or self._batches_left <= 0:
            self.wake()

    def remove(self, removal: FileRemoval | FolderRemoval) -> None:
        """Files may go."""
        self._removals.append(removal)
        self.wake()

    def forget(self, log: PartitionLog) -> None:
        """A partition was deleted. What it has in the window is still committed, for its writers wait.

        Its folder gets another name once no chore is about to name a file in it: the next topic may have the same.
        """
        self._dirty.pop(log, None)
        self._removals = [removal for removal in self._removals if removal.folder != log.folder]
        if self.is_busy_with(log.folder) or not log.remove_folder():
            self._leaving.append(log)

    def forget_topic(self, topic_id: TopicId) -> None:
        """Tell `on_forgotten` once neither a file nor the journal has anything of the topic."""
        self._forgetting.append((topic_id, self.journal.generation))

    def fail(self, error: BaseException) -> None:
        """The disk has failed: nothing more is taken, and nobody who waits is told that all is well."""
        self.failed = True
        self.refuse(f"the broker stops: {error}")

    def refuse(self, why: str) -> None:
        """Take no more appends."""
        self.refusal = LogClosed(str(self.folder), why)

    # -- commits

    def next_commit(self) -> Work | None:
        """The next work for the thread that commits; None while one is in flight or nothing waits."""
        if self._commit is not None or self.failed:
            return None
        self._begin_checkpoint_if_due()
        if self._again is not None:
            self._commit, self._again = self._again, None
        elif self.window:
            self._commit = self._take_window()
        elif self.journal.used_bytes:
            wanted = self.journal.fill_wanted(self.settings.journal_fill_bytes, FILL_SLICE_BYTES)
            if wanted is not None and not self._paused():
                self._commit = Fill(self, *wanted)
        return self._commit

    def _take_window(self) -> Commit:
        window, self.window = self.window, []
        commit = Commit(self)
        for log in window:
            self._dirty[log] = None
            commit.add(log, window)
        if commit.items and not self._find_place(commit):
            commit.go_direct()
        self._bytes_left -= commit.direct_bytes
        self._batches_left -= commit.batches
        return commit

    def _find_place(self, commit: Commit) -> bool:
        commit.place = self.journal.reserve(commit.items)
        if commit.place is None and self._checkpoint is None and self.journal.used_bytes:
            self._begin_checkpoint(before=commit)
            commit.place = self.journal.reserve(commit.items)
        return commit.place is not None

    def committed(self) -> None:
        """The commit that was in flight is entered."""
        self._commit = None

    def recommit(self, commit: Commit) -> None:
        """The journal could not take it after all; it is to be run once more, before any other."""
        self._again = commit

    def start_waits(self, log: PartitionLog) -> None:
        """A new log start found no room in the journal: it waits for the next checkpoint."""
        self._starts_waiting.append(log)
        self.begin_checkpoint()

    # -- chores

    def next_chore(self) -> Work | None:
        """The next work for the thread that does what is not urgent."""
        if self._chore is not None or self.failed or self._paused():
            return None
        self._begin_checkpoint_if_due()
        if self._removals:
            self._chore = self._removals.pop(0)
        elif self._checkpoint is not None:
            self._chore = self._checkpoint.next_work()
        return self._chore

    def chore_done(self) -> None:
        """The chore that was in flight is entered."""
        self._chore = None
        if self._leaving:
            self._leaving = [log for log in self._leaving if not log.remove_folder()]

    def postpone(self, error: OSError) -> None:
        """A chore found no room, or too many open files: try again a little later."""
        logger.warning("housekeeping waits: %s", error)
        self._pause_until = self.clock.monotonic() + CHORE_PAUSE_S

    def _paused(self) -> bool:
        return self._pause_until > 0.0 and self.clock.monotonic() < self._pause_until

    def is_busy_with(self, folder: Path) -> bool:
        """Whether a chore is at work in this folder, or it is about to get another name."""
        if self._chore is not None and self._chore.folder == folder:
            return True
        return any(log.folder == folder for log in self._leaving)

    @property
    def paused_s(self) -> float:
        """How long chores still have to wait."""
        return max(0.0, self._pause_until - self.clock.monotonic()) if self._pause_until > 0.0 else 0.0

    @property
    def hurried(self) -> bool:
        """Whether the checkpoint should end soon, for the next journal file is half full."""
        return self._checkpoint is not None and self.journal.used_bytes * 2 > self.settings.journal_bytes_max

    # -- checkpoints

    def _begin_checkpoint_if_due(self) -> None:
        """Only between two commits: the journal turns, and what is in flight has its place in the old file."""
        if self._checkpoint is not None or self._commit is not None:
            return
        if self._checkpoint_wanted or self._bytes_left <= 0 or self._batches_left <= 0:
            self._begin_checkpoint()

    def begin_checkpoint(self, *, clean: bool = False) -> None:
        """Make a checkpoint soon, unless one is being made. `clean`: it is the last thing before a stop."""
        if self._checkpoint is None:
            self._checkpoint_wanted = True
            self._clean_wanted = clean
            self.wake()

    def begin_checkpoint_for(self, log: PartitionLog) -> None:
        """`log` waits for its next recovery point, to remove segments."""
        self._dirty[log] = None
        self.begin_checkpoint()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight."""
        return self._commit is None and self._chore is None

    def _begin_checkpoint(self, before: Commit | None = None) -> None:
        """Partitions that only `before` has written to belong to the next one: their entries come after the turn."""
        if self.journal.can_turn:
            self.journal.turn()
        later = dict.fromkeys(log for log, *_ in before.ends) if before is not None else {}
        self._checkpoint = Checkpoint(self, list(self._dirty), self.journal.generation, clean=self._clean_wanted)
        self._checkpoint_wanted = False
        self._dirty = later
        self._bytes_left = self.settings.checkpoint_bytes
        self._batches_left = self.settings.checkpoint_batches

    def checkpointed(self, checkpoint: Checkpoint) -> None:
        """Recovery points are replaced: what they cover needs no journal, and old segments may go."""
        self._checkpoint = None
        self.stopped_cleanly = checkpoint.clean
        self.journal.release()
        for log in checkpoint.covered:
            if log.files is not None:
                log.files.made_folder = False
            log.checkpointed()
        here = {removal.topic_id for removal in self._removals if isinstance(removal, FolderRemoval)}
        here |= {log.topic_id for log in self._leaving}
        for topic_id, generation in list(self._forgetting):
            if generation < checkpoint.generation and topic_id not in here:
                self._forgetting.remove((topic_id, generation))
                self.on_forgotten(topic_id)
        waiting, self._starts_waiting = self._starts_waiting, []
        if not checkpoint.clean:  # nothing may change after that; nobody was told of these
            for log in waiting:
                log.join()


def _nobody() -> None:
    pass


def _forgotten(topic_id: TopicId) -> None:
    pass


class Commit:
    """One window on its way to the disk."""

    folder: Path | None = None

    def __init__(self, flusher: Flusher) -> None:
        self._flusher = flusher
        self.items: list[Item] = []
        self.place: Place | None = None
        self.ends: list[tuple[PartitionLog, int, Segment | None, int, int]] = []
        """For each partition: the end that will be durable, where it lies, and a new log start or -1."""
        self.direct_bytes = 0
        self.batches = 0
        self._syncs: list[Sync] = []
        self._seconds = 0.0
        self._no_room = False

    @property
    def is_alone(self) -> bool:
        """Whether it is one small write and nothing else."""
        return self.batches == 1 and len(self.items) == 1 and not self._syncs

    def add(self, log: PartitionLog, window: list[PartitionLog]) -> None:
        """Take what `log` has for this window."""
        settings = self._flusher.settings
        pending, size, start = log.take_pending()
        files = log.files
        active = files.active if files is not None else None
        self.ends.append((log, log.end, active, active.size if active is not None else 0, start))
        if start >= 0:
            self.items.append(Item(journals.LOG_START, log.topic_id, log.index, log.leader_epoch, start, (), 0))
        if not size:
            return
        assert files is not None, "what was appended has files"
        self.batches += max(1, len(pending))
        per_file = settings.direct_bytes_per_file * max(1, len(files.unsynced))
        if len(window) == 1:  # either way is one sync, and this one writes the bytes only once
            per_file //= ALONE
        if size > settings.journal_entry_bytes_max or size > per_file:
            self._syncs.append(files.sync())
            self.direct_bytes += size
        else:
            base = int.from_bytes(pending[0][:8], "big")
            self.items.append(Item(journals.BATCHES, log.topic_id, log.index, log.leader_epoch, base, pending, size))

    def go_direct(self) -> None:
        """The journal has no room: sync the files of all partitions instead. New log starts wait for room."""
        by_id = {(log.topic_id, log.index): log for log, *_ in self.ends}
        starts = [item for item in self.items if item.kind == journals.LOG_START]
        for item in self.items:
            log = by_id[item.topic_id, item.partition]
            if item.kind == journals.BATCHES and log.files is not None:
                self._syncs.append(log.files.sync())
                self.direct_bytes += item.size
        self.items = starts
        self.place = self._flusher.journal.reserve(starts) if starts else None
        if starts and self.place is None:
            self.items = []
            self._put_starts_back()

    def _put_starts_back(self) -> None:
        kept = []
        for log, end, segment, position, start in self.ends:
            if start >= 0:
                log.put_start_back(start)
                self._flusher.start_waits(log)
            kept.append((log, end, segment, position, -1))
        self.ends = kept

    def run(self) -> None:
        flusher = self._flusher
        for sync in self._syncs:
            sync.run(flusher.disk)
        if any(sync.new_folder for sync in self._syncs):
            flusher.disk.sync_folder(flusher.topics)
        if self.place is None:
            return
        started = flusher.clock.monotonic()
        try:
            flusher.journal.write(self.place, self.items)
        except OSError as error:
            if error.errno not in FULL:
                raise SyncFailed(flusher.folder / "journal", error) from error
            self._no_room = True
        self._seconds = flusher.clock.monotonic() - started

    def finish(self) -> None:
        flusher = self._flusher
        flusher.committed()
        for sync in self._syncs:
            sync.done()
            sync.folder_is_named()
        self._syncs = []
        if self._no_room:
            self._commit_directly()
            return
        if self._seconds:
            flusher.sync_seconds += RECENT * (self._seconds - flusher.sync_seconds)
        for log, end, segment, position, start in self.ends:
            log.committed(end, segment, position, start)

    def _commit_directly(self) -> None:
        """The journal could not grow, for the disk is full: the segments hold the same bytes already."""
        flusher = self._flusher
        assert self.place is not None, "only the journal finds no room"
        flusher.journal.take_back(self.place)
        self._no_room = False
        self.place = None
        self.items = [item for item in self.items if item.kind == journals.BATCHES]
        self._put_starts_back()
        self.go_direct()
        flusher.recommit(self)


class Fill:
    """Zeros for the journal, ahead of its use."""

    folder: Path | None = None

    def __init__(self, flusher: Flusher, index: int, at: int, size: int) -> None:
        self._flusher = flusher
        self._what = (index, at, size)
        self._error: OSError | None = None

    def run(self) -> None:
        try:
            self._flusher.journal.fill(*self._what)
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        self._flusher.committed()
        if self._error is not None:
            self._flusher.postpone(self._error)


class Checkpoint:
    """One checkpoint on its way: a step for each partition, and then the recovery points."""

    def __init__(self, flusher: Flusher, logs: list[PartitionLog], generation: int, *, clean: bool) -> None:
        self._flusher = flusher
        self._waiting = logs
        self.generation = generation
        self.clean = clean
        self.covered: list[PartitionLog] = []
        self.new_folders = False
        """Whether the folder of all partitions has names that are not durable yet."""

    def next_work(self) -> Work:
        while self._waiting:
            log = self._waiting.pop()
            if not log.removed and log.files is not None:
                return CheckpointStep(self._flusher, self, log)
        return PointsWrite(self._flusher, self)

    def again(self, log: PartitionLog) -> None:
        """The step could not be made; try it later."""
        self._waiting.append(log)


class CheckpointStep:
    """One partition's part of a checkpoint: afterwards, everything below its new point is in its own files."""

    def __init__(self, flusher: Flusher, checkpoint: Checkpoint, log: PartitionLog) -> None:
        assert log.files is not None, "a partition without files has nothing to sync"
        self._flusher = flusher
        self._checkpoint = checkpoint
        self._log = log
        self.folder: Path | None = log.folder
        self._sync = log.files.sync(indexes=True)
        self._part = log.checkpoint()
        for replacement in (self._part.snapshot, self._part.epochs):
            if replacement is not None:
                self._sync.replace(*replacement)
        checkpoint.new_folders |= self._sync.new_folder
        self._error: OSError | None = None

    def run(self) -> None:
        try:
            self._sync.run(self._flusher.disk)
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        self._flusher.chore_done()
        if self._log.removed:
            return
        if self._error is None:
            self._sync.done()
            self._log.points.made(self._part)
            self._checkpoint.covered.append(self._log)
        else:
            self._sync.undone()
            self._log.checkpoint_failed(self._part)
            self._checkpoint.again(self._log)
            self._flusher.postpone(self._error)


class PointsWrite:
    """The end of a checkpoint: the new recovery points."""

    folder: Path | None = None

    def __init__(self, flusher: Flusher, checkpoint: Checkpoint) -> None:
        self._flusher = flusher
        self._checkpoint = checkpoint
        self._points = [point for log in flusher.logs() if (point := log.points.encoded(log.start)) is not None]
        self._error: OSError | None = None

    def run(self) -> None:
        flusher, checkpoint = self._flusher, self._checkpoint
        try:
            if checkpoint.new_folders:
                flusher.disk.sync_folder(flusher.topics)
            write_recovery_points(
                flusher.disk,
                flusher.folder,
                generation=checkpoint.generation,
                clean=checkpoint.clean,
                epoch_floor=flusher.epoch_floor,
                points=self._points,
            )
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        self._flusher.chore_done()
        if self._error is None:
            self._flusher.checkpointed(self._checkpoint)
        else:
            self._flusher.postpone(self._error)


class FileRemoval:
    """Files of a partition that nobody needs any more."""

    def __init__(self, flusher: Flusher, log: PartitionLog, paths: list[Path]) -> None:
        self._flusher = flusher
        self._log = log
        self._paths = paths
        self._error: OSError | None = None
        self.folder: Path | None = log.folder

    def run(self) -> None:
        try:
            for path in self._paths:
                self._flusher.disk.unlink(path)
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        self._flusher.chore_done()
        if self._error is not None and not self._log.removed:
            self._flusher.postpone(self._error)
            self._flusher.remove(FileRemoval(self._flusher, self._log, self._paths))


class FolderRemoval:
    """The folder of a deleted partition, under the name that no topic can have."""

    def __init__(self, flusher: Flusher, folder: Path, topic_id: TopicId) -> None:
        self._flusher = flusher
        self._error: OSError | None = None
        self.folder: Path | None = folder
        self.topic_id = topic_id

    def run(self) -> None:
        assert self.folder is not None, "it was given one"
        try:
            remove_tree(self._flusher.disk, self.folder)
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        self._flusher.chore_done()
        if self._error is not None and self.folder is not None:
            self._flusher.postpone(self._error)
            self._flusher.remove(FolderRemoval(self._flusher, self.folder, self.topic_id))
