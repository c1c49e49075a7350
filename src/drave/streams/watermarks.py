"""How far a task has come in event time.

    a source topic's partition        the latest time that was read from it
    a repartition topic's partition   the least of the marks of all tasks upstream
    the task                          the least of its inputs that are not idle

A task that writes to a repartition topic tells every partition of it how far it has come: a record without a key that
holds a mark. So a task downstream never runs ahead of a task upstream that is behind, and replaying a topic gives the
results that reading it live gave, however unevenly its partitions are read.

A table is no measure of time: it counts only where there is nothing else.

An input is idle when it has been read to its end and nothing came for some time. Idle inputs hold nobody up. When
all of a task's inputs are idle, its watermark follows the clock, so that windows end though nobody sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from drave.streams.steps.base import ALWAYS


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """What one task upstream says of itself: its partition, of how many, its watermark, and whether it is idle."""

    task: int
    tasks: int
    time: int
    idle: bool


class Place(msgspec.Struct, array_like=True):
    """What of an input outlives a restart, in the metadata of its committed offset."""

    watermark: int
    """The task's."""
    time: int
    marks: dict[int, tuple[int, bool]] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class Progress:
    """One input's event time. `upstream` is the number of tasks that write it, or 0 for a topic of others."""

    upstream: int = 0
    time: int = ALWAYS
    marks: dict[int, tuple[int, bool]] = field(default_factory=dict)
    idle: bool = False
    quiet_since: float = 0.0
    """When something came last, in seconds of the engine's clock."""

    def note(self, mark: Mark) -> None:
        """A task upstream has come further."""
        self.upstream = mark.tasks
        self.marks[mark.task] = (mark.time, mark.idle)
        if len(self.marks) < self.upstream:
            return
        busy = [time for time, idle in self.marks.values() if not idle]
        known = [time for time, _ in self.marks.values() if time > ALWAYS]
        self.time = max(self.time, min(busy or known, default=ALWAYS))

    @property
    def upstream_idle(self) -> bool:
        """Whether every task upstream has said that it is."""
        return 0 < self.upstream == len(self.marks) and all(idle for _, idle in self.marks.values())

    def saved(self, watermark: int) -> str:
        return msgspec.json.encode(Place(watermark, self.time, self.marks)).decode()

    def load(self, metadata: str) -> int:
        """Take up what an earlier run has saved; gives the task's watermark of then."""
        if not metadata:
            return ALWAYS
        place = msgspec.json.decode(metadata, type=Place)
        self.time, self.marks = place.time, place.marks
        return place.watermark


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Mark)


def encode_mark(mark: Mark) -> bytes:
    return _encoder.encode(mark)


def decode_mark(data: bytes) -> Mark:
    return _decoder.decode(data)
