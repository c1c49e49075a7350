"""A sparse index of a segment: now and then one entry, its key and its value both rising.

    .index       last offset of a batch - base    uint32  →  where the batch starts       uint32     8 bytes
    .timeindex   maximum timestamp so far         int64   →  its batch's last offset      uint32     12 bytes
                                                             - base

    file     | e0 e1 e2 … en |            what was flushed; looked up with a binary search of small reads
    memory                     | e e e |  what came since

An index is a hint: the log alone is the truth, and whoever follows an entry checks what it finds there. So entries may
wait in memory, an index needs no open file, and one that is lost or damaged is built anew from its log.
"""

from __future__ import annotations

import logging
import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Final

from drave.store.disk import Disk, write_all

logger = logging.getLogger("drave.store")

OFFSET_ENTRY: Final = struct.Struct(">II")
TIME_ENTRY: Final = struct.Struct(">qI")

PENDING_MAX: Final = 4096
"""Entries that wait in memory; past it they are written (not synced), so that an index never holds much memory."""


def _nothing() -> tuple[array[int], array[int]]:
    return array("q"), array("q")


class SparseIndex:
    """One index file and the entries that are not in it yet."""

    __slots__ = ("_disk", "_entry", "_flushed", "_waiting", "last", "path", "unsynced")

    def __init__(self, disk: Disk, path: Path, entry: struct.Struct, *, flushed: int | None = None) -> None:
        self._disk = disk
        self._entry = entry
        self._flushed = flushed
        self._waiting = _nothing()  # keys and values; replaced as a whole, for readers on other threads
        self.path = path
        self.last: tuple[int, int] | None = None
        """The newest entry, of those added or read so far."""
        self.unsynced = False
        """Whether the file was written since it was last synced."""

    # -- adding

    def add(self, key: int, value: int) -> None:
        """Add an entry unless it does not rise above the last one."""
        last = self.last
        if last is not None and (key <= last[0] or value < last[1]):
            return
        keys, values = self._waiting
        values.append(value)
        keys.append(key)
        self.last = (key, value)

    @property
    def pending(self) -> int:
        return len(self._waiting[0])

    def flush(self) -> None:
        """Write the entries that wait. OSError when the disk does not take them: then they go on waiting."""
        keys, values = self._waiting
        if not keys:
            return
        flushed = self.flushed()
        pack = self._entry.pack
        data = b"".join([pack(key, value) for key, value in zip(keys, values, strict=True)])
        write_all(self._disk.open(self.path, create=True), data, flushed * self._entry.size)
        self._flushed = flushed + len(keys)
        self._waiting = _nothing()
        self.unsynced = True

    def create(self) -> None:
        """See that there is a file, if only an empty one."""
        if not self.flushed() and not self._disk.exists(self.path):
            self._disk.open(self.path, create=True)
            self.unsynced = True

    def flushed(self) -> int:
        """How many entries the file holds."""
        if self._flushed is None:
            found = self._disk.stat(self.path)
            self._flushed = 0 if found is None else found.size // self._entry.size
        return self._flushed

    def __len__(self) -> int:
        return self.flushed() + self.pending

    # -- opening what was left by an earlier life

    def keep(self, count: int) -> None:
        """Keep the first `count` entries, which were synced; what a crash left behind them may be anything."""
        found = self._disk.stat(self.path)
        size = 0 if found is None else found.size
        count = min(count, size // self._entry.size)
        if count * self._entry.size != size:
            self._disk.open(self.path).truncate(count * self._entry.size)
            self.unsynced = True
        self._waiting = _nothing()
        self._flushed = count
        self.last = self._entries(now=False)(count - 1) if count else None

    def clear(self) -> None:
        """Forget every entry, to be built anew."""
        if self._disk.exists(self.path):
            self._disk.open(self.path).truncate(0)
            self.unsynced = True
        self._waiting = _nothing()
        self._flushed = 0
        self.last = None

    def last_entry(self, *, now: bool) -> tuple[int, int] | None:
        """The newest entry of all."""
        if self.last is None and (count := self.flushed()):
            self.last = self._entries(now)(count - 1)
        return self.last

    def hold(self) -> None:
        """Take every entry into memory: the file is about to become another's."""
        count, entries = self.flushed(), b""
        if count:
            try:
                entries = bytes(self._disk.open(self.path).pread(count * self._entry.size, 0))
            except FileNotFoundError:
                logger.debug("%s is gone; its log is looked through without it", self.path)
        keys, values = _nothing()
        for key, value in self._entry.iter_unpack(entries[: len(entries) // self._entry.size * self._entry.size]):
            keys.append(key)
            values.append(value)
        waiting_keys, waiting_values = self._waiting
        self._waiting = keys + waiting_keys, values + waiting_values
        self._flushed = 0

    # -- looking up

    # `now` stands for: raise WouldBlock rather than wait for the disk

    def floor(self, key: int, *, now: bool) -> tuple[int, int] | None:
        """The last entry whose key is at most `key`."""
        keys, values = self._waiting
        if keys and keys[0] <= key:
            at = bisect_right(keys, key) - 1
            return keys[at], values[at]
        return self._search(0, key, now)

    def floor_of_value(self, value: int, *, now: bool) -> tuple[int, int] | None:
        """The last entry whose value is at most `value`."""
        keys, values = self._waiting
        if keys and values[0] <= value:
            at = bisect_right(values, value, hi=len(keys)) - 1
            return keys[at], values[at]
        return self._search(1, value, now)

    def _search(self, field: int, wanted: int, now: bool) -> tuple[int, int] | None:
        low, high = 0, self.flushed()
        if not high:
            return None
        try:
            entry_at = self._entries(now)
        except FileNotFoundError:
            if self.flushed():
                raise
            return None  # it was taken into memory meanwhile; whoever asked looks through the log this once
        found = None
        while low < high:
            middle = (low + high) // 2
            entry = entry_at(middle)
            if entry[field] <= wanted:
                low, found = middle + 1, entry
            else:
                high = middle
        return found

    def _entries(self, now: bool) -> Callable[[int], tuple[int, int]]:
        """A function that gives the entry with a number. With `now` it raises WouldBlock rather than wait."""
        size, unpack = self._entry.size, self._entry.unpack
        file = self._disk.open(self.path)
        read = file.read_now if now else file.pread

        def entry_at(number: int) -> tuple[int, int]:
            data = read(size, number * size)
            if len(data) != size:
                return (0, 0)  # the file was cut behind our back; whoever follows the entry will notice
            key, value = unpack(data)
            return key, value

        return entry_at
