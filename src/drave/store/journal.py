"""The journal: what makes the writes of all partitions durable with one sync.

    0.journal   | entry 7 | entry 8 | entry 9 | 000000…          generation 4
    1.journal   | entry 10 | old entry 2 | old entry 3 |…        generation 5, in a file used before

    crc32c uint32      of all that follows
    length uint32      of the payload
    generation uint64  one for each time a file is begun
    number uint64      one more than the entry before, across both files
    kind uint8         1 batches: the payload is batches of one partition, one after another
                       2 log start: the offset is the partition's new log start
    leader epoch int32 · topic id 16 bytes · partition uint32 · offset int64 · payload

Reading stops at the first entry whose CRC fails or whose generation or number is not the next, so a file that is used
again never replays its own past. The files are filled with zeros ahead of use: a sync of blocks that have been written
before need not wait for the file system's own journal.

A file may be begun again only when nothing in it is needed: `release` says so, after a checkpoint.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from crc32c import crc32c

from drave.model.ids import TopicId
from drave.store.disk import Buffer, Disk, File, write_all

BATCHES: Final = 1
LOG_START: Final = 2

NAMES: Final = ("0.journal", "1.journal")

START_RESERVE_BYTES: Final = 4096
"""Room that batches leave in a file, so that a new log start always finds some: it has no other way to be durable."""

GENERATIONS_APART: Final = 2
"""How far a restart moves the generation on, so that what came before never looks like a predecessor."""

_HEADER: Final = struct.Struct(">IIQQB3xi16sIq")
_COVERED: Final = struct.Struct(">IQQB3xi16sIq")
_CRC: Final = struct.Struct(">I")
HEADER_SIZE: Final = _HEADER.size

_READ_BYTES: Final = 1024 * 1024

assert _CRC.size + _COVERED.size == HEADER_SIZE


class Item(NamedTuple):
    """What an entry is about, before it has a place in the journal."""

    kind: int
    topic_id: TopicId
    partition: int
    leader_epoch: int
    offset: int
    payload: Sequence[Buffer]
    size: int
    """Bytes of the payload."""


class Entry(NamedTuple):
    """An entry that was read back."""

    kind: int
    topic_id: TopicId
    partition: int
    leader_epoch: int
    offset: int
    payload: memoryview


@dataclass(slots=True)
class Place:
    """Room for some entries: where, and with which numbers."""

    index: int
    at: int
    generation: int
    number: int


class Journal:
    """The two files, seen by the one who writes. Places are given in order, and written in the same order."""

    def __init__(self, disk: Disk, folder: Path, *, generation: int, bytes_max: int) -> None:
        self._disk = disk
        self._folder = folder
        self._bytes_max = bytes_max
        self._files: list[File | None] = [None, None]
        self._index = 0
        self._at = 0
        self._number = 1
        self._other_needed = False
        self.generation = generation
        """Of the file that is being written."""
        self.filled = [0, 0]
        """How far each file has blocks that were written before."""

    # -- on the thread that owns the log

    def reserve(self, items: Sequence[Item]) -> Place | None:
        """Room for `items`, or None when this file has none; `turn` may help."""
        size = sum(HEADER_SIZE + item.size for item in items)
        reserve = 0 if all(item.kind == LOG_START for item in items) else START_RESERVE_BYTES
        if self._at + size > self._bytes_max - reserve:
            return None
        place = Place(self._index, self._at, self.generation, self._number)
        self._at += size
        self._number += len(items)
        return place

    def take_back(self, place: Place) -> None:
        """Forget the last place that was given: nothing was written there that counts."""
        self._at, self._number = place.at, place.number

    @property
    def used_bytes(self) -> int:
        """How much of the current file is written."""
        return self._at

    @property
    def can_turn(self) -> bool:
        """Whether the other file is free."""
        return not self._other_needed

    def turn(self) -> None:
        """Go on in the other file. The one that was written so far is needed until `release`."""
        assert self.can_turn, "the other file holds what only it makes durable"
        if self._at == 0:
            return
        self._index = 1 - self._index
        self._at = 0
        self.generation += 1
        self._other_needed = True

    def release(self) -> None:
        """Everything in the other file is durable elsewhere, and recovery knows it."""
        self._other_needed = False

    @property
    def is_used_up(self) -> bool:
        """Whether the next entry makes the current file longer, and is not its first."""
        return 0 < self._at < self._bytes_max and self._at >= self.filled[self._index]

    def fill_wanted(self, ahead_bytes: int, slice_bytes: int) -> tuple[int, int, int] | None:
        """Which file to fill next, from where, how much; None while enough is filled ahead."""
        filled = self.filled[self._index]
        if filled >= min(self._bytes_max, self._at + ahead_bytes):
            return None
        return self._index, filled, min(slice_bytes, self._bytes_max - filled)

    # -- wherever it may wait for the disk, one call at a time

    def write(self, place: Place, data: bytes) -> None:
        """Make encoded entries durable. OSError when there is no room: then nothing was written. SyncFailed."""
        file = self._file(place.index)
        try:
            file.write_durably(data, place.at)
        except OSError:
            file.truncate(place.at)  # some of the entries may be whole, and recovery would believe them
            file.sync()
            self.filled[place.index] = min(self.filled[place.index], place.at)
            raise
        end = place.at + len(data)
        if end > self.filled[place.index]:
            self.filled[place.index] = end

    def fill(self, index: int, at: int, size: int) -> None:
        """Write zeros where nothing has been written."""
        file = self._file(index)
        if at == self.filled[index]:
            write_all(file, bytes(size), at)
            file.sync()
            self.filled[index] = at + size

    def _file(self, index: int) -> File:
        file = self._files[index]
        if file is None:
            file = self._disk.open(self._folder / NAMES[index], create=True)
            self._disk.sync_folder(self._folder)
            self.filled[index] = max(self.filled[index], file.size())
            self._files[index] = file
        return file


def encode(items: Sequence[Item], place: Place) -> bytes:
    """The bytes of entries, as they are written there."""
    generation, number = place.generation, place.number
    parts: list[Buffer] = []
    for kind, topic_id, partition, leader_epoch, offset, payload, size in items:
        covered = _COVERED.pack(size, generation, number, kind, leader_epoch, topic_id, partition, offset)
        crc = crc32c(covered)
        for part in payload:
            crc = crc32c(part, crc)
        parts.append(_CRC.pack(crc))
        parts.append(covered)
        parts.extend(payload)
        number += 1
    return b"".join(parts)


def read_journal(disk: Disk, folder: Path, *, since: int) -> tuple[list[Entry], int]:
    """The entries that recovery has to look at, in order, and the largest generation seen.

    `since` is the first generation that is needed. Of two files the later one follows only when it begins with the
    generation and the number after the earlier one's last.
    """
    runs = []
    highest = 0
    for name in NAMES:
        run = _read_file(disk, folder / name)
        if run is None:
            continue
        highest = max(highest, run.generation)
        if run.generation >= since:
            runs.append(run)
    runs.sort(key=lambda run: run.generation)
    if len(runs) == 2:
        earlier, later = runs
        if later.generation != earlier.generation + 1:
            return later.entries, highest
        if later.first == earlier.next:
            return earlier.entries + later.entries, highest
        return earlier.entries, highest
    return (runs[0].entries if runs else []), highest


class _Run(NamedTuple):
    generation: int
    first: int
    next: int
    entries: list[Entry]


def _read_file(disk: Disk, path: Path) -> _Run | None:
    """The entries of one file; None when it does not even begin with one."""
    if not disk.exists(path):
        return None
    file = disk.open(path)
    entries: list[Entry] = []
    generation = first = number = 0
    for entry_generation, entry_number, entry in _intact(file):
        if not entries:
            generation, first = entry_generation, entry_number
        elif entry_generation != generation or entry_number != number:
            break
        entries.append(entry)
        number = entry_number + 1
    return _Run(generation, first, number, entries) if entries else None


def _intact(file: File) -> Iterator[tuple[int, int, Entry]]:
    """Entries from the start of a file to the first that is torn, whatever their generation."""
    end = file.size()
    at = 0
    held, start = memoryview(b""), 0
    while at + HEADER_SIZE <= end:
        if at + HEADER_SIZE > start + len(held):
            held, start = memoryview(file.pread(_READ_BYTES, at)), at
        crc, length, generation, number, kind, epoch, topic_id, partition, offset = _HEADER.unpack_from(
            held, at - start
        )
        after = at + HEADER_SIZE + length
        if after > end or kind not in (BATCHES, LOG_START):
            return
        if after > start + len(held):
            held, start = memoryview(file.pread(max(_READ_BYTES, HEADER_SIZE + length), at)), at
        body = held[at - start + _CRC.size : after - start]
        if crc32c(body) != crc:
            return
        payload = body[_COVERED.size :]
        yield generation, number, Entry(kind, TopicId(topic_id), partition, epoch, offset, payload)
        at = after
