"""Bulk without a client library: batches encoded beforehand, and replies that nobody looks inside.

    Writer   five requests under way, as Java's and librdkafka's producers have; every reply: error 0, the next offset
    Reader   one fetch under way, and two of them: every batch begins where the one before ended

So the broker is at its end before the bench is, which a client library with its work for each record is not.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Final

from bench import bulk, frames
from bench.wire import Wire, Wrong

BATCH_BYTES: Final = 900_000
"""Of values: with what surrounds them a batch stays below `max.message.bytes`."""
UNDER_WAY: Final = 5
RECORD_BYTES: Final = 1000
READERS: Final = 2
"""While the bench takes one reply, the broker has another request to work on."""
SILENT_MAX: Final = 20
"""So many fetches in a row may find nothing."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """What one run came to."""

    records: int
    bytes: int
    seconds: float

    @property
    def rate_mb(self) -> float:
        return self.bytes / 1e6 / self.seconds


class Writer:
    """A connection that writes batches of equal size to partition 0 of a topic that is its own."""

    def __init__(
        self, port: int, topic: str, *, records: int, value_bytes: int = RECORD_BYTES, codec: str = "none"
    ) -> None:
        self.wire = Wire(port)
        values = itertools.islice(itertools.cycle(bulk.values(value_bytes, codec)), records)
        batch = frames.batch(*values, timestamp_ms=time.time_ns() // 1_000_000, codec=codec)
        self.bytes = records * value_bytes
        self.end = 0
        """The offset after the last record that was acknowledged."""
        self._records = records
        self._frame = frames.ProduceFrame.of(topic, 0, bytes(batch))
        self._reply = frames.ProduceReply(topic)
        self._sent = 0
        self._answered = 0

    @property
    def under_way(self) -> int:
        return self._sent - self._answered

    def send(self) -> None:
        self._frame.number(self._sent)
        self.wire.send(self._frame.frame)
        self._sent += 1

    def receive(self) -> None:
        """Take the next reply. Raises Wrong."""
        size = self.wire.receive()
        if size != self._reply.size:
            raise Wrong(f"a reply of {size} bytes to a Produce request: {self.wire.buffer[:size]!r}")
        correlation, error, offset = self._reply.parse(self.wire.buffer)
        if (correlation, error, offset) != (self._answered, 0, self.end):
            raise Wrong(f"request {self._answered} was answered as {correlation}, error {error}, offset {offset}")
        self._answered += 1
        self.end += self._records


def write(
    port: int, topic: str, *, size: int, seconds: float = 0.0, value_bytes: int = RECORD_BYTES, codec: str = "none"
) -> Streamed:
    """Write so many bytes of values, and for so long at least. Raises Wrong."""
    writer = Writer(port, topic, records=BATCH_BYTES // value_bytes, value_bytes=value_bytes, codec=codec)
    with writer.wire:
        written, began = 0, time.perf_counter()
        while written < size or time.perf_counter() - began < seconds:
            writer.send()
            written += writer.bytes
            if writer.under_way == UNDER_WAY:
                writer.receive()
        while writer.under_way:
            writer.receive()
        return Streamed(writer.end, written, time.perf_counter() - began)


class Reader:
    """A connection that reads partition 0 from its start to an offset, and then from the start again."""

    def __init__(self, port: int, topic: str, end: int) -> None:
        self.wire = Wire(port, reply_bytes_max=4 * frames.FETCH_BYTES)
        self.passes = 0
        self._frame, self._reply = frames.FetchFrame.of(topic, 0), frames.FetchReply(topic)
        self._end = end
        self._at = self._number = self._silent = 0

    def ask(self) -> None:
        self._number += 1
        self.wire.send(self._frame.ask(self._number, self._at))

    def take(self) -> int:
        """Receive what was asked for, and check that its batches are the next ones; its size. Raises Wrong."""
        size = self.wire.receive()
        correlation, error, batches = self._reply.parse(self.wire.buffer, size)
        if correlation != self._number or error:
            raise Wrong(f"fetch {self._number} was answered as {correlation} with error {error}")
        for first, last in batches:
            if not first <= self._at <= last:
                raise Wrong(f"a batch of offsets {first} to {last} where {self._at} should come")
            self._at = last + 1
        self._silent = 0 if batches else self._silent + 1
        if self._silent > SILENT_MAX:
            raise Wrong(f"{self._silent} fetches brought nothing from offset {self._at} of {self._end}")
        if self._at >= self._end:
            self.passes += 1
            self._at = 0
        return size


def read(port: int, topic: str, *, end: int, seconds: float = 0.0) -> Streamed:
    """Let readers take turns until each has read all, and for so long at least. Raises Wrong."""
    readers = [Reader(port, topic, end) for _ in range(READERS)]
    try:
        size, began = 0, time.perf_counter()
        for reader in readers:
            reader.ask()
        while min(reader.passes for reader in readers) < 1 or time.perf_counter() - began < seconds:
            for reader in readers:
                size += reader.take()
                reader.ask()
        for reader in readers:
            size += reader.take()
        passes = sum(reader.passes for reader in readers)
        return Streamed(passes * end, size, time.perf_counter() - began)
    finally:
        for reader in readers:
            reader.wire.close()
