"""How far a task has come in event time.

    a source topic's partition        the latest time that was read from it
    a repartition topic's partition   the least of the marks of all tasks upstream
    the task                          the least of its inputs that are not idle

A task that writes to a repartition topic tells every partition of it how far it has come: a record without a key that
holds a mark. So a task downstream never runs ahead of a task upstream that is behind, and replaying a topic gives the
results that reading it live gave, however unevenly its partitions are read.

A table is no measure of time: it counts only where there is nothing else.

What is late is another question: whether a record comes too late is decided by the newest time that its own source
partition had before it, and by no other. A record that is behind takes that time along, in the header SEEN, so steps
downstream decide the same. A watermark is never ahead of it, so whatever a record in time needs is still there; and
results are a function of the topics, whatever the order in which partitions are read, and whoever crashes.

An input is idle when it has been read to its end and nothing came for some time. Idle inputs hold nobody up. When
all of a task's inputs are idle, its watermark goes on from the newest of them with the clock, so that windows end
though nobody sends. A task with results to come tells nobody that it is idle: whoever waits for them would find them
late.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from drave.streams.steps.base import ALWAYS
from drave.streams.transport import Headers

SEEN: Final = "drave.seen"
"""The header of a record that is behind its source partition's newest time: that time, in decimal digits."""


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
    marks: tuple[int | bool | None, ...] = ()
    """Of each task upstream: twice the time since `time`, and one more when it is idle; of one that has no time yet
    only whether it is. Brokers take 4 KiB of this."""


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
        self.time = max(self.time, reached(self.marks.values()))

    @property
    def upstream_idle(self) -> bool:
        """Whether every task upstream has said that it is."""
        return 0 < self.upstream == len(self.marks) and all(idle for _, idle in self.marks.values())

    def saved(self, watermark: int) -> str:
        base = 0 if self.time == ALWAYS else self.time
        marks = (self.marks.get(task) for task in range(self.upstream if self.marks else 0))
        packed = tuple(None if mark is None else _packed(base, *mark) for mark in marks)
        return _encoder.encode(Place(watermark, self.time, packed)).decode()

    def load(self, metadata: str) -> int:
        """Take up what an earlier run has saved; gives the task's watermark of then."""
        if not metadata:
            return ALWAYS
        place = msgspec.json.decode(metadata, type=Place)
        self.time = place.time
        base = 0 if self.time == ALWAYS else self.time
        self.marks = {task: _unpacked(base, mark) for task, mark in enumerate(place.marks) if mark is not None}
        return place.watermark


def reached(inputs: Iterable[tuple[int, bool]]) -> int:
    """How far event time has come, given the times of inputs and whether they are idle.

    The least of those that are not idle. When all are, nobody is left who could be behind: the greatest.
    """
    inputs = tuple(inputs)
    busy = [time for time, idle in inputs if not idle]
    return min(busy) if busy else max(time for time, _ in inputs)


def _packed(base: int, time: int, idle: bool) -> int | bool:
    return idle if time == ALWAYS else (time - base) * 2 + idle


def _unpacked(base: int, mark: int | bool) -> tuple[int, bool]:
    return (ALWAYS, mark) if isinstance(mark, bool) else (base + (mark >> 1), bool(mark & 1))


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Mark)


def encode_mark(mark: Mark) -> bytes:
    return _encoder.encode(mark)


def decode_mark(data: bytes) -> Mark:
    return _decoder.decode(data)


def seen_in(headers: Headers) -> int:
    """The time in a record's header SEEN. Raises what int does."""
    for name, value in headers:
        if name == SEEN and value is not None:
            return int(value)
    return ALWAYS
