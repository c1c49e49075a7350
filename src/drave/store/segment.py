"""One segment: a run of batches, and the indexes that find them.

    …0400.log        | batch 400..417 | batch 418..430 | …
    …0400.index      430 → byte 16384                      sparse: one entry after so many bytes
    …0400.timeindex  the largest timestamp so far → 430
    …0400.txnindex   the transactions that were aborted here, if any

The .log alone is the truth; the others are built from it. Bytes below `size` are batches; bytes above it, which a
refused write may have left, are nothing and are overwritten. Only the newest segment of a partition is written to.
"""

from __future__ import annotations

import logging
import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from drave import records
from drave.model.errors import ProtocolError
from drave.records import BatchHeader
from drave.store.disk import Buffer, Disk, File, WouldBlock
from drave.store.errors import StorageError
from drave.store.index import OFFSET_ENTRY, PENDING_MAX, TIME_ENTRY, SparseIndex
from drave.store.names import INDEX, LOG, TIME_INDEX, offset_name
from drave.store.transaction_index import TransactionIndex

logger = logging.getLogger("drave.store")

POSITION_MAX: Final = (1 << 31) - 1
"""Positions in a segment and offsets relative to its base fit into 31 bits, as in Kafka's files."""

NO_TIMESTAMP: Final = -1
HINTS_MAX: Final = 64
LOCATE_BYTES: Final = 8 * 1024
WALK_BYTES: Final = 1024 * 1024
MANY_BATCHES: Final = 256
"""From so many batches in one read on, the index says where to start looking for the last whole one."""

EMPTY: Final = memoryview(b"")

_PEEK: Final = struct.Struct(">qi11xi")  # base offset, length, last offset delta
_LENGTH_END: Final = 12
_LENGTH_MIN: Final = records.HEADER_SIZE - _LENGTH_END


