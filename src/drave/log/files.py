"""The files of one partition: its segments, which of them still have to be synced, and which names.

    segments   | closed | closed | active |          batches are appended to the active one
    unsynced              ^^^^^^^^^^^^^^^^           written since their last sync; a rolled one stays here until then

A partition without records has no files and no PartitionFiles. Everything here runs on the thread that owns the log,
except `Sync.run`, which is given what it needs and touches nothing else.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from drave.model.errors import DraveError
from drave.model.ids import TopicId, topic_id_text
from drave.store.disk import Buffer, Disk, File, beside, read_whole, write_all, write_whole
from drave.store.index import SparseIndex
from drave.store.names import (
    INDEX,
    LOG,
    METADATA,
    SNAPSHOT,
    STRAY,
    SWAP,
    TIME_INDEX,
    TRANSACTION_INDEX,
    decode_metadata,
    encode_metadata,
    offset_name,
    offset_of,
)
from drave.store.recovery_points import RecoveryPoint
from drave.store.segment import FilePool, Segment
from drave.store.transaction_index import TransactionIndex, TransactionView

logger = logging.getLogger("drave.log")


class FilesChanged(DraveError):
    """The folder does not hold what the last clean stop left there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def __str__(self) -> str:
        return f"{self.folder} does not hold what the broker left there"


class SegmentSync(NamedTuple):
    """One segment file to be synced. `file` is None when it has to be opened for that."""

    segment: Segment
    file: File | None
    size: int
    cuts: int


class Entries(NamedTuple):
    """Entries to be written to an index of aborted transactions, all of which have to be there."""

    into: TransactionIndex
    data: bytes
    at: int
    number: int


class Sync:
    """What has to reach the disk before a partition's bytes are durable in its segments.

    When the folder is new, its own name has to be synced besides: once for many partitions, by whoever calls `run`.

    `run` where it may wait; before it and after it, on the thread that owns the log: the constructor, then `done` or
    `undone`.
    """

    __slots__ = (
        "_entries",
        "_folder_too",
        "_indexes",
        "_names_made",
        "_owner",
        "_replacements",
        "_segments",
        "new_folder",
    )

    def __init__(
        self, owner: PartitionFiles, segments: list[Segment], indexes: list[SparseIndex | TransactionIndex]
    ) -> None:
        self._owner = owner
        self._segments = [SegmentSync(segment, segment.file, segment.size, segment.cuts) for segment in segments]
        self._indexes = indexes
        self._entries = [
            Entries(index, *index.to_write(), index.pending)
            for index in indexes
            if isinstance(index, TransactionIndex) and index.pending
        ]
        self._replacements: list[tuple[Path, Buffer]] = []
        self._names_made = owner.names_made
        self._folder_too = owner.names_made > owner.names_synced or bool(indexes)
        self.new_folder = owner.made_folder
        """Whether the folder of all partitions has to be synced too."""
        for index in indexes:
            index.unsynced = False

    def replace(self, path: Path, data: Buffer) -> None:
        """Have a file of the folder replaced on the way."""
        self._replacements.append((path, data))
        self._folder_too = True

    def run(self, disk: Disk) -> None:
        """All of it. Raises SyncFailed; OSError when a file cannot be opened."""
        try:
            self.write(disk)
            self.sync(disk)
            self.name(disk)
        except FileNotFoundError:
            if not self._owner.removed:
                raise

    # Its phases: many partitions may go through each of them together. They raise what `run` does, and also
    # FileNotFoundError where the partition was removed meanwhile.

    def write(self, disk: Disk) -> None:
        """Write what is not written yet."""
        for index, data, at, _ in self._entries:
            write_all(disk.open(index.path, create=True), data, at)
        for path, content in self._replacements:
            write_whole(disk, beside(path), content, sync=False)

    def sync(self, disk: Disk) -> None:
        """Sync every file, and let what was written beside the old ones take their place."""
        for segment, file, _, _ in self._segments:
            self._sync(disk, segment.path, file)
        for each in self._indexes:
            self._sync(disk, each.path, None)
        folder = self._owner.folder
        if self.new_folder:
            self._sync(disk, folder / METADATA, None)
            disk.sync_folder(folder)  # recovery takes leader epochs for a sign that no segment's name was lost
        for path, _ in self._replacements:
            disk.open(beside(path)).sync()
            disk.rename(beside(path), path)

    def name(self, disk: Disk) -> None:
        """Sync the names."""
        if self._replacements or (self._folder_too and not self.new_folder):
            disk.sync_folder(self._owner.folder)

    def _sync(self, disk: Disk, path: Path, file: File | None) -> None:
        try:
            (file or disk.open(path)).sync()
        except FileNotFoundError:
            if self._owner.owns(path):  # else it was dropped meanwhile, and nobody will ask for it again
                raise

    def done(self) -> None:
        """It was synced."""
        owner = self._owner
        for segment, _, size, cuts in self._segments:
            if cuts == segment.cuts:
                segment.synced_size = max(segment.synced_size, size)
        still = []
        for segment in owner.unsynced:
            segment.unsynced = segment.size > segment.synced_size
            if segment.unsynced:
                still.append(segment)
        owner.unsynced = still
        for index, _, _, count in self._entries:
            index.wrote(count)
        if self._indexes:
            owner.rolled = [segment for segment in owner.rolled if segment.indexes_unsynced]
        owner.names_synced = max(owner.names_synced, self._names_made)

    def folder_is_named(self) -> None:
        """The folder of all partitions was synced afterwards."""
        if self.new_folder:
            self._owner.made_folder = False

    def undone(self) -> None:
        """It could not even be tried."""
        for index in self._indexes:
            index.unsynced = True


