"""Many clients that each wait for their reply: one process, one epoll, requests encoded beforehand.

    client 0 ──┐  send, wait, check, send again            every reply: its own correlation id, error 0;
    client 1 ──┤                                           every partition: base offsets that add up to
    …          ├──> broker                                 0 + 1 + … + (records - 1), so none is lost or doubled
    client n ──┘

The loop is lean so that the broker is what is measured; meter.py says how much of a core it takes itself.
"""

from __future__ import annotations

import gc
import select
import socket
import time
from collections import Counter
from dataclasses import dataclass

from bench import frames
from bench.brokers import receive
from bench.wire import Wrong


@dataclass(frozen=True, slots=True)
class Small:
    """What one run came to."""

    requests: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


class Client:
    """One connection with one request under way."""

    __slots__ = ("_buffer", "_correlation", "_idempotent", "_parse", "_size", "frame", "offsets", "partition", "socket")

    def __init__(
        self, port: int, topic: str, partition: int, reply: frames.ProduceReply, value: bytes, *, idempotent: bool
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.partition = partition
        self.offsets: list[int] = []
        self._correlation = 0
        self._buffer = bytearray(reply.size)
        self._size, self._parse = reply.size, reply.parse
        self._idempotent = idempotent
        producer_id, epoch = self._producer() if idempotent else (-1, -1)
        now = time.time_ns() // 1_000_000
        records = frames.batch(value, timestamp_ms=now, producer_id=producer_id, producer_epoch=epoch)
        self.frame = frames.ProduceFrame.of(topic, partition, bytes(records))

    def _producer(self) -> tuple[int, int]:
        deadline = time.monotonic() + 30
        while True:
            self.socket.sendall(frames.init_producer_id())
            error, producer_id, epoch = frames.parse_init_producer_id(receive(self.socket))
            if not error:
                return producer_id, epoch
            if time.monotonic() > deadline:
                raise Wrong(f"InitProducerId was still answered with error {error} after 30 seconds")
            time.sleep(0.02)  # Kafka asks its controller for a block of ids first

    def send(self) -> None:
        """Send the next request."""
        if self._idempotent:
            self.frame.sequence(self._correlation & 0x7FFFFFFF)
        self._correlation += 1
        self.frame.number(self._correlation)
        self.socket.sendall(self.frame.frame)

    def receive(self) -> None:
        """Take the reply and check it. Raises Wrong."""
        size = self.socket.recv_into(self._buffer)
        while 4 <= size < self._size and self._buffer[:4] == (self._size - 4).to_bytes(4):
            more = self.socket.recv_into(memoryview(self._buffer)[size:])
            size = size + more if more else -1
        if size != self._size:
            raise Wrong(f"a reply of {size} bytes to a Produce request, {self._size} expected: {bytes(self._buffer)!r}")
        correlation, error, offset = self._parse(self._buffer)
        if correlation != self._correlation or error:
            raise Wrong(f"request {self._correlation} was answered as {correlation} with error {error}")
        self.offsets.append(offset)


def run(
    port: int,
    topic: str,
    *,
    clients: int,
    partitions: int,
    seconds: float,
    value_bytes: int = 100,
    idempotent: bool = False,
) -> Small:
    """Let so many clients produce to a fresh topic for so long. Raises Wrong when an answer is not right."""
    reply = frames.ProduceReply(topic)
    value = bytes(range(256)) * (value_bytes // 256 + 1)
    crowd = [
        Client(port, topic, number % partitions, reply, value[:value_bytes], idempotent=idempotent)
        for number in range(clients)
    ]
    try:
        outcome = _drive(crowd, seconds)
    finally:
        for client in crowd:
            client.socket.close()
    check_offsets(crowd)
    return outcome


def _drive(crowd: list[Client], seconds: float) -> Small:
    poll = select.epoll()
    by_descriptor = {client.socket.fileno(): client for client in crowd}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        deadline = began + seconds
        for client in crowd:
            client.send()
        waiting = len(crowd)
        while waiting:
            ready = poll.poll(30)
            if not ready:
                raise Wrong("no reply for 30 seconds")
            more = time.perf_counter() < deadline
            for descriptor, _ in ready:
                client = by_descriptor[descriptor]
                client.receive()
                if more:
                    client.send()
                else:
                    waiting -= 1
        elapsed = time.perf_counter() - began
    finally:
        gc.enable()
        poll.close()
    return Small(sum(len(client.offsets) for client in crowd), elapsed)


def check_offsets(crowd: list[Client]) -> None:
    """Whether the offsets that clients were given are each one there is. Raises Wrong."""
    counts: Counter[int] = Counter()
    sums: Counter[int] = Counter()
    for client in crowd:
        if any(later <= earlier for earlier, later in zip(client.offsets, client.offsets[1:], strict=False)):
            raise Wrong(f"offsets of one client on partition {client.partition} went back")
        counts[client.partition] += len(client.offsets)
        sums[client.partition] += sum(client.offsets)
    for partition, count in counts.items():
        if sums[partition] != count * (count - 1) // 2:
            raise Wrong(f"partition {partition}: {count} records, but their offsets do not add up")
