"""Compaction of one partition: for each key, the last record stays.

    survey    which transactions were aborted                         compaction_transactions.py
    map       the newest offset of each key in what is dirty          compaction_map.py
    rewrite   all segments from the start to where the map ends,      compaction_plan.py, groups
              without the records that have a newer one
    swap      each group's new segment takes the place of the old     compaction_swap.py

Only closed segments are touched that lie wholly before the segment of the recovery point, for recovery never looks
below, and before the first transaction that was open there. Offsets stay; readers that hold an old segment read on from
it. When the map is full, the round ends where it ended, and another one begins there.

Everything that may wait or takes long happens in slices on the lane of the chores, from a generator that is given
all it needs; between two of them commits, checkpoints and everybody else go on. `compacted` moves when all groups of
a round are in place, so that a crash in the middle only means that the round is done again.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from drave import records
from drave.log.compaction_map import OffsetMap
from drave.log.compaction_plan import closed_segments, groups, section
from drave.log.compaction_swap import cleaned_paths, swap_in
from drave.log.compaction_transactions import Aborted
from drave.log.producers import Producers
from drave.log.removal import FileRemoval
from drave.model.errors import DraveError, ProtocolError
from drave.records import BatchHeader
from drave.store.disk import Buffer, Disk, SyncFailed, write_all, write_whole
from drave.store.errors import StorageError
from drave.store.index import OFFSET_ENTRY, TIME_ENTRY, SparseIndex
from drave.store.segment import POSITION_MAX, Segment, walk
from drave.store.transaction_index import encode_transactions

if TYPE_CHECKING:
    from drave.log.flusher import Flusher, Work
    from drave.log.partition import PartitionLog

logger = logging.getLogger("drave.log")

WRITE_BYTES: Final = 256 * 1024


class Task(NamedTuple):
    """A round, as it was decided on the thread that owns the log."""

    disk: Disk
    folder: Path
    name: str
    segments: Sequence[Segment]
    """All that may be rewritten, and those behind them, for their markers."""
    touched: int
    """How many may be rewritten."""
    start: int
    end: int
    limit: int
    """The recovery point: a decision that lies beyond could still be lost."""
    now_ms: int
    delete_retention_ms: int
    index_interval_bytes: int
    segment_bytes: int
    map_bytes_max: int
    slice_bytes: int
    last_offsets: frozenset[int]
    """The last offset of each producer's newest batch, which says what came last; so does the newest marker of one that
    has no batch: its epoch."""
    marker_epochs: dict[int, int]


class Rewritten(NamedTuple):
    """A group's new segment, whole and synced under its `.cleaned` names."""

    old: Sequence[Segment]
    size: int
    max_timestamp: int
    max_timestamp_offset: int