class PartitionFiles:
    """Segments in the order of their offsets. `segments` and `bases` are replaced, never changed: readers on other
    threads may hold them."""

    __slots__ = (
        "_disk",
        "_pool",
        "active",
        "bases",
        "folder",
        "made_folder",
        "names_made",
        "names_synced",
        "removed",
        "replacing",
        "rolled",
        "segments",
        "unsynced",
    )

    def __init__(self, disk: Disk, pool: FilePool, folder: Path) -> None:
        self._disk = disk
        self._pool = pool
        self.folder = folder
        self.segments: list[Segment] = []
        self.bases: list[int] = []
        self.active: Segment | None = None
        self.unsynced: list[Segment] = []
        self.rolled: list[Segment] = []
        """Those that stopped growing, while their indexes may have to be synced."""
        self.names_made = 0
        self.names_synced = 0
        self.made_folder = False
        """Whether this life has created the folder, and its name may not be durable."""
        self.removed = False
        self.replacing: Sequence[Segment] = ()
        """Those that compaction is about to replace: their names are not theirs alone any more."""

    # -- coming to life

    def load(self, point: RecoveryPoint) -> None:
        """Open what a checkpoint left, without reading it. Raises FilesChanged when something else lies there."""
        try:
            names = self._disk.list_folder(self.folder)
        except FileNotFoundError:
            names = []
        if any(name.endswith(SWAP) for name in names):  # the stop came while the disk refused what was left to do
            raise FilesChanged(self.folder)
        named = set(names)
        bases = sorted(base for name in names if (base := offset_of(name, LOG)) is not None)
        if not bases and point.start == point.offset:
            return
        segments = []
        for base in bases:
            stat = self._disk.stat(self.folder / offset_name(base, LOG))
            segments.append(Segment(self._disk, self.folder, base, stat.size if stat else 0))
            segments[-1].synced_size = segments[-1].size
            if offset_name(base, TRANSACTION_INDEX) in named:
                segments[-1].aborted.keep()
        if not segments or segments[-1].base != point.segment_base or segments[-1].size != point.position:
            raise FilesChanged(self.folder)
        active = segments[-1]
        active.index.keep(point.index_entries)
        active.time_index.keep(point.time_index_entries)
        active.aborted.keep(point.transaction_entries)
        active.max_timestamp, active.max_timestamp_offset = point.max_timestamp, point.max_timestamp_offset
        self._set(segments)

    def _set(self, segments: list[Segment]) -> None:
        self.segments = segments
        self.bases = [segment.base for segment in segments]
        self.active = segments[-1] if segments else None

    def make_folder(self, topic_id: TopicId) -> None:
        """The folder and the file that says whose it is. A folder of somebody else under our name steps aside."""
        metadata = self.folder / METADATA
        if self._disk.exists(self.folder):
            owner = decode_metadata(read_whole(self._disk, metadata))
            stranger = owner is not None or any(name.endswith(LOG) for name in self._disk.list_folder(self.folder))
            if owner != topic_id and stranger:
                step_aside(self._disk, self.folder, owner)
        self._disk.make_folder(self.folder)
        write_whole(self._disk, metadata, encode_metadata(topic_id), sync=False)
        self.made_folder = True
        self.names_made += 1

    # -- growing

    def roll(self, base: int) -> Segment:
        """Begin a new active segment. OSError when the disk has no room for it."""
        segment = Segment(self._disk, self.folder, base)
        self._pool.open(segment, create=True)
        segment.begin()
        self.names_made += 1
        if self.active is not None:
            self.active.close_for_writing()
            self.rolled.append(self.active)
        self._set([*self.segments, segment])
        return segment

    def file(self, segment: Segment) -> File:
        """The open file of a segment."""
        segment.recent = True
        return segment.file or self._pool.open(segment)

    @property
    def size_bytes(self) -> int:
        return sum(segment.size for segment in self.segments)

    # -- finding

    def at(self, offset: int) -> int:
        """The number of the segment that holds `offset`."""
        return max(0, bisect_right(self.bases, offset) - 1)

    def aborted_since(self, number: int) -> list[TransactionView]:
        """The aborted transactions whose markers lie in the segment with this number, or in a later one."""
        return [segment.aborted.view() for segment in self.segments[number:] if len(segment.aborted)]

    # -- syncing

    def written(self, segment: Segment) -> None:
        """Take note that `segment` has bytes to be synced; the caller knows that it had none."""
        segment.unsynced = True
        self.unsynced.append(segment)

    def sync(self, *, indexes: bool = False) -> Sync:
        """What has to be synced now; with `indexes`, those too."""
        stale: list[SparseIndex | TransactionIndex] = []
        if indexes:
            for segment in [*self.rolled, *self.segments[-1:]]:
                segment.flush_indexes()
                stale.extend(index for index in (segment.index, segment.time_index) if index.unsynced)
                if segment.aborted.pending or segment.aborted.unsynced:
                    stale.append(segment.aborted)
        return Sync(self, [segment for segment in self.unsynced if segment.size > segment.synced_size], stale)

    def owns(self, path: Path) -> bool:
        """Whether a file of this name still belongs to the partition. From any thread."""
        if self.removed:
            return False
        return any(path in segment_paths(self.folder, segment.base) for segment in self.segments)

    # -- shrinking

    def has_droppable(self, start: int) -> bool:
        """Whether a closed segment lies wholly below `start`."""
        return len(self.bases) > 1 and self.bases[1] <= start

    def drop(self, start: int, durable: int) -> list[Path]:
        """Let go of closed segments wholly below both offsets; returns the files to be removed."""
        count = 0
        while count + 1 < len(self.segments) and self.bases[count + 1] <= min(start, durable):
            if self.segments[count] in self.replacing:
                break
            count += 1
        dropped = self.segments[:count]
        if not dropped:
            return []
        self._set(self.segments[count:])
        self.unsynced = [segment for segment in self.unsynced if segment not in dropped]
        self.rolled = [segment for segment in self.rolled if segment not in dropped]
        for segment in dropped:
            self._pool.forget(segment)
        return [path for segment in dropped for path in segment_paths(self.folder, segment.base)]

    # -- compaction

    def may_replace(self, old: Sequence[Segment]) -> bool:
        """Whether these still are neighbours here, closed, and wait for no sync."""
        if self.removed or old[0] not in self.segments:
            return False
        first = self.segments.index(old[0])
        is_closed = first + len(old) < len(self.segments)
        busy = any(segment in self.unsynced or (segment in self.rolled and segment.indexes_unsynced) for segment in old)
        return is_closed and not busy and self.segments[first : first + len(old)] == list(old)

    def begin_replacing(self, old: Sequence[Segment]) -> None:
        """Their names are about to lead to another one: nothing is written or removed under these any more."""
        self.replacing = old
        self.rolled = [segment for segment in self.rolled if segment not in old]

    def replace(self, old: Sequence[Segment], new: Segment) -> None:
        """`new` has the names of the first of `old`, and stands for all of them. Who reads them reads on."""
        first = self.segments.index(old[0])
        self._set([*self.segments[:first], new, *self.segments[first + len(old) :]])
        self.replacing = ()
        for segment in old:
            self._pool.forget(segment)

    def forget(self) -> None:
        """The partition is gone: nobody will ask for its files again."""
        self.removed = True
        for segment in self.segments:
            self._pool.forget(segment)


