"""How long small requests take at an even rate that the broker can bear: the middle, and the tail.

    open loop, rate r: a request is due every 1/r seconds, whatever became of the others
                       a wait counts from the moment it was due, not from its sending

so a broker that stops for a moment pays for all who came meanwhile (no coordinated omission).
"""

from __future__ import annotations

import gc
import select
import time
from collections import deque
from dataclasses import dataclass

from bench import frames, small
from bench.wire import Wrong


@dataclass(frozen=True, slots=True)
class Tail:
    """Milliseconds from the moment at which a request was due to its reply."""

    p50_ms: float
    p99_ms: float
    p999_ms: float


def run(port: int, topic: str, *, rate: float, clients: int, partitions: int, seconds: float) -> Tail:
    """Send so many requests a second, evenly, over so many connections to a fresh topic. Raises Wrong."""
    reply = frames.ProduceReply(topic)
    crowd = [
        small.Client(port, topic, number % partitions, reply, bytes(100), idempotent=False) for number in range(clients)
    ]
    gc.collect()
    gc.disable()
    try:
        waits = sorted(_drive(crowd, rate, int(rate * seconds)))
    finally:
        gc.enable()
        for client in crowd:
            client.socket.close()
    small.check_offsets(crowd)
    ranks = [waits[min(len(waits) - 1, int(len(waits) * share))] * 1000 for share in (0.5, 0.99, 0.999)]
    return Tail(*ranks)


def _drive(crowd: list[small.Client], rate: float, count: int) -> list[float]:
    """Every wait, in seconds. A request that finds no client idle is sent, late, by the next one that is."""
    clock = time.perf_counter
    idle = deque(crowd)
    due_of: dict[int, float] = {}
    by_descriptor = {client.socket.fileno(): client for client in crowd}
    waits: list[float] = []
    poll = select.epoll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    began, sent = clock(), 0
    while len(waits) < count:
        due = began + sent / rate
        while sent < count and idle and due <= clock():
            client = idle.popleft()
            due_of[client.socket.fileno()] = due
            client.send()
            sent += 1
            due = began + sent / rate
        # epoll waits in whole milliseconds; select, asked about the epoll itself, in microseconds
        pause = 30.0 if sent == count or not idle else max(0.0, due - clock())
        if not select.select([poll], [], [], pause)[0]:
            if pause == 30.0:
                raise Wrong("no reply for 30 seconds")
            continue
        for descriptor, _ in poll.poll(0):
            client = by_descriptor[descriptor]
            client.receive()
            waits.append(clock() - due_of[descriptor])
            idle.append(client)
    poll.close()
    return waits