class Round:
    """What happens beside the loop. `steps` is run a slice at a time, and yields True or a group to be swapped."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._aborted = Aborted()
        self._map = OffsetMap(task.start, task.end - task.start, task.map_bytes_max)
        self._with_data: set[int] = set()
        """Producers whose open transaction has left a batch behind."""
        self._left_in_slice = task.slice_bytes
        self.writing: Sequence[Path] = ()
        """The files of the segment that is being written."""

    @property
    def end(self) -> int:
        """Where the map ended."""
        return self._map.end

    def steps(self) -> Iterator[Rewritten | bool]:
        task = self._task
        yield from self._aborted.survey(task.segments, task.start, task.end, task.limit)
        yield from self._fill_map()
        rewritable = [segment for segment in task.segments[: task.touched] if segment.base < self._map.end]
        end = task.segments[len(rewritable)].base
        for group in groups(rewritable, end, min(task.segment_bytes, POSITION_MAX)):
            yield from self._rewrite(group)

    def _slice_ended(self, size: int) -> bool:
        """Whether it is time to let others go on, after so many bytes more."""
        self._left_in_slice -= size
        if self._left_in_slice > 0:
            return False
        self._left_in_slice = self._task.slice_bytes
        return True

    # -- the map

    def _fill_map(self) -> Iterator[bool]:
        task, offsets = self._task, self._map
        for segment, after in zip(task.segments[: task.touched], task.segments[1:], strict=False):
            if after.base <= task.start:
                continue
            file = segment.open()
            at = segment.locate(file, task.start, now=False)
            for position, header, batch in walk(file, at, segment.size):
                at = position + header.size
                if not self._enter(header, batch):
                    return
                if self._slice_ended(header.size):
                    yield True
            self._must_be_whole(segment, at)
            offsets.end = after.base

    def _enter(self, header: BatchHeader, batch: Buffer) -> bool:
        """Take the keys of one batch. False when the map is full."""
        offsets = self._map
        if header.count and not header.is_control and not self._aborted.has(header):
            base, start = header.base_offset, self._task.start
            for each in self._outline(header, batch)[1]:
                offset = base + each.offset_delta
                if each.key is not None and offset >= start and not offsets.put(each.key, offset):
                    offsets.end = offset
                    return False
        return True

    def _outline(self, header: BatchHeader, batch: Buffer) -> tuple[bytes, list[records.Outline]]:
        try:
            return records.outline(header, batch)
        except ProtocolError as error:
            logger.warning("%s: the batch at %d stays as it is: %s", self._task.name, header.base_offset, error)
            return b"", []

    def _must_be_whole(self, segment: Segment, at: int) -> None:
        if at != segment.size:
            raise StorageError(str(segment.path), f"what lies at byte {at} is not the batch that was written there")

    # -- rewriting

    def _rewrite(self, group: Sequence[Segment]) -> Iterator[Rewritten | bool]:
        task = self._task
        self.writing = cleaned_paths(task.folder, group[0].base)
        writer = _Writer(task, group[0].base, self.writing)
        changed = len(group) > 1
        for segment in group:
            file = segment.open()
            at = 0
            for position, header, batch in walk(file, 0, segment.size):
                at = position + header.size
                left = self._left_of(header, batch)
                if left is None and segment is group[-1] and at == segment.size:
                    left = records.keep(header, b"", ())  # the new segment has to end where the old ones did
                changed = changed or left is not batch
                if left is not None:
                    writer.add(left)
                if self._slice_ended(header.size):
                    yield True
            self._must_be_whole(segment, at)
        yield True
        if changed:
            yield writer.finish(group)
        else:
            writer.drop()

    def _left_of(self, header: BatchHeader, batch: Buffer) -> Buffer | None:
        """What stays of a batch: all of it, another one, or nothing."""
        if header.base_offset >= self._map.end:
            return batch
        if header.is_control:
            return self._left_of_marker(header, batch)
        if header.is_transactional:
            self._with_data.add(header.producer_id)
        if not header.count or self._aborted.has(header):
            return self._emptied(header)
        data, found = self._outline(header, batch)
        if not found:
            return batch
        task, map_end, newest = self._task, self._map.end, self._map.newest
        horizon = records.delete_horizon(header)
        is_past_horizon = horizon is not None and horizon <= task.now_ms
        kept, has_tombstone = [], False
        for each in found:
            offset = header.base_offset + each.offset_delta
            if offset < map_end:
                if each.key is None or newest(each.key) > offset or (each.is_tombstone and is_past_horizon):
                    continue
                has_tombstone = has_tombstone or each.is_tombstone
            kept.append(each)
        if not kept:
            return self._emptied(header)
        if has_tombstone and horizon is None:
            return records.keep(header, data, kept, horizon=task.now_ms + task.delete_retention_ms)
        return batch if len(kept) == len(found) else records.keep(header, data, kept)

    def _left_of_marker(self, header: BatchHeader, batch: Buffer) -> Buffer | None:
        """A marker stays while anything of its transaction does, and then until its delete horizon."""
        task, producer_id = self._task, header.producer_id
        has_data = producer_id in self._with_data
        self._with_data.discard(producer_id)
        if header.count:
            horizon = records.delete_horizon(header)
            if has_data or (horizon is not None and task.now_ms < horizon):
                return batch
            if horizon is None:
                data, found = records.outline(header, batch)
                return records.keep(header, data, found, horizon=task.now_ms + task.delete_retention_ms)
        if task.marker_epochs.get(producer_id) == header.producer_epoch:
            return records.keep(header, b"", ())
        return None

    def _emptied(self, header: BatchHeader) -> Buffer | None:
        """Nothing, or the header alone, where it is the last that is known of its producer."""
        is_last = header.producer_id >= 0 and header.last_offset in self._task.last_offsets
        return records.keep(header, b"", ()) if is_last else None


class _Writer:
    """A new segment with its indexes, under their `.cleaned` names."""

    def __init__(self, task: Task, base: int, paths: Sequence[Path]) -> None:
        self._disk = task.disk
        self._interval = task.index_interval_bytes
        self._paths = paths
        for path in self._paths[1:]:
            task.disk.unlink(path)
        self._file = task.disk.open(self._paths[0], create=True)
        self._file.truncate(0)
        self._waiting = bytearray()
        self._markers: set[int] = set()
        segment = self._segment = Segment(task.disk, task.folder, base)
        segment.max_timestamp = -1
        segment.index = SparseIndex(task.disk, self._paths[1], OFFSET_ENTRY, flushed=0)
        segment.time_index = SparseIndex(task.disk, self._paths[2], TIME_ENTRY, flushed=0)

    def add(self, batch: Buffer) -> None:
        segment = self._segment
        header = records.parse_header(batch)
        segment.index_batch(segment.size, header, self._interval)
        segment.size += header.size
        if header.is_control and header.count:
            self._markers.add(header.last_offset)
        self._waiting += batch
        if len(self._waiting) >= WRITE_BYTES:
            self._write()

    def _write(self) -> None:
        write_all(self._file, self._waiting, self._segment.size - len(self._waiting))
        self._waiting = bytearray()

    def finish(self, group: Sequence[Segment]) -> Rewritten:
        """All of it on the disk."""
        segment = self._segment
        if segment.size > POSITION_MAX:
            raise StorageError(str(segment.path), "it would grow past what a segment may hold")
        self._write()
        segment.close_for_writing()
        if segment.index.pending or segment.time_index.pending:
            raise OSError(errno.ENOSPC, "there is no room for an index")
        aborted = [each for old in group for each in old.aborted.entries() if each.last_offset in self._markers]
        if aborted:  # who reads is told of a transaction while its marker ends it
            write_whole(self._disk, self._paths[3], encode_transactions(aborted))
        self._file.sync()
        for index in (segment.index, segment.time_index):
            if index.unsynced:
                self._disk.open(index.path).sync()
        assert segment.max_timestamp is not None, "it began as none"
        return Rewritten(group, segment.size, segment.max_timestamp, segment.max_timestamp_offset)

    def drop(self) -> None:
        """Nothing would change."""
        for path in self._paths:
            self._disk.unlink(path)


class Compaction:
    """One partition's, round after round until nothing more is due. `next_work` gives the slices, one at a time."""

    def __init__(self, flusher: Flusher, log: PartitionLog) -> None:
        self._flusher = flusher
        self.log = log
        self.folder = log.folder
        self._round: Round | None = None
        self._steps: Iterator[Rewritten | bool] = iter(())
        self._swap: Rewritten | None = None
        self._end = -1
        self._bytes_before = 0

    def next_work(self) -> Work | None:
        """None when there is nothing more to do."""
        if self.log.removed:
            return None
        if self._swap is not None:
            return Swap(self._flusher, self, self._swap)
        if self._round is None and not self._begin():
            return None
        return Slice(self._flusher, self)

    def _begin(self) -> bool:
        """Decide on a round; False when there is nothing to do."""
        flusher, log = self._flusher, self.log
        files, config = log.files, log.config
        if files is None or not config.cleanup_compact:
            return False
        now_ms = flusher.clock.wall_ms()
        start = max(log.compacted, log.start)
        stable = min(log.last_stable, log.points.settled)
        wanted = section(closed_segments(files.segments), start, stable, config, now_ms)
        segments = files.segments[files.at(log.start) :]
        count = sum(1 for segment in segments[1:] if segment.base <= wanted.end)
        if not wanted.dirty_bytes or not files.may_replace(segments[:count]):
            return False
        task = Task(
            flusher.disk, self.folder, str(log), segments, count, start, wanted.end, log.points.offset, now_ms,
            config.delete_retention_ms, config.index_interval_bytes, config.segment_bytes,
            flusher.settings.cleaner_map_bytes, flusher.settings.cleaner_slice_bytes, *_newest(log.producers),
        )  # fmt: skip
        self._bytes_before = files.size_bytes
        self._end = wanted.end
        self._round = Round(task)
        self._steps = self._round.steps()
        return True

    # -- the lane's side

    def step(self) -> Rewritten | bool:
        """One slice. False after the last one."""
        return next(self._steps, False)

    # -- what the slices found, on the flusher's thread

    def stepped(self, found: Rewritten | bool) -> None:
        """A slice has ended."""
        if isinstance(found, Rewritten):
            files = self.log.files
            if files is not None and files.may_replace(found.old):
                files.begin_replacing(found.old)
                self._swap = found
            else:  # somebody deleted records meanwhile
                self.give_up()
        elif found is False:
            self._round_ended()

    def swapped(self, rewritten: Rewritten) -> None:
        """The new segment is in place."""
        files, log = self.log.files, self.log
        assert files is not None, "what is compacted has files"
        self._swap = None
        segment = Segment(self._flusher.disk, self.folder, rewritten.old[0].base, rewritten.size)
        segment.synced_size = rewritten.size
        segment.max_timestamp = rewritten.max_timestamp
        segment.max_timestamp_offset = rewritten.max_timestamp_offset
        segment.aborted.keep()
        files.replace(rewritten.old, segment)
        self._flusher.touched(log)

    def _round_ended(self) -> None:
        log, finished = self.log, self._round
        assert finished is not None, "it has ended"
        log.compacted = max(log.compacted, finished.end)
        self._flusher.touched(log)
        logger.debug("%s: compacted %d bytes to %d", log, self._bytes_before, log.size_bytes)
        self._round = None
        if finished.end >= self._end:
            self._flusher.compacted(log)

    def give_up(self) -> None:
        """What was not finished goes; another round will do it again."""
        flusher, log = self._flusher, self.log
        flusher.compacted(log)
        if self._round is not None and self._swap is None and not log.removed:
            flusher.remove(FileRemoval(flusher, log, [*self._round.writing]))
        self._round = None


