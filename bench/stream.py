"""Bulk without a client library: batches encoded beforehand, and replies that nobody looks inside.

    Writer   five requests under way, as Java's and librdkafka's producers have; every reply: error 0, the next offset
    read     a fetch at a time; every batch: begins where the one before ended

So the broker is at its end before the bench is, which a client library with its work for each record is not.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from bench import frames
from bench.wire import Wire, Wrong

BATCH_BYTES: Final = 900_000
"""Of values: with what surrounds them a batch stays below `max.message.bytes`."""
UNDER_WAY: Final = 5
RECORD_BYTES: Final = 1000


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

    def __init__(self, port: int, topic: str, *, records: int, value_bytes: int = RECORD_BYTES) -> None:
        self.wire = Wire(port)
        value = (b"0123456789abcdef" * (value_bytes // 16 + 1))[:value_bytes]
        batch = frames.batch(*[value] * records, timestamp_ms=time.time_ns() // 1_000_000)
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


def write(port: int, topic: str, *, size: int, seconds: float = 0.0, value_bytes: int = RECORD_BYTES) -> Streamed:
    """Write so many bytes, and for so long at least. Raises Wrong."""
    writer = Writer(port, topic, records=BATCH_BYTES // value_bytes, value_bytes=value_bytes)
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


def read(port: int, topic: str, *, end: int, seconds: float = 0.0) -> Streamed:
    """Read partition 0 from its start to an offset, again and again for so long at least. Raises Wrong."""
    frame, reply = frames.FetchFrame.of(topic, 0), frames.FetchReply(topic)
    records = size = number = 0
    with Wire(port, reply_bytes_max=4 * frames.FETCH_BYTES) as wire:
        began = time.perf_counter()
        while not records or time.perf_counter() - began < seconds:
            at, silent = 0, 0
            while at < end:
                number += 1
                wire.send(frame.ask(number, at))
                got = wire.receive()
                before, at = at, _next(reply, wire, got, number, at)
                size += got
                silent = silent + 1 if at == before else 0
                if silent > 20:
                    raise Wrong(f"{silent} fetches brought nothing from offset {at} of {end}")
            records += at
        return Streamed(records, size, time.perf_counter() - began)


def _next(reply: frames.FetchReply, wire: Wire, size: int, number: int, at: int) -> int:
    """The offset to read from next, once the batches are what they should be."""
    correlation, error, batches = reply.parse(wire.buffer, size)
    if correlation != number or error:
        raise Wrong(f"fetch {number} was answered as {correlation} with error {error}")
    for first, last in batches:
        if not first <= at <= last:
            raise Wrong(f"a batch of offsets {first} to {last} where {at} should come")
        at = last + 1
    return at
