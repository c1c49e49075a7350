"""What the commit thread does: windows made durable, and zeros for the journal.

    window ─▶ Commit ─┬─ journal: entries of many partitions, one sync
                      └─ direct: a partition that wrote much has its own files synced; its bytes skip the journal

Which way a partition's bytes take is chosen for each partition of a window: both ways keep its own order, and no
promise is made across partitions.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from drave.log.files import Sync
from drave.store import journal as journals
from drave.store.disk import FULL, SyncFailed
from drave.store.journal import Item, Place
from drave.store.segment import Segment

if TYPE_CHECKING:
    from drave.log.flusher import Flusher
    from drave.log.partition import PartitionLog

ALONE: Final = 4
"""A partition that is alone in its window is synced directly from so much less on."""


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
        self.bytes = 0
        """What goes to the journal."""
        self.seconds = 0.0
        """How long the journal took; 0 when nothing went there."""
        self._syncs: list[Sync] = []
        self._entries = b""
        self._no_room = False

    @property
    def journal_only(self) -> bool:
        """Whether it is one write to the journal, and nothing else."""
        return self.place is not None and not self._syncs

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
            self.bytes += size

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

    def encode(self) -> None:
        """Make the entries, now that their place is known: while another thread did it, the loop would not get far."""
        if self.place is not None:
            self._entries = journals.encode(self.items, self.place)

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
            flusher.journal.write(self.place, self._entries)
        except OSError as error:
            if error.errno not in FULL:
                raise SyncFailed(flusher.folder / "journal", error) from error
            self._no_room = True
        self.seconds = flusher.clock.monotonic() - started

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