def _newest(producers: Producers) -> tuple[frozenset[int], dict[int, int]]:
    offsets = frozenset(producer.batches[-1].last_offset for _, producer in producers if producer.batches)
    epochs = {producer_id: producer.epoch for producer_id, producer in producers if not producer.batches}
    return offsets, epochs


class Slice:
    """A piece of a round."""

    def __init__(self, flusher: Flusher, compaction: Compaction) -> None:
        self._flusher = flusher
        self._compaction = compaction
        self.folder: Path | None = compaction.folder
        self._found: Rewritten | bool = True
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._found = self._compaction.step()
        except SyncFailed:
            raise
        except (OSError, DraveError) as error:
            self._error = error

    def finish(self) -> None:
        flusher, compaction = self._flusher, self._compaction
        flusher.chore_done()
        if compaction.log.removed:
            return
        if isinstance(self._error, OSError):
            flusher.postpone(self._error)
        elif self._error is not None:
            logger.error("%s is not compacted any more: %s", compaction.log, self._error)
            flusher.never_compact(compaction.log)
        if self._error is not None or flusher.refusal is not None:
            compaction.give_up()
        else:
            compaction.stepped(self._found)


class Swap:
    """A rewritten segment takes the place of the old ones. It has to end well, however often it is tried."""

    def __init__(self, flusher: Flusher, compaction: Compaction, rewritten: Rewritten) -> None:
        self._flusher = flusher
        self._compaction = compaction
        self._rewritten = rewritten
        self.folder: Path | None = compaction.folder
        self._error: OSError | None = None

    def run(self) -> None:
        old, compaction = self._rewritten.old, self._compaction
        try:
            for segment in old:
                segment.hold()
            swap_in(self._flusher.disk, compaction.folder, old[0].base, [segment.base for segment in old])
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        self._flusher.chore_done()
        if self._compaction.log.removed:
            return
        if self._error is not None:
            self._flusher.postpone(self._error)
        else:
            self._compaction.swapped(self._rewritten)
