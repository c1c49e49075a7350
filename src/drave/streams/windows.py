"""Windows: which spans of event time a record belongs to.

    tumbling("10s")                 |----|----|----|         every record in one
    hopping("5m", every="30s")      overlapping; each record in size / every of them
    session("30m")                  as long as no pause is longer than the gap
    sliding("10s")                  one for each record: what came within the 10 s up to it

All are aligned to the epoch, but sessions and sliding ones. `grace` is for how long after its end a window still takes
records that come late: until its own source partition has shown a time that is `grace` past the window's end. A session
has no end that one record could know, so there `grace` is by how much a record may be behind its source partition.

Results are for ever: a final result is never followed by another for the same key and window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from drave.streams.durations import Duration, milliseconds, shortest
from drave.streams.errors import BadTopology

V = TypeVar("V")


class Windowed(msgspec.Struct, Generic[V], frozen=True):
    """What was computed for one key in one window. `start` is inside, `end` is not; milliseconds since the epoch."""

    key: Any
    start: int
    end: int
    value: V


@dataclass(frozen=True, slots=True)
class TimeWindows:
    """Tumbling and hopping windows."""

    size_ms: int
    every_ms: int
    grace_ms: int

    def starts(self, time: int) -> range:
        """Of the windows that `time` lies in, oldest first. As in Kafka, no window spans the epoch."""
        every = self.every_ms
        last = time - time % every
        first = last - (self.size_ms - 1 - time % every) // every * every
        return range(first if time < 0 else max(first, 0), last + 1, every)

    def __str__(self) -> str:
        if self.every_ms == self.size_ms:
            return f"tumbling-{shortest(self.size_ms)}"
        return f"hopping-{shortest(self.size_ms)}-{shortest(self.every_ms)}"


@dataclass(frozen=True, slots=True)
class SlidingWindows:
    """For each time of a record the window that ends with it, and takes in what is at most `size_ms` older.

    So a window is `size_ms` + 1 milliseconds wide, as in Kafka Streams. That one has a second kind, which begin just
    after each record; what is in them and not in one of these is nothing but fewer of the same records.
    """

    size_ms: int
    grace_ms: int

    def __str__(self) -> str:
        return f"sliding-{shortest(self.size_ms)}"


@dataclass(frozen=True, slots=True)
class SessionWindows:
    """Records with no pause between them that is longer than `gap_ms`."""

    gap_ms: int
    grace_ms: int

    def __str__(self) -> str:
        return f"session-{shortest(self.gap_ms)}"


Windows = TimeWindows | SlidingWindows | SessionWindows


def tumbling(size: Duration, *, grace: Duration = 0) -> TimeWindows:
    """Windows that touch and do not overlap."""
    return hopping(size, every=size, grace=grace)


def hopping(size: Duration, *, every: Duration, grace: Duration = 0) -> TimeWindows:
    """Windows of `size` that begin `every` so often. Raises BadTopology."""
    windows = TimeWindows(milliseconds(size), milliseconds(every), milliseconds(grace))
    if not 0 < windows.every_ms <= windows.size_ms:
        raise BadTopology(f"windows of {size} every {every}: the step must be above 0 and at most the size")
    return windows


def sliding(size: Duration, *, grace: Duration = 0) -> SlidingWindows:
    """For each record, what came in the `size` up to it."""
    return SlidingWindows(_positive("size", size), milliseconds(grace))


def session(gap: Duration, *, grace: Duration | None = None) -> SessionWindows:
    """From the first record to the last before a pause of more than `gap`; it ends a millisecond after its last record.

    A record that is more than `grace` behind its source partition is late; by default `grace` is the gap. A session's
    final result comes when the watermark is more than the gap and `grace` past its last record.
    """
    gap_ms = _positive("gap", gap)
    return SessionWindows(gap_ms, gap_ms if grace is None else milliseconds(grace))


def _positive(what: str, duration: Duration) -> int:
    span = milliseconds(duration)
    if span <= 0:
        raise BadTopology(f"a window's {what} of {duration} is not above 0")
    return span
