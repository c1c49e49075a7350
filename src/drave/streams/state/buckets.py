"""A task's windows: for each start a map from keys to states, written back at each commit.

    start ─▶ {key: state}         on the state's side: start (8 bytes, big-endian, sign flipped) + key ─▶ state

Windows that are open are in memory whole; one that was left by an earlier run is loaded when a record or its end asks
for it. A window that is dropped is deleted below with everything in it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

from drave.streams.formats import Format
from drave.streams.state import Change, StoreSpec, TaskState

Bucket = dict[Any, Any]

_START: Final = struct.Struct(">Q")
_SIGN: Final = 1 << 63


def start_bytes(start: int) -> bytes:
    """So that bytes sort as numbers do."""
    return _START.pack(start + _SIGN)


class WindowStore:
    """Buckets by start."""

    def __init__(self, spec: StoreSpec, state: TaskState, keys: Format[Any], values: Format[Any]) -> None:
        self.spec = spec
        self._state = state
        self._keys = keys
        self._values = values
        self._open: dict[int, Bucket] = {}
        self._dirty: dict[int, dict[Any, None]] = {}
        self._dropped: list[bytes] = []
        self._stored = set(self._find_starts())

    def _find_starts(self) -> Iterator[int]:
        low = b""
        while (first := next(self._state.scan(self.spec.name, low, None), None)) is not None:
            start = _START.unpack_from(first[0])[0] - _SIGN
            yield start
            low = start_bytes(start + 1)

    def starts(self) -> list[int]:
        """Of all windows that hold anything."""
        return sorted(self._open.keys() | self._stored)

    def get(self, start: int) -> tuple[Bucket, dict[Any, None]] | None:
        """The window and the set in which to note what is changed in it; None when it is not open."""
        bucket = self._open.get(start)
        if bucket is None:
            if start not in self._stored:
                return None
            bucket = self._load(start)
        return bucket, self._dirty[start]

    def open(self, start: int) -> tuple[Bucket, dict[Any, None]]:
        """The same, and it is opened."""
        found = self.get(start)
        if found is None:
            found = self._open[start], self._dirty[start] = {}, {}
        return found

    def drop(self, start: int) -> None:
        """The window is over."""
        bucket = self._open.pop(start, None)
        if bucket is None:
            bucket = self._load(start)
            del self._open[start]
        dirty = self._dirty.pop(start)
        if start in self._stored:
            self._stored.discard(start)
            prefix = start_bytes(start)
            self._dropped.extend(prefix + self._keys.encode(key) for key in bucket)
        dirty.clear()

    def changes(self) -> list[Change]:
        encode_key = self._keys.encode
        encode = self._values.encode
        changed: list[Change] = [(key, None) for key in self._dropped]
        self._dropped.clear()
        for start, dirty in self._dirty.items():
            if dirty:
                prefix = start_bytes(start)
                bucket = self._open[start]
                changed.extend((prefix + encode_key(key), encode(bucket[key])) for key in dirty)
                dirty.clear()
                self._stored.add(start)
        return changed

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._open.values())

    def _load(self, start: int) -> Bucket:
        decode_key = self._keys.decode
        decode = self._values.decode
        rows = self._state.scan(self.spec.name, start_bytes(start), start_bytes(start + 1))
        bucket = self._open[start] = {decode_key(key[8:]): decode(data) for key, data in rows}
        self._dirty[start] = {}
        return bucket