class Segment:
    """One `.log` with its indexes. `file` is None while the pool has closed it."""

    __slots__ = (
        "_disk",
        "aborted",
        "base",
        "bytes_since_index",
        "cuts",
        "file",
        "full",
        "held",
        "hints",
        "index",
        "index_entries_max",
        "max_timestamp",
        "max_timestamp_offset",
        "path",
        "recent",
        "size",
        "synced_size",
        "time_index",
        "unsynced",
    )

    def __init__(self, disk: Disk, folder: Path, base: int, size: int = 0) -> None:
        self._disk = disk
        self.path = folder / offset_name(base, LOG)
        self.base = base
        self.size = size
        self.synced_size = size
        """Durable up to here, by a sync of this file."""
        self.cuts = 0
        """How often a refused write was cut back: a sync that began before the last one does not count."""
        self.unsynced = False
        """Whether it waits in its partition's list of segments to be synced."""
        self.file: File | None = None
        self.held: File | None = None
        """Its file while another segment takes its name: see `hold`."""
        self.recent = False
        self.max_timestamp: int | None = None
        """The largest timestamp in it, -1 when there is none; None: not looked up yet."""
        self.max_timestamp_offset = -1
        """The last offset of the batch with the largest timestamp."""
        self.bytes_since_index = 0
        self.index_entries_max = POSITION_MAX
        self.full = False
        """Whether an index may take no more entries."""
        self.index = SparseIndex(disk, folder / offset_name(base, INDEX), OFFSET_ENTRY)
        self.time_index = SparseIndex(disk, folder / offset_name(base, TIME_INDEX), TIME_ENTRY)
        self.aborted = TransactionIndex(disk, self.path)
        self.hints: dict[int, int] = {}
        """Where offsets start at which somebody is likely to read on."""

    # -- writing

    def begin(self) -> None:
        """Start as an empty segment, whatever lies there under its names."""
        assert self.file is not None, "the pool has created it"
        if self.file.size():
            self.file.truncate(0)
        self.index.clear()
        self.time_index.clear()
        self.aborted.clear()
        self.max_timestamp = NO_TIMESTAMP

    def appended(self, size: int, last_offset: int, max_timestamp: int, index_interval_bytes: int) -> None:
        """Take note of a batch that was just written at `size`."""
        position = self.size
        self.size = position + size
        if max_timestamp > self.max_timestamp:  # type: ignore[operator]  # known of every segment that is written to
            self.max_timestamp = max_timestamp
            self.max_timestamp_offset = last_offset
        if self.bytes_since_index > index_interval_bytes:
            self.bytes_since_index = size
            self.add_index_entry(last_offset, position)
        else:
            self.bytes_since_index += size

    def add_index_entry(self, last_offset: int, position: int) -> None:
        self.index.add(last_offset - self.base, position)
        self._add_time_entry()
        self.full = len(self.index) >= self.index_entries_max
        if self.index.pending >= PENDING_MAX:
            self.flush_indexes()

    def _add_time_entry(self) -> None:
        if self.max_timestamp is not None and self.max_timestamp >= 0:
            self.time_index.add(self.max_timestamp, self.max_timestamp_offset - self.base)

    def flush_indexes(self) -> None:
        """Write index entries that wait. A full disk only makes them wait longer."""
        try:
            if self.time_index.pending:
                self.index.create()  # Kafka's tools open the one with the other
            self.index.flush()
            self.time_index.flush()
        except OSError as error:
            logger.warning("%s: its index waits for room: %s", self.path, error)

    @property
    def indexes_unsynced(self) -> bool:
        """Whether some index entry might not survive a power cut."""
        return any(index.unsynced or index.pending for index in self.indexes)

    @property
    def indexes(self) -> tuple[SparseIndex, SparseIndex, TransactionIndex]:
        """All of its indexes."""
        return self.index, self.time_index, self.aborted

    def close_for_writing(self) -> None:
        """The segment will not grow any more: its last time index entry says the largest timestamp of all."""
        self._add_time_entry()
        self.flush_indexes()

    def cut_back(self) -> None:
        """Drop what a refused write left behind `size`. It is no batch, so failing at this does no harm.

        The file has to be synced afterwards, or a crash could bring the remains back.
        """
        self.synced_size = -1
        self.cuts += 1
        try:
            if self.file is not None:
                self.file.truncate(self.size)
        except OSError as error:
            logger.warning("%s: could not cut a refused write back: %s", self.path, error)

    # -- giving way to another

    def hold(self) -> None:
        """Keep all that readers need: the names of its files are about to lead to the segment that replaces it."""
        if self.held is None:
            self.largest_timestamp()
            self.index.hold()
            self.time_index.hold()
            self.aborted.hold()
            self.held = self.file or self._disk.open(self.path)

    def open(self, *, create: bool = False) -> File:
        """Its file, from any thread, even while another segment takes its name."""
        if self.held is not None:
            return self.held
        try:
            file = self._disk.open(self.path, create=create)
        except FileNotFoundError:
            if (held := self._held_meanwhile()) is None:
                raise
            return held
        return self._held_meanwhile() or file

    def _held_meanwhile(self) -> File | None:
        """What another thread may have put there: the names lead elsewhere only afterwards."""
        return self.held

    # -- reading

    def locate(self, file: File, offset: int, *, now: bool) -> int:
        """Where the batch starts that holds `offset`, or the first one after it; `size` when there is none.

        With `now`, WouldBlock when that cannot be told without waiting for the disk.
        """
        at = self.hints.get(offset)
        if at is not None:
            return at
        entry = self.index.floor(offset - self.base, now=now)
        if entry is None:
            return self._hop(file, 0, offset, now=now)
        if self._fits(file, *entry, now=now):
            return self._hop(file, entry[1], offset, now=now)
        if now:
            raise WouldBlock
        if self.held is None:
            logger.warning("%s does not fit its log; it is built anew", self.index.path)
            self.rebuild_indexes(file)
        return self._hop(file, 0, offset, now=now)

    def _fits(self, file: File, key: int, at: int, *, now: bool) -> bool:
        """Whether an index entry leads to the batch that it was made for."""
        if at + records.HEADER_SIZE > self.size:
            return False
        found = file.read_now(_PEEK.size, at) if now else file.pread(_PEEK.size, at)
        if len(found) != _PEEK.size:
            return False
        base, length, delta = _PEEK.unpack(found)
        return bool(length >= _LENGTH_MIN and base + delta == self.base + key)

    def _hop(self, file: File, at: int, offset: int, *, now: bool) -> int:
        """From batch to batch, from the one that starts at `at`."""
        read = file.read_now if now else file.pread
        size = self.size
        while at < size:
            chunk = read(min(LOCATE_BYTES, size - at), at)
            within, end = 0, len(chunk) - _PEEK.size
            if end < 0:
                raise self._damaged(at)
            while within <= end:
                base, length, delta = _PEEK.unpack_from(chunk, within)
                if length < _LENGTH_MIN:
                    raise self._damaged(at + within)
                if base + delta >= offset:
                    return at + within
                within += _LENGTH_END + length
            at += within
        return size

    def read(self, file: File, at: int, end: int, bytes_max: int, *, whole_first: bool, now: bool) -> memoryview:
        """Whole batches from `at`, which starts one, to at most `end`, which ends one.

        No more than `bytes_max`; but a first batch that is larger comes whole when `whole_first`.
        """
        read = file.read_now if now else file.pread
        left = end - at
        wanted = min(max(bytes_max, records.HEADER_SIZE), left)
        data = memoryview(read(wanted, at))
        if wanted == left:
            if len(data) != left:
                raise self._damaged(at)
            return data
        whole, next_offset = self.whole(data, at, now=now)
        if whole == 0:
            if len(data) < _PEEK.size:
                raise self._damaged(at)
            if not whole_first:
                return EMPTY
            base, length, delta = _PEEK.unpack_from(data)
            whole, next_offset = _LENGTH_END + length, base + delta + 1
            if not records.HEADER_SIZE <= whole <= left:
                raise self._damaged(at)
            data = memoryview(read(whole, at))
        self.hint(next_offset, at + whole)
        return data[:whole]

    def whole(self, data: memoryview, at: int, *, now: bool) -> tuple[int, int]:
        """How many bytes of `data`, which was read at `at`, are whole batches, and the offset after them."""
        within, next_offset, end = 0, -1, len(data)
        last = end - _PEEK.size
        unpack = _PEEK.unpack_from
        if last >= 0 and end // (unpack(data)[1] + _LENGTH_END) > MANY_BATCHES:
            entry = self.index.floor_of_value(at + last, now=now)
            if entry is not None and entry[1] > at:
                within = entry[1] - at
                next_offset = unpack(data, within)[0]
        while within <= last:
            base, length, delta = unpack(data, within)
            after = within + _LENGTH_END + length
            if after > end or length < _LENGTH_MIN:
                break
            within, next_offset = after, base + delta + 1
        return within, next_offset

    def hint(self, offset: int, position: int) -> None:
        """Remember where an offset starts."""
        hints = self.hints
        if len(hints) >= HINTS_MAX:
            hints.clear()
        hints[offset] = position

    def _damaged(self, at: int) -> StorageError:
        return StorageError(str(self.path), f"what lies at byte {at} is not the batch that was written there")

    # -- timestamps

    def first_timestamp(self) -> int:
        """The maximum timestamp of its first batch; -1 when it has none. May read."""
        assert self.file is not None, "whoever writes to it has opened it"
        for _, header in peek(self.file, 0, self.size):
            return header.max_timestamp
        return NO_TIMESTAMP

    def largest_timestamp(self) -> tuple[int, int]:
        """The largest timestamp and the last offset of its batch; (-1, -1) when no record has one. May read."""
        if self.max_timestamp is None:
            entry = self.time_index.last_entry(now=False)
            if self.size and (entry is None or not self._is_in(*entry)):
                self.rebuild_indexes(self.open())
                entry = self.time_index.last_entry(now=False)
            if entry is None:
                self.max_timestamp = NO_TIMESTAMP
            else:
                self.max_timestamp_offset = self.base + entry[1]
                self.max_timestamp = entry[0]
        return self.max_timestamp, self.max_timestamp_offset

    def _is_in(self, timestamp: int, offset: int) -> bool:
        """Whether an entry of the time index tells of a batch that is there."""
        file, offset = self.open(), self.base + offset
        for _, header in peek(file, self.locate(file, offset, now=False), self.size):
            return header.base_offset <= offset <= header.last_offset and header.max_timestamp == timestamp
        return False

    # -- building indexes anew

    def rebuild_indexes(self, file: File, index_interval_bytes: int = 4096) -> None:
        """Build both indexes of a closed segment from its log."""
        index = SparseIndex(self._disk, self.index.path, OFFSET_ENTRY)
        time_index = SparseIndex(self._disk, self.time_index.path, TIME_ENTRY)
        index.clear()
        time_index.clear()
        self.index, self.time_index = index, time_index
        self.max_timestamp, self.max_timestamp_offset = NO_TIMESTAMP, -1
        self.bytes_since_index = 0
        for position, header in peek(file, 0, self.size):
            self.index_batch(position, header, index_interval_bytes)
        self.close_for_writing()

    def index_batch(self, position: int, header: BatchHeader, index_interval_bytes: int) -> None:
        """What `appended` does, for a batch that is there already. One that compaction has emptied has no time."""
        if self.max_timestamp is None or (header.max_timestamp > self.max_timestamp and header.count):
            self.max_timestamp, self.max_timestamp_offset = header.max_timestamp, header.last_offset
        if self.bytes_since_index > index_interval_bytes:
            self.bytes_since_index = 0
            self.add_index_entry(header.last_offset, position)
        self.bytes_since_index += header.size


