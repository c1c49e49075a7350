"""One client that sends, and one that reads, as fast as they can: confluent-kafka with its defaults.

The client is often what limits these rows, above all for small records; the processor time of the broker for each GB
that passed is the row beside them that no client can hide.
"""

from __future__ import annotations

import random
import time
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.topics import client, reader

CHUNK: Final = 1_000
QUEUED_MAX: Final = 90_000
"""Below librdkafka's default `queue.buffering.max.messages`."""


class Short(Exception):
    """Fewer records than were sent, or more."""


def values(value_bytes: int, codec: str) -> list[bytes]:
    """What is sent. For a codec, values as alike as records of one topic are: field names that repeat, figures that do
    not; the codecs make four to eight times less of them.
    """
    if codec == "none":
        return [(b"0123456789abcdef" * (value_bytes // 16 + 1))[:value_bytes]] * CHUNK
    chance = random.Random(value_bytes)
    return [_rides(chance, value_bytes) for _ in range(CHUNK)]


def _rides(chance: random.Random, size: int) -> bytes:
    text = ""
    while len(text) < size:
        zone, fare, miles = chance.randrange(265), chance.random() * 60, chance.random() * 20
        text += f'{{"zone": {zone}, "fare": {fare:.2f}, "miles": {miles:.1f}, "paid": "card"}},'
    return text[:size].encode()


def produce(bootstrap: str, topic: str, *, records: int, value_bytes: int, codec: str = "none") -> float:
    """Send so many records to partition 0 and wait for all acknowledgements; seconds."""
    chunk = [{"value": value} for value in values(value_bytes, codec)]
    producer = Producer(client(bootstrap) | {"compression.type": codec})
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
