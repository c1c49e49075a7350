"""A task's records of the last while, by key and time: what joins and sliding windows look back on.

    slice of time ─▶ {key: [entry, …]}      on the state's side: slice (8 bytes), number (8), key ─▶ time, note, value

Each record is a row of its own, written once, however many its key has. All of it is in memory. What is too old goes by
whole slices.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import GenericAlias
from typing import Any, Final

from drave.streams.formats import Format, Packed
from drave.streams.state import Change, StoreSpec, TaskState
from drave.streams.state.buckets import start_bytes, start_of

_NUMBER: Final = slice(8, 16)


class Entry:
    """One record. `note` is its keeper's: change it and say `touch`."""

    __slots__ = ("key", "note", "number", "time", "value")

    def __init__(self, number: int, key: Any, time: int, note: int, value: Any) -> None:
        self.number = number
        self.key = key
        self.time = time
        self.note = note
        self.value = value


class EntryStore:
    """Entries in slices of `width_ms`; `near` is quick for spans of about that length."""

    def __init__(self, spec: StoreSpec, state: TaskState, keys: Format[Any], kind: Any, width_ms: int) -> None:
        self.spec = spec
        self._keys = keys
        self._values: Packed[tuple[int, int, Any]] = Packed(GenericAlias(tuple, (int, int, kind)))
        self._width = width_ms
        self._slices: dict[int, dict[Any, list[Entry]]] = {}
        self._dirty: dict[Entry, None] = {}
        self._stored: set[int] = set()
        """Numbers of entries that the state below has."""
        self._dropped: list[bytes] = []
        self._next = 0
        for data_key, data in state.scan(spec.name, b"", None):
            time, note, value = self._values.decode(data)
            self._put(Entry(start_of(data_key[_NUMBER]), keys.decode(data_key[16:]), time, note, value))
        self._stored.update(entry.number for entry in self)
        self._next = max(self._stored, default=-1) + 1

    def add(self, key: Any, time: int, note: int, value: Any) -> Entry:
        entry = Entry(self._next, key, time, note, value)
        self._next += 1
        self._put(entry)
        self._dirty[entry] = None
        return entry

    def touch(self, entry: Entry) -> None:
        """Its note has changed."""
        self._dirty[entry] = None

    def near(self, key: Any, first: int, last: int) -> Iterator[Entry]:
        """The key's entries with a time from `first` to `last`, in the order in which they came within each slice."""
        width = self._width
        for start in range(first - first % width, last + 1, width):
            entries = self._slices.get(start)
            if entries is not None and (found := entries.get(key)) is not None:
                for entry in found:
                    if first <= entry.time <= last:
                        yield entry

    @property
    def oldest_end(self) -> int | None:
        """Where the oldest slice ends; no entry of it is as late as that."""
        return min(self._slices) + self._width if self._slices else None

    def drop_before(self, time: int) -> None:
        """Forget the slices that end at or before `time`."""
        for start in [start for start in self._slices if start + self._width <= time]:
            for entries in self._slices.pop(start).values():
                for entry in entries:
                    self._dirty.pop(entry, None)
                    if entry.number in self._stored:
                        self._stored.discard(entry.number)
                        self._dropped.append(self._row(entry))

    def changes(self) -> list[Change]:
        encode = self._values.encode
        changed: list[Change] = [(row, None) for row in self._dropped]
        self._dropped.clear()
        for entry in self._dirty:
            changed.append((self._row(entry), encode((entry.time, entry.note, entry.value))))
            self._stored.add(entry.number)
        self._dirty.clear()
        return changed

    def __iter__(self) -> Iterator[Entry]:
        """All of them, in the order of their slices."""
        for start in sorted(self._slices):
            for entries in self._slices[start].values():
                yield from entries

    def __len__(self) -> int:
        return sum(len(entries) for each in self._slices.values() for entries in each.values())

    def _put(self, entry: Entry) -> None:
        start = entry.time - entry.time % self._width
        self._slices.setdefault(start, {}).setdefault(entry.key, []).append(entry)

    def _row(self, entry: Entry) -> bytes:
        start = entry.time - entry.time % self._width
        return start_bytes(start) + start_bytes(entry.number) + self._keys.encode(entry.key)