def walk(file: File, at: int, end: int) -> Iterator[tuple[int, BatchHeader, memoryview]]:
    """Position, header and bytes of every batch from `at` on, up to the first that is not whole and intact."""
    held, start, held_end = EMPTY, at, at
    while at + records.HEADER_SIZE <= end:
        try:
            if at + records.HEADER_SIZE > held_end:
                held, start = memoryview(file.pread(min(WALK_BYTES, end - at), at)), at
                held_end = start + len(held)
            header = records.parse_header(held, at - start)
            after = at + header.size
            if after > end:
                return
            if after > held_end:
                held, start = memoryview(file.pread(min(max(WALK_BYTES, after - at), end - at), at)), at
                held_end = start + len(held)
            batch = held[at - start : after - start]
            records.check_intact(header, batch)
        except ProtocolError:
            return
        yield at, header, batch
        at = after


def peek(file: File, at: int, end: int) -> Iterator[tuple[int, BatchHeader]]:
    """Position and header of every batch from `at` on; their content is not looked at."""
    held: Buffer = b""
    start = at
    while at + records.HEADER_SIZE <= end:
        if at + records.HEADER_SIZE > start + len(held):
            held, start = file.pread(min(LOCATE_BYTES, end - at), at), at
        try:
            header = records.parse_header(held, at - start)
        except ProtocolError:
            return
        yield at, header
        at += header.size


class FilePool:
    """Keeps at most so many segments' files open; the ones that were not used lately are closed first."""

    def __init__(self, disk: Disk, open_max: int) -> None:
        self._disk = disk
        self._open_max = open_max
        self._open: deque[Segment] = deque()

    def open(self, segment: Segment, *, create: bool = False) -> File:
        """The segment's file, opened if it is not. FileNotFoundError unless `create`."""
        file = segment.file
        if file is None:
            if len(self._open) >= self._open_max:
                self._close_some()
            file = segment.file = segment.open(create=create)
            self._open.append(segment)
        return file

    def forget(self, segment: Segment) -> None:
        """Let go of a segment that is no longer anybody's."""
        segment.file = None

    def _close_some(self) -> None:
        """Second chance: who was used since the last round stays for another."""
        waiting = self._open
        for _ in range(2 * len(waiting)):
            if len(waiting) < self._open_max:
                return
            segment = waiting.popleft()
            if segment.file is None:
                continue
            if segment.recent:
                segment.recent = False
                waiting.append(segment)
            else:
                segment.file = None
