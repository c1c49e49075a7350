"""Very many connections: how long until all of them are open and answered, and what each costs the broker in memory.

How fast they are served when all of them are at work is a row of small.py.
"""

from __future__ import annotations

import contextlib
import select
import time
from dataclasses import dataclass

from bench import frames
from bench.brokers import BrokerProcess, receive
from bench.wire import Wrong, connect


@dataclass(frozen=True, slots=True)
class Opened:
    """What one run came to."""

    seconds: float
    bytes_each: float
    """How much the broker's resident memory grew; below zero where the growth is lost in its noise."""


def run(broker: BrokerProcess, *, connections: int) -> Opened:
    """Open so many, ask on each for the broker's versions, and wait for every answer. Raises Wrong."""
    resident = broker.resident_bytes()
    with contextlib.ExitStack() as stack:
        poll = stack.enter_context(contextlib.closing(select.epoll()))
        waiting = {}
        began = time.perf_counter()
        for _ in range(connections):
            opened = stack.enter_context(connect(broker.port))
            poll.register(opened, select.EPOLLIN)
            waiting[opened.fileno()] = opened
            opened.sendall(frames.api_versions())
        while waiting:
            ready = poll.poll(30)
            if not ready:
                raise Wrong(f"{len(waiting)} of {connections} connections had no answer for 30 seconds")
            for descriptor, _ in ready:
                poll.unregister(descriptor)
                if receive(waiting.pop(descriptor))[8:10] != b"\0\0":
                    raise Wrong("ApiVersions was answered with an error")
        elapsed = time.perf_counter() - began
        grown = broker.resident_bytes() - resident
    return Opened(elapsed, grown / connections)
