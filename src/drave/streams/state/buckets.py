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

_START: Final = struct.Struct(">Q")
_SIGN: Final = 1 << 63


def start_bytes(start: int) -> bytes:
    """So that bytes sort as numbers do."""
    return _START.pack(start + _SIGN)


def start_of(key: bytes) -> int:
    return int(_START.unpack_from(key)[0]) - _SIGN


class Window:
    """One open window. Who changes a state notes its key in `dirty`."""

    __slots__ = ("dirty", "states")

    def __init__(self, states: dict[Any, Any]) -> None:
        self.states = states
        self.dirty: dict[Any, None] = {}


class WindowStore:
    """Windows by start."""

    def __init__(self, spec: StoreSpec, state: TaskState, keys: Format[Any], values: Format[Any]) -> None:
        self.spec = spec
        self.windows: dict[int, Window] = {}
        """Those that are in memory."""
        self._state = state
        self._keys = keys
        self._values = values
        self._dropped: list[bytes] = []
        self._stored = set(self._find_starts())

    def _find_starts(self) -> Iterator[int]:
        low = b""
        while (first := next(self._state.scan(self.spec.name, low, None), None)) is not None:
            start = start_of(first[0])
            yield start
            low = start_bytes(start + 1)

    def starts(self) -> list[int]:
        """Of all windows that hold anything."""
        return sorted(self.windows.keys() | self._stored)

    def get(self, start: int) -> Window | None:
        """None when it is not open."""
        window = self.windows.get(start)
        return self._load(start) if window is None and start in self._stored else window

    def open(self, start: int) -> Window:
        """The same, and it is opened."""
        window = self.get(start)
        if window is None:
            window = self.windows[start] = Window({})
        return window

    def drop(self, start: int) -> None:
        """The window is over."""
        window = self.get(start)
        if window is None:
            return
        del self.windows[start]
        if start in self._stored:
            self._stored.discard(start)
            prefix = start_bytes(start)
            self._dropped.extend(prefix + self._keys.encode(key) for key in window.states)

    def changes(self) -> list[Change]:
        encode_key = self._keys.encode
        encode = self._values.encode
        changed: list[Change] = [(key, None) for key in self._dropped]
        self._dropped.clear()
        for start, window in self.windows.items():
            if window.dirty:
                prefix = start_bytes(start)
                states = window.states
                changed += [(prefix + encode_key(key), encode(states[key])) for key in window.dirty]
                window.dirty.clear()
                self._stored.add(start)
        return changed

    def __len__(self) -> int:
        return sum(len(window.states) for window in self.windows.values())

    def _load(self, start: int) -> Window:
        decode_key = self._keys.decode
        decode = self._values.decode
        rows = self._state.scan(self.spec.name, start_bytes(start), start_bytes(start + 1))
        window = self.windows[start] = Window({decode_key(key[8:]): decode(data) for key, data in rows})
        return window
