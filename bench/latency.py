"""From produce to consume, record by record, at a rate that loads nobody: what somebody who waits would notice.

librdkafka waits `linger.ms` (5 by default) before it sends, so the row with defaults starts at five milliseconds; the
row with `linger.ms=0` is the broker's own.
"""

from __future__ import annotations

import struct
import threading
import time
from dataclasses import dataclass

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.topics import client, reader


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the call of `produce` to the return of `poll`."""

    p50_ms: float
    p99_ms: float


def run(
    bootstrap: str, topic: str, *, seconds: float, records_per_second: int = 500, linger_ms: float | None = None
) -> Latency:
    """Send records of 100 bytes evenly to partition 0 while a consumer follows. Raises TimeoutError."""
    count = int(seconds * records_per_second)
    consumer = Consumer(reader(bootstrap))
    consumer.assign([TopicPartition(topic, 0, 0)])
    waits: list[int] = []

    def follow() -> None:
        deadline = time.monotonic() + seconds + 30
        while len(waits) < count + 1 and time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                waits.append(time.perf_counter_ns() - struct.unpack_from(">q", message.value() or b"")[0])

    follower = threading.Thread(target=follow, name="latency consumer")
    follower.start()
    producer = Producer(client(bootstrap) | ({} if linger_ms is None else {"linger.ms": linger_ms}))
    _send(producer, topic)
    producer.flush(30)
    began = time.perf_counter()
    for number in range(count):
        time.sleep(max(0.0, began + number / records_per_second - time.perf_counter()))
        _send(producer, topic)
    producer.flush(30)
    follower.join()
    consumer.close()
    producer.close()
    if len(waits) <= count:
        raise TimeoutError(f"{len(waits)} of {count + 1} records were consumed")
    ordered = sorted(waits[1:])  # the first one waited for connections
    return Latency(ordered[len(ordered) // 2] / 1e6, ordered[len(ordered) * 99 // 100] / 1e6)


def _send(producer: Producer, topic: str) -> None:
    producer.produce(topic, struct.pack(">q", time.perf_counter_ns()) + bytes(92), partition=0)
