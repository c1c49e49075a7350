"""Rows that nobody has touched for long are forgotten, by event time.

    touch ─▶ the slice of its time: {key}          a slice is over ─▶ its keys that are in no later one are forgotten

A slice is a quarter of the ttl, so a row lives for its ttl and at most a quarter more, and a key that is touched all
the time is written once per slice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drave.streams.formats import Format, Packed
from drave.streams.state import StoreSpec
from drave.streams.state.buckets import WindowStore
from drave.streams.steps.base import NEVER, TaskView


class Expiry:
    """Of one store. `forget` is called with a key and the moment."""

    has_results = False

    def __init__(
        self, task: TaskView, spec: StoreSpec, keys: Format[Any], ttl_ms: int, forget: Callable[[Any, int], None]
    ) -> None:
        self._clock = task.clock
        self._forget = forget
        self._encode_key = keys.encode
        self._width = max(1, ttl_ms // 4)
        self._lives_for = self._width + ttl_ms
        self._slices = WindowStore(spec, task.state, keys, Packed(bool))
        self._starts = self._slices.starts()
        task.adopt(self._slices)

    def touch(self, key: Any, time: int) -> None:
        """The key's row was written at `time`."""
        start = time - time % self._width
        window = self._slices.get(start)
        if window is None:
            window = self._slices.open(start)
            self._starts = sorted([*self._starts, start])
            self._clock.deadline = min(self._clock.deadline, self.deadline)
        if key not in window.states:
            window.states[key] = True
            window.dirty[key] = None

    @property
    def deadline(self) -> int:
        return self._starts[0] + self._lives_for if self._starts else NEVER

    def fire(self, watermark: int) -> None:
        while self._starts and self._starts[0] + self._lives_for <= watermark:
            start = self._starts.pop(0)
            old = self._slices.get(start)
            later = [window for each in self._starts if (window := self._slices.get(each)) is not None]
            keys = [] if old is None else [key for key in old.states if not any(key in each.states for each in later)]
            self._slices.drop(start)
            for key in sorted(keys, key=self._encode_key):
                self._forget(key, watermark)
