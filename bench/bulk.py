"""One client that sends, and one that reads, as fast as they can: confluent-kafka with its defaults.

The client is often what limits these rows, above all for small records; the processor time of the broker for each GB
that passed is the row beside them that no client can hide.
"""

from __future__ import annotations

import time
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.topics import client, reader

CHUNK: Final = 1_000
QUEUED_MAX: Final = 90_000
"""Below librdkafka's default `queue.buffering.max.messages`."""


class Short(Exception):
    """Fewer records than were sent, or more."""


def produce(bootstrap: str, topic: str, *, records: int, value_bytes: int) -> float:
    """Send so many records to partition 0 and wait for all acknowledgements; seconds."""
    value = (b"0123456789abcdef" * (value_bytes // 16 + 1))[:value_bytes]
    chunk = [{"value": value} for _ in range(CHUNK)]
    producer = Producer(client(bootstrap))
    producer.list_topics(topic, timeout=30)
    began = time.perf_counter()
    for _ in range(records // CHUNK):
        producer.produce_batch(topic, chunk, partition=0)
        while len(producer) > QUEUED_MAX:
            producer.poll(0.001)
    if left := producer.flush(60):
        raise Short(f"{left} records were not acknowledged within a minute")
    elapsed = time.perf_counter() - began
    producer.close()
    return elapsed


def consume(bootstrap: str, topic: str, *, records: int) -> float:
    """Read partition 0 from its start until so many records have come; seconds from the assignment."""
    consumer = Consumer(reader(bootstrap))
    where = TopicPartition(topic, 0, 0)
    low, high = consumer.get_watermark_offsets(where, timeout=30)
    if high - low != records:
        raise Short(f"{high - low} records in {topic}, {records} were sent")
    began = time.perf_counter()
    consumer.assign([where])
    count = 0
    while count < records:
        messages = consumer.consume(min(CHUNK, records - count), timeout=10)
        if not messages:
            raise Short(f"{count} of {records} records came, then nothing for ten seconds")
        count += len(messages)
    elapsed = time.perf_counter() - began
    if count != records:
        raise Short(f"{count} records came, {records} were sent")
    consumer.close()
    return elapsed
