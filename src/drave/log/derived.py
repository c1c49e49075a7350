"""What follows from a partition's batches: indexes, producers, transactions, leader epochs.

Recovery builds it anew past the point.

recovery point ─┐
 known so far   ▼  | batch | batch | batch |      each is taken once, in order
 snapshot, .index, .txnindex, leader-epoch-checkpoint
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from drave.log.epochs import LeaderEpochs
from drave.log.files import snapshot_offsets
from drave.log.producers import Producers
from drave.log.saved import read_epochs, read_producers
from drave.model.errors import DraveError, ProtocolError
from drave.records import BatchHeader, ControlKind, Marker, parse_control, read_records
from drave.store.disk import Disk, File, write_aside
from drave.store.names import LEADER_EPOCHS, SNAPSHOT, offset_name
from drave.store.recovery_points import RecoveryPoint
from drave.store.segment import Segment, peek
from drave.store.transaction_index import AbortedTransaction

logger = logging.getLogger("drave.log")


class Derived:
    """Begins with what is known at the recovery point, or with nothing."""

    def __init__(
        self, disk: Disk, folder: Path, point: RecoveryPoint | None, *, index_interval_bytes: int, now_ms: int
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._point = point
        self._interval = index_interval_bytes
        self._now_ms = now_ms
        self._since = 0
        self._snapshot = -1
        self.producers = Producers()
        self._open: dict[int, int] = {}
        """Where each transaction begins that is open, by producer id: the producers may be of a later moment."""
        self.epochs = self._known_epochs(point.offset if point is not None else 0)
        self.lacks_producers = False
        """Whether the snapshot is damaged, so that all batches have to be looked at for producers."""

    def know_producers(self, known: RecoveryPoint | None, end: int) -> None:
        """Begin with the producers at `known`, if the log still reaches there."""
        if known is None or end < known.offset:
            return
        try:
            self.producers = read_producers(self._disk, self._folder, known.snapshot)
            self._since, self._snapshot = known.offset, known.snapshot
            if known is self._point:
                self._open = dict(self.producers.open_transactions)
        except DraveError as error:
            logger.warning("%s: %s; its producers are looked up in its batches", self._folder, error)
            self.lacks_producers = True

    def _known_epochs(self, end: int) -> LeaderEpochs:
        try:
            epochs = read_epochs(self._disk, self._folder)
        except DraveError as error:
            logger.warning("%s: %s", self._folder, error)
            epochs = LeaderEpochs()
            epochs.changed = True
        epochs.cut_end(end)
        return epochs

    # -- taking batches

    def enter(self, segment: Segment, at: int) -> None:
        """The next batches are those of `segment` from `at` on: keep what its indexes have below, and no more."""
        point = self._point
        if point is not None and at > 0:
            segment.index.keep(point.index_entries)
            segment.time_index.keep(point.time_index_entries)
            segment.aborted.keep(point.transaction_entries)
            segment.max_timestamp, segment.max_timestamp_offset = point.max_timestamp, point.max_timestamp_offset
        else:
            segment.index.clear()
            segment.time_index.clear()
            segment.aborted.clear()
            segment.max_timestamp = -1
        segment.bytes_since_index = 0

    def take(self, segment: Segment, file: File, position: int, header: BatchHeader) -> None:
        """A batch of the log, which lies in `file`."""
        segment.index_batch(position, header, self._interval)
        if header.leader_epoch > self.epochs.latest:
            self.epochs.assign(header.leader_epoch, header.base_offset)
        if header.producer_id >= 0:
            marker = read_marker(file, position, header) if header.is_control else None
            self._take_transaction(segment, header, marker)
            if header.base_offset >= self._since:
                self._take_producer(header, marker)

    def _take_transaction(self, segment: Segment, header: BatchHeader, marker: Marker | None) -> None:
        if marker is not None:
            start = self._open.pop(header.producer_id, None)
            if start is not None and marker.kind is ControlKind.ABORT:
                last = header.last_offset
                stable = next(iter(self._open.values()), last + 1)
                segment.aborted.add(AbortedTransaction(header.producer_id, start, last, stable))
        elif header.is_transactional and not header.is_control:
            self._open.setdefault(header.producer_id, header.base_offset)

    def _take_producer(self, header: BatchHeader, marker: Marker | None) -> None:
        if marker is not None or not header.is_control:
            self.producers.add(header, header.base_offset, self._now_ms, marker)

    def take_producers(self, segment: Segment, end: int) -> None:
        """The producers of a segment's batches up to `end`, for want of a snapshot."""
        file = self._disk.open(segment.path)
        for position, header in peek(file, 0, end):
            if header.producer_id >= 0:
                marker = read_marker(file, position, header) if header.is_control else None
                self._take_producer(header, marker)
        self._open = dict(self.producers.open_transactions)

    # -- keeping it

    def save(self, scanned: Sequence[Segment], last: Segment | None, *, start: int, end: int) -> tuple[int, bool]:
        """Write and sync it all. Returns the offset of the producer snapshot, and whether the folder has to be
        synced for names that have changed."""
        renamed = False
        for segment in scanned:
            if segment is last:
                segment.flush_indexes()
            else:
                segment.close_for_writing()
            segment.aborted.write()
            for index in segment.indexes:
                if index.unsynced:
                    self._disk.open(index.path).sync()
                    renamed = True
        self.epochs.cut_start(start)
        if self.epochs.changed:
            write_aside(self._disk, self._folder / LEADER_EPOCHS, self.epochs.encode())
            renamed = True
        snapshot = self._snapshot
        if self.producers.changes or snapshot < 0:
            snapshot = end if len(self.producers) else -1
            if snapshot >= 0:
                write_aside(self._disk, self._folder / offset_name(snapshot, SNAPSHOT), self.producers.snapshot())
                renamed = True
        return snapshot, renamed

    def obsolete(self, snapshot: int) -> list[Path]:
        """The snapshots that nobody needs once the one at `snapshot` counts."""
        offsets = snapshot_offsets(self._disk.list_folder(self._folder))
        return [self._folder / offset_name(offset, SNAPSHOT) for offset in offsets if offset != snapshot]


def read_marker(file: File, position: int, header: BatchHeader) -> Marker | None:
    """What a control batch says; None when it is no marker, or compaction has left it empty."""
    try:
        for record in read_records(file.pread(header.size, position), header):
            return parse_control(record)
    except ProtocolError as error:
        logger.warning("the control batch at offset %d is passed over: %s", header.base_offset, error)
    return None