def segment_paths(folder: Path, base: int) -> Sequence[Path]:
    """Every file that belongs to one segment; the log goes first, for an index without a log is no harm."""
    return [folder / offset_name(base, suffix) for suffix in (LOG, INDEX, TIME_INDEX, TRANSACTION_INDEX)]


def snapshot_offsets(names: Sequence[str]) -> list[int]:
    """The offsets of the producer snapshots among `names`, rising."""
    return sorted(offset for name in names if (offset := offset_of(name, SNAPSHOT)) is not None)


def step_aside(disk: Disk, folder: Path, owner: TopicId | None) -> None:
    """Rename a folder that is not ours, so that nothing in it is lost and its name is free."""
    whose = topic_id_text(owner) if owner is not None else "unknown"
    aside = folder.with_name(f"{folder.name}.{whose}{STRAY}")
    number = 1
    while disk.exists(aside):
        number += 1
        aside = folder.with_name(f"{folder.name}.{whose}.{number}{STRAY}")
    logger.warning("%s belongs to topic id %s, which is not this topic's; it is kept as %s", folder, whose, aside.name)
    disk.rename(folder, aside)
    disk.sync_folder(folder.parent)


def remove_tree(disk: Disk, folder: Path) -> None:
    """Remove a folder that has its last name; nothing when it is gone. It holds no folders.

    The name has to be durable first: without its content, nobody could tell whose it was under the old one.
    """
    if disk.exists(folder):
        disk.sync_folder(folder.parent)
        for name in disk.list_folder(folder):
            disk.unlink(folder / name)
        disk.remove_folder(folder)
        disk.sync_folder(folder.parent)
