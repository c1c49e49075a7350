"""A segment's aborted transactions: those whose abort marker lies in it. Kafka's `.txnindex`.

    version int16 = 0 · producer id · first offset · the marker's offset · last stable offset, each int64       34 bytes

    file     | e0 e1 e2 … en |           in the order of their markers
    memory                     | e e |   since the last checkpoint

`read_committed` consumers are told of them, and pass over their records. The last stable offset is the one that the
partition had once the marker was durable: a look-up has seen all that matters when it comes to an entry where this is
not below the end of what was read, for whatever had begun before that end was decided by then.

Unlike the other indexes this one is no hint: what it lacks would be read as committed. So an entry counts as saved only
with the checkpoint that has synced it, and recovery builds anew what came after.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from drave.store.disk import Disk, write_all
from drave.store.names import TRANSACTION_INDEX

_ENTRY: Final = struct.Struct(">hqqqq")
_VERSION: Final = 0
_READ_ENTRIES_MIN: Final = 16
_READ_ENTRIES_MAX: Final = 1024


class AbortedTransaction(NamedTuple):
    """A transaction that was aborted, as far as it concerns one partition."""

    producer_id: int
    first_offset: int
    last_offset: int
    """The marker's."""
    last_stable: int
    """The partition's last stable offset once the marker was durable."""


class TransactionIndex:
    """The index of one segment."""

    __slots__ = ("_disk", "_log", "_saved", "_waiting", "held", "unsynced")

    def __init__(self, disk: Disk, log: Path) -> None:
        self._disk = disk
        self._log = log
        self._saved = 0
        self._waiting: list[AbortedTransaction] = []  # only ever appended to, or replaced: views hold it
        self.unsynced = False
        """Whether the file was written, or cut, since it was last synced."""
        self.held: Sequence[AbortedTransaction] | None = None
        """All entries, while another segment takes the file's name: see `hold`."""

    @property
    def path(self) -> Path:
        return self._log.with_suffix(TRANSACTION_INDEX)

    def __len__(self) -> int:
        return self._saved + len(self._waiting)

    # -- adding

    def add(self, transaction: AbortedTransaction) -> None:
        """The next by its marker."""
        self._waiting.append(transaction)

    @property
    def pending(self) -> int:
        """How many entries the file lacks."""
        return len(self._waiting)

    def to_write(self) -> tuple[bytes, int]:
        """What the file lacks, and where it goes."""
        return encode_transactions(self._waiting), self._saved * _ENTRY.size

    def wrote(self, count: int) -> None:
        """The first `count` of those that wait are in the file."""
        self._saved += count
        self._waiting = self._waiting[count:]

    def write(self) -> None:
        """Write what waits; it has to be synced after."""
        if self._waiting:
            write_all(self._disk.open(self.path, create=True), *self.to_write())
            self.wrote(len(self._waiting))
            self.unsynced = True

    # -- opening what an earlier life left

    def keep(self, count: int | None = None) -> None:
        """Keep the first `count` entries, which were synced: what a crash left behind them may be anything.

        None: a closed segment, all of whose entries were synced.
        """
        found = self._disk.stat(self.path)
        size = 0 if found is None else found.size
        whole = size // _ENTRY.size
        self._waiting = []
        self._saved = whole if count is None else min(count, whole)
        if count is not None and self._saved * _ENTRY.size != size:
            self._disk.open(self.path).truncate(self._saved * _ENTRY.size)
            self.unsynced = True

    def clear(self) -> None:
        """Forget every entry, to be built anew."""
        self.keep(0)

    # -- looking up

    def view(self) -> TransactionView:
        """What the index holds now, to be looked into on any thread."""
        held = self.held
        if held is not None:
            return TransactionView(self, self._disk, self.path, 0, held, len(held))
        return TransactionView(self, self._disk, self.path, self._saved, self._waiting, len(self._waiting))

    def entries(self) -> list[AbortedTransaction]:
        """All of them."""
        return list(self.view().since(0, now=False))

    def hold(self) -> None:
        """Take every entry into memory: the file's name is about to lead to another's."""
        if self.held is None:
            self.held = tuple(self.entries())


class TransactionView(NamedTuple):
    """An index as it was at one moment."""

    owner: TransactionIndex
    disk: Disk
    path: Path
    saved: int
    waiting: Sequence[AbortedTransaction]
    """The list as it grows: the first `pending` of it are meant."""
    pending: int

    def overlapping(self, start: int, end: int, *, now: bool) -> tuple[list[AbortedTransaction], bool]:
        """Those with anything from `start` to below `end`, and whether later segments have no more of them.

        With `now`, WouldBlock when the disk would have to be waited for.
        """
        try:
            found = self._overlapping(start, end, now=now)
        except OSError:
            if self.owner.held is None:
                raise
            found = [], False
        if self.saved and self.owner.held is not None:  # what was read may have been another's
            return self.owner.view().overlapping(start, end, now=now)
        return found

    def _overlapping(self, start: int, end: int, *, now: bool) -> tuple[list[AbortedTransaction], bool]:
        found: list[AbortedTransaction] = []
        for transaction in self.since(start, now=now):
            if transaction.first_offset < end:
                found.append(transaction)
            if transaction.last_stable >= end:
                return found, True
        return found, False

    def since(self, start: int, *, now: bool) -> Iterable[AbortedTransaction]:
        """Those that ended at `start` or later."""
        if self.saved:
            file = self.disk.open(self.path)
            read = file.read_now if now else file.pread
            low, high = 0, self.saved
            while low < high:
                middle = (low + high) // 2
                if _entry(read(_ENTRY.size, middle * _ENTRY.size)).last_offset < start:
                    low = middle + 1
                else:
                    high = middle
            entries = _READ_ENTRIES_MIN
            while low < self.saved:
                count = min(entries, self.saved - low)
                data = read(count * _ENTRY.size, low * _ENTRY.size)
                if len(data) != count * _ENTRY.size:
                    raise OSError(f"{self.path} ends before its last entry")
                for _, *fields in _ENTRY.iter_unpack(data):
                    yield AbortedTransaction(*fields)
                low += count
                entries = min(2 * entries, _READ_ENTRIES_MAX)
        for transaction in self.waiting[: self.pending]:
            if transaction.last_offset >= start:
                yield transaction


def encode_transactions(transactions: Iterable[AbortedTransaction]) -> bytes:
    """The content of an index with these entries."""
    return b"".join([_ENTRY.pack(_VERSION, *each) for each in transactions])


def _entry(data: bytes | bytearray | memoryview) -> AbortedTransaction:
    try:
        _, *fields = _ENTRY.unpack(data)
    except struct.error:
        raise OSError("an index of transactions ends before its last entry") from None
    return AbortedTransaction(*fields)


def aborted_between(views: Iterable[TransactionView], start: int, end: int, *, now: bool) -> list[AbortedTransaction]:
    """The aborted transactions that a reader of `start` to below `end` has to know, by their first offset.

    `views` are those of the segment that holds `start` and of all that follow.
    """
    found: list[AbortedTransaction] = []
    for view in views:
        some, is_all = view.overlapping(start, end, now=now)
        found += some
        if is_all:
            break
    found.sort(key=lambda transaction: transaction.first_offset)
    return found
