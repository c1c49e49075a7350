"""A broker that was killed with much in its log: how long until it answers, and until the last record can be read.

    fill ─▶ kill -9 ─▶ start ─▶ first answer ─▶ the last batch read

The kill takes the process, not the page cache: what is measured is the broker's own work, not the disk's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench import frames, stream
from bench.brokers import BrokerProcess
from bench.topics import make
from bench.wire import Wire, Wrong


@dataclass(frozen=True, slots=True)
class Recovered:
    """Seconds from the start of the new process."""

    answer_s: float
    record_s: float


def run(broker: BrokerProcess, *, size: int) -> Recovered:
    """Fill a broker that is running and has nothing to lose, kill it, and start it again. Raises Wrong."""
    topic = make(broker.bootstrap, partitions=1)
    written = stream.write(broker.port, topic, size=size)
    broker.kill()
    began = time.perf_counter()
    answer_s = broker.start(timeout_s=600.0)
    _read_last(broker.port, topic, written.records)
    return Recovered(answer_s, time.perf_counter() - began)


def _read_last(port: int, topic: str, end: int) -> None:
    """Until a fetch of the last offset brings its batch."""
    frame, reply = frames.FetchFrame.of(topic, 0), frames.FetchReply(topic)
    deadline = time.monotonic() + 600
    with Wire(port, reply_bytes_max=4 * frames.FETCH_BYTES) as wire:
        while time.monotonic() < deadline:
            wire.send(frame.ask(1, end - 1))
            size = wire.receive()
            _, error, batches = reply.parse(wire.buffer, size)
            if not error and batches and batches[-1][1] == end - 1:
                return
            time.sleep(0.005)
    raise Wrong(f"the record at {end - 1} could not be read again (error {error})")
