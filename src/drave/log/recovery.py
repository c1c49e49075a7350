"""Recovery of one partition: from what a crash left to what was acknowledged, and perhaps a little more.

    recovery point                          ┌─ the first that is not whole, intact and the next
      ▼                                     ▼
      | batch | batch | batch | batch | ~~~~~~~~~ |       segments: cut there
                      | entry | entry | entry |           journal: the same batches are skipped, others put right
      ├── accepted ───────────────────┤
                              end ────┘

1. Finish `.swap`, drop `.cleaned`.
2. From the recovery point, accept batches with a good length, magic and CRC whose base offset is exactly the next.
   Cut at the first that fails, and delete every later segment, unless the next one begins just there.
3. Take the journal's entries in order. Below the end: skip it when the batch there is the same, else cut there and
   append it, for the journal is right. At the end: append. Above: drop it and all that follow; nobody was told of them.
4. Build index entries past the point; producers are the last snapshot and what follows it; end = max(end, log start).
5. Write what was kept past the point once more, sync it, and its folder: where a sync has failed, the kernel may hold
   pages that it takes for clean and never wrote, and after a restart nobody else would notice.

Nothing is taken away that a second recovery would need, so a crash in the middle of this one does no harm. What only
the old recovery point needs (older producer snapshots) is named, to be removed once the new point is durable.
"""

from __future__ import annotations

import logging
import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from drave import records
from drave.log.compaction_swap import finish_swaps
from drave.log.derived import Derived
from drave.log.files import remove_tree, segment_paths, step_aside
from drave.model.ids import TopicId
from drave.model.log_config import LogConfig
from drave.store.disk import Disk, File, read_whole, write_all, write_whole
from drave.store.journal import BATCHES, LOG_START, Entry
from drave.store.names import (
    LEADER_EPOCHS,
    LOG,
    METADATA,
    TRANSACTION_INDEX,
    decode_metadata,
    encode_metadata,
    offset_name,
    offset_of,
)
from drave.store.recovery_points import RecoveryPoint
from drave.store.segment import POSITION_MAX, Segment, peek, walk

logger = logging.getLogger("drave.log")

NO_ENTRY: Final = 1 << 63
"""Above every offset."""

NO_GAPS: Final = -1

COPY_BYTES: Final = 1 << 20

_LENGTH_END: Final = 12
_OUTLINE: Final = struct.Struct(">qi5xI")
"""Base offset, length and CRC of a batch."""


@dataclass(slots=True)
class Recovered:
    """What became of a partition."""

    point: RecoveryPoint
    looked_into: bool = True
    truncated_bytes: int = 0
    replayed_batches: int = 0
    obsolete: list[Path] = field(default_factory=list)
    """Files that may go once the point is durable."""


