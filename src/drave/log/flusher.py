"""What makes appended batches durable: windows are committed, and now and then a checkpoint is made.

    append ─▶ window ─▶ Commit ─▶ high watermark, replies                       commit.py
    journal file full, or much written past it ─▶ Checkpoint                    checkpoint.py
    segments below the log start, deleted topics ─▶ FileRemoval, FolderRemoval  removal.py
    a partition with enough that is out of date ─▶ Compaction                   compaction.py

The flusher decides and keeps the books; it never waits. What may wait is a `Work`: `run` is called once, on whatever
thread, and then `finish` on the flusher's own. Whoever drives it (threads, or a test, step by step) keeps one commit
and one chore in flight at most.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from drave.log.checkpoint import Checkpoint
from drave.log.commit import Commit, Fill
from drave.log.compaction import Compaction
from drave.log.errors import LogClosed
from drave.log.removal import FileRemoval, FolderRemoval
from drave.model.clock import Clock
from drave.model.ids import TopicId
from drave.model.storage_settings import StorageSettings
from drave.store.disk import Disk
from drave.store.journal import Journal

if TYPE_CHECKING:
    from drave.log.partition import PartitionLog

logger = logging.getLogger("drave.log")

FILL_SLICE_BYTES: Final = 256 * 1024
CHORE_PAUSE_S: Final = 1.0
"""How long a chore waits that found the disk full."""


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
        self.waiting = 0
        """Batches that wait for the next commit."""
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
        self._compactions: dict[PartitionLog, Compaction] = {}
        self._never_compact: set[PartitionLog] = set()
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
        self._compactions.pop(log, None)
        self._never_compact.discard(log)
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
        elif self.window and not self._fills_first:
            self._commit = self._take_window()
        elif self.journal.used_bytes:
            wanted = self.journal.fill_wanted(self.settings.journal_fill_bytes, FILL_SLICE_BYTES)
            if wanted is not None and not self._paused():
                self._commit = Fill(self, *wanted)
        return self._commit

    @property
    def _fills_first(self) -> bool:
        """Writers who never rest have used up what was filled. A sync that makes a file longer takes twice as long."""
        return self.journal.is_used_up and self.settings.journal_fill_bytes > 0 and not self._paused()

    def _take_window(self) -> Commit:
        window, self.window = self.window, []
        self.waiting = 0
        commit = Commit(self)
        for log in window:
            self._dirty[log] = None
            commit.add(log, window)
        if commit.items and not self._find_place(commit):
            commit.go_direct()
        commit.encode()
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
        elif self._compactions:
            self._chore = self._next_slice()
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

    # -- compaction

    def compact(self, log: PartitionLog) -> None:
        """Compact a partition after those that wait already."""
        if log not in self._never_compact and self.refusal is None:
            self._compactions.setdefault(log, Compaction(self, log))
            self.wake()

    def is_compacting(self, log: PartitionLog) -> bool:
        return log in self._compactions

    def compacted(self, log: PartitionLog) -> None:
        """There is nothing more to do in it, or not now."""
        self._compactions.pop(log, None)

    def never_compact(self, log: PartitionLog) -> None:
        """It is damaged: nothing of it may be lost by rewriting it, until somebody has looked and started anew."""
        self._never_compact.add(log)

    def _next_slice(self) -> Work | None:
        if self._checkpoint_wanted:  # perhaps for its sake
            return None
        if self.refusal is not None:
            for compaction in list(self._compactions.values()):
                compaction.give_up()
            return self._removals.pop(0) if self._removals else None
        for log, compaction in list(self._compactions.items()):
            work = compaction.next_work()
            if work is not None:
                return work
            self._compactions.pop(log, None)
        return None

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