class PartitionRecovery:
    """One recovery. `run` does it; the rest are its steps."""

    def __init__(
        self,
        disk: Disk,
        folder: Path,
        topic_id: TopicId,
        index: int,
        config: LogConfig,
        point: RecoveryPoint | None,
        entries: Sequence[Entry],
        *,
        epoch_floor: int,
        now_ms: int,
        looks_closely: bool = False,
        may_be_compacted: bool = False,
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._topic_id = topic_id
        self._index = index
        self._config = config
        self._known = point
        self._point = point
        self._entries = entries
        self._looks_closely = looks_closely
        self._may_be_compacted = may_be_compacted and config.cleanup_compact
        self._epoch_floor = epoch_floor
        self._now_ms = now_ms
        self._gaps_until = NO_GAPS
        """Up to which offset batches may be missing, for compaction took them."""
        self._segments: list[Segment] = []
        self._scanned: list[Segment] = []
        self._from = 0
        """Where the first scanned segment's scan began."""
        self._end = 0
        self._first_entry = min((e.offset for e in entries if e.kind == BATCHES), default=NO_ENTRY)
        self._found: dict[int, tuple[int, int]] = {}
        """CRC and length of every batch that an entry may speak of."""
        self._derived: Derived | None = None
        self._truncated_bytes = 0
        self._replayed = 0
        self._has_folder = False
        self._names_changed = False
        """Whether the folder has to be synced."""

    def run(self) -> Recovered | None:
        """Recover. None when there is nothing: no point, no segment, no entry."""
        names = self._names()
        self._segments = self._open_segments(finish_swaps(self._disk, self._folder, names))
        if self._known is not None and not self._looks_closely and self._is_untouched(self._known):
            epoch = self._known.leader_epoch + 1
            return Recovered(self._known._replace(leader_epoch=epoch, start=self._start()), looked_into=False)
        self._choose_scan()
        if self._point is self._known:
            self._derived = self._begin_derived(self._end)
        self._scan()
        self._replay()
        start = self._start()
        if self._end < start:
            self._cut_all(start)
        if self._known is None and not self._segments and self._end == 0:
            if self._has_folder:
                remove_tree(self._disk, self._folder)
            return None
        return self._save(start)

    # -- 1. what is there

    def _names(self) -> list[str]:
        if not self._disk.exists(self._folder):
            return []
        names = self._disk.list_folder(self._folder)
        if self._known is not None:  # it was ours at the last checkpoint, and then its name was durable
            self._has_folder = True
            return names
        self._names_changed = True
        owner = decode_metadata(read_whole(self._disk, self._folder / METADATA))
        if owner == self._topic_id:
            self._has_folder = True
            return names
        if owner is None and self._is_half_made(names):
            remove_tree(self._disk, self._folder)
        else:
            step_aside(self._disk, self._folder, owner)
        return []

    def _is_half_made(self, names: Sequence[str]) -> bool:
        """Whether a folder that does not say whose it is must be our own, lost before it was ever synced.

        Then all that anybody was told of is in the journal. Without a single good batch it is nothing anyway.
        """
        if self._known is None and self._first_entry < NO_ENTRY:
            return True
        logs = [self._disk.open(self._folder / name) for name in names if name.endswith(LOG)]
        return not any(True for file in logs for _ in walk(file, 0, file.size()))

    def _open_segments(self, names: Sequence[str]) -> list[Segment]:
        segments = []
        for base in sorted(base for name in names if (base := offset_of(name, LOG)) is not None):
            stat = self._disk.stat(self._folder / offset_name(base, LOG))
            segments.append(Segment(self._disk, self._folder, base, stat.size if stat is not None else 0))
            if offset_name(base, TRANSACTION_INDEX) in names:
                segments[-1].aborted.keep()
        return segments

    def _is_untouched(self, point: RecoveryPoint) -> bool:
        """Whether nothing was written since the point, so that the partition need not be looked into."""
        if any(_end_of(entry) > point.offset for entry in self._entries if entry.kind == BATCHES):
            return False
        if not self._segments:
            return point.start == point.offset and self._start() == point.start
        last = self._segments[-1]
        return last.base == point.segment_base and last.size == point.position and self._start() <= point.offset

    def _start(self) -> int:
        first = self._segments[0].base if self._segments and self._known is None else 0
        known = self._known.start if self._known is not None else first
        return max([known, *(entry.offset for entry in self._entries if entry.kind == LOG_START)])

    # -- 2. segments

    def _choose_scan(self) -> None:
        """From where batches have to be checked: the recovery point, or the beginning when it does not fit."""
        point, segments = self._point, self._segments
        if point is not None:
            here = [segment for segment in segments if segment.base >= point.segment_base]
            below = [segment for segment in segments if segment.base < point.segment_base]
            if here and here[0].base == point.segment_base and here[0].size >= point.position:
                self._scanned, self._from, self._end = here, point.position, point.offset
                return
            if point.position == 0 or self._start() >= point.offset:  # there was nothing, or it all went lawfully
                self._scanned, self._end = here, point.offset
                if self._start() >= point.offset:
                    self._delete(below)
                return
            if not segments:
                logger.warning("the files of %s are gone; it goes on, empty, at %d", self._folder, point.offset)
                self._end = point.offset
                return
            logger.warning("%s does not hold what its recovery point says; it is read from its start", self._folder)
        self._point = None
        self._gaps_until = self._compacted()
        self._scanned, self._from = list(segments), 0
        self._end = self._first_base()

    def _compacted(self) -> int:
        """How far a log whose point does not help may have been compacted.

        One that is not known may be Kafka's, or have lost its point. If it is ours and was never checkpointed, a gap is
        what a power cut took, and nothing behind it counts.
        """
        if self._known is not None:
            return self._known.compacted
        return NO_ENTRY if self._may_be_compacted else NO_GAPS

    def _first_base(self) -> int:
        """Where a log begins of which no point is known.

        One that was never checkpointed begins at 0; when its first segments' names were lost, the rest follows on
        nothing. Leader epochs are written when all names are durable: one that has them was written by Kafka, or its
        point was lost, and begins where its first segment does.
        """
        if not self._segments:
            return 0
        base = self._segments[0].base
        if self._known is None and not self._disk.exists(self._folder / LEADER_EPOCHS):
            base = 0
        return min(base, self._first_entry)

    def _scan(self) -> None:
        """A segment ends where the next one begins: what a refused write left behind that is nothing, however good."""
        scanned = self._scanned
        ends = [segment.base for segment in scanned[1:]] + [NO_ENTRY]
        for number, (segment, next_base) in enumerate(zip(scanned, ends, strict=False)):
            at = self._from if number == 0 else 0
            if at == 0 and segment.base != self._end:
                if not self._end < segment.base <= self._gaps_until:
                    self._delete_from(segment)
                    return
                self._end = segment.base
            file = self._disk.open(segment.path)
            at = self._accept(segment, file, at, next_base)
            if at < segment.size:
                self._truncate(segment, file, at)
                if self._end != next_base:
                    if number + 1 < len(scanned):
                        self._delete_from(scanned[number + 1])
                    return

    def _accept(self, segment: Segment, file: File, at: int, next_base: int) -> int:
        """Take the good batches of one segment from `at` on; returns where they end."""
        derived, found, first_entry, gaps_until = self._derived, self._found, self._first_entry, self._gaps_until
        if derived is not None:
            derived.enter(segment, at)
        end = self._end
        for position, header, _ in walk(file, at, segment.size):
            base = header.base_offset
            if base != end and not end < base <= gaps_until:
                break
            if base >= next_base:
                break
            if base >= first_entry:
                found[base] = header.crc, header.length
            if derived is not None:
                derived.take(segment, file, position, header)
            at = position + header.size
            end = header.last_offset + 1
        self._end = end
        return at

    def _truncate(self, segment: Segment, file: File, size: int) -> None:
        self._truncated_bytes += segment.size - size
        file.truncate(size)
        segment.size = size

    def _delete_from(self, segment: Segment) -> None:
        """Delete a segment and all after it."""
        gone = self._segments[self._segments.index(segment) :]
        self._truncated_bytes += sum(each.size for each in gone)
        self._delete(gone)

    def _delete(self, gone: Sequence[Segment]) -> None:
        self._names_changed = True
        for segment in gone:
            for path in segment_paths(self._folder, segment.base):
                self._disk.unlink(path)
        self._segments = [kept for kept in self._segments if kept not in gone]
        self._scanned = [kept for kept in self._scanned if kept not in gone]

    # -- 3. the journal

    def _replay(self) -> None:
        floor = self._point.offset if self._point is not None else 0
        found = self._found
        for entry in self._entries:
            if entry.kind != BATCHES:
                continue
            payload, at, size = entry.payload, 0, len(entry.payload)
            while at < size:
                base, length, crc = _OUTLINE.unpack_from(payload, at)
                begin, at = at, at + _LENGTH_END + length
                if base < floor or (base < self._end and found.get(base) == (crc, length)):
                    continue
                if base < self._end:
                    self._cut(base)
                if base > self._end:
                    return
                self._append(payload[begin:at])

    def _cut(self, offset: int) -> None:
        """Cut at the batch that holds `offset`. What follows from it is built anew at the end."""
        self._derived = None
        number = max(0, bisect_right([segment.base for segment in self._segments], offset) - 1)
        segment = self._segments[number]
        if number + 1 < len(self._segments):
            self._delete_from(self._segments[number + 1])
        file = self._disk.open(segment.path)
        for position, header in peek(file, self._start_of(segment), segment.size):
            if header.last_offset >= offset:
                self._truncate(segment, file, position)
                self._end = header.base_offset
                break
        self._found = {base: each for base, each in self._found.items() if base < self._end}

    def _start_of(self, segment: Segment) -> int:
        """Where the scan of a segment began."""
        return self._from if self._scanned and segment is self._scanned[0] else 0

    def _append(self, batch: memoryview) -> None:
        header = records.parse_header(batch)
        segment = self._segments[-1] if self._segments else None
        full = min(self._config.segment_bytes, POSITION_MAX)
        if segment is None or (segment.size and segment.size + header.size > full):
            segment = self._begin_segment()
        file = self._disk.open(segment.path)
        write_all(file, batch, segment.size)
        if self._derived is not None:
            self._derived.take(segment, file, segment.size, header)
        self._found[header.base_offset] = header.crc, header.length
        segment.size += header.size
        self._end = header.last_offset + 1
        self._replayed += 1

    def _begin_segment(self) -> Segment:
        if not self._has_folder:
            self._make_folder()
        segment = Segment(self._disk, self._folder, self._end)
        self._disk.open(segment.path, create=True).truncate(0)
        if not self._scanned:
            self._from = 0
        self._segments.append(segment)
        self._scanned.append(segment)
        self._names_changed = True
        if self._derived is not None:
            self._derived.enter(segment, 0)
        return segment

    def _make_folder(self) -> None:
        self._names_changed = True
        self._disk.make_folder(self._folder)
        write_whole(self._disk, self._folder / METADATA, encode_metadata(self._topic_id), sync=False)
        self._has_folder = True

    # -- 4. and 5. indexes, producers, epochs, and all of it durable

    def _cut_all(self, start: int) -> None:
        """Everything that is left lies below the log start."""
        if self._segments:
            self._delete_from(self._segments[0])
        self._end = start
        self._derived = None

    def _begin_derived(self, end: int) -> Derived:
        derived = Derived(
            self._disk,
            self._folder,
            self._point,
            index_interval_bytes=self._config.index_interval_bytes,
            now_ms=self._now_ms,
        )
        derived.know_producers(self._known, end)
        if derived.lacks_producers:
            for segment in self._segments:
                here = segment in self._scanned
                derived.take_producers(segment, self._start_of(segment) if here else segment.size)
        return derived

    def _derive_anew(self) -> Derived:
        """From all that was scanned, after a cut."""
        derived = self._begin_derived(self._end)
        for segment in self._scanned:
            at = self._start_of(segment)
            derived.enter(segment, at)
            file = self._disk.open(segment.path)
            for position, header in peek(file, at, segment.size):
                derived.take(segment, file, position, header)
        return derived

    def _save(self, start: int) -> Recovered:
        derived = self._derived or self._derive_anew()
        for segment in self._scanned:
            file = self._disk.open(segment.path)
            _write_again(file, self._start_of(segment), segment.size)
            file.sync()
        if not self._has_folder:
            return Recovered(self._new_point(start, derived, -1), True, self._truncated_bytes, self._replayed)
        if self._known is None:
            self._disk.open(self._folder / METADATA).sync()
            self._disk.sync_folder(self._folder)  # before there are leader epochs: see `_first_base`
        last = self._segments[-1] if self._segments else None
        snapshot, renamed = derived.save(self._scanned, last, start=start, end=self._end)
        if renamed or self._names_changed or not self._only_grew():
            self._disk.sync_folder(self._folder)
        point = self._new_point(start, derived, snapshot)
        return Recovered(point, True, self._truncated_bytes, self._replayed, derived.obsolete(snapshot))

    def _only_grew(self) -> bool:
        """Whether the segment of the point is the only one that was written since."""
        return len(self._scanned) == 1 and self._from > 0

    def _new_point(self, start: int, derived: Derived, snapshot: int) -> RecoveryPoint:
        known = self._known.leader_epoch if self._known is not None else -1
        segments = self._segments
        last = segments[-1] if segments else None
        timestamp, timestamp_offset = self._last_timestamp(last)
        return RecoveryPoint(
            self._topic_id,
            self._index,
            max(known + 1, derived.epochs.latest + 1, self._epoch_floor),
            start if segments else self._end,
            self._end,
            last.base if last is not None else self._end,
            last.size if last is not None else 0,
            sum(segment.size for segment in segments),
            timestamp,
            timestamp_offset,
            segments[0].largest_timestamp()[0] if segments else -1,
            snapshot,
            last.index.flushed() if last is not None else 0,
            last.time_index.flushed() if last is not None else 0,
            derived.producers.first_open,
            len(last.aborted) if last is not None else 0,
            min(self._known.compacted, self._end) if self._known is not None else 0,
        )

    def _last_timestamp(self, last: Segment | None) -> tuple[int, int]:
        if last is None:
            return -1, -1
        point = self._point
        if last.max_timestamp is None and point is not None and point.segment_base == last.base:
            return point.max_timestamp, point.max_timestamp_offset
        return last.largest_timestamp()


def _write_again(file: File, at: int, end: int) -> None:
    """Make the pages of a part of a file dirty, with what they hold."""
    while at < end and (data := file.pread(min(COPY_BYTES, end - at), at)):
        write_all(file, data, at)
        at += len(data)


def _end_of(entry: Entry) -> int:
    """The offset after the batches of an entry."""
    header = records.parse_header(entry.payload)
    at = header.size
    while at < len(entry.payload):
        header = records.parse_header(entry.payload, at)
        at += header.size
    return header.last_offset + 1
