"""The broker ends and comes back, on the same folder and port, and its clients go on."""

from __future__ import annotations

import time
from typing import Final

import confluent_kafka
import pytest

from tests.clients.adapters import CLIENTS, DEADLINE_S, Client, Restartable, Send

pytestmark = pytest.mark.slow


def _stop_and_start(broker: Restartable) -> None:
    broker.restart()


def _kill_and_start(broker: Restartable) -> None:
    broker.kill()
    broker.start()


INTERRUPTIONS: Final = (_stop_and_start, _kill_and_start)
"""A clean end and kill -9: what was acknowledged must not tell them apart."""


def test_topics_records_and_configs_survive(restartable: Restartable, kind: type[Client]) -> None:
    client = kind(restartable.bootstrap)
    client.create("rides", partitions=3, message_timestamp_type="LogAppendTime")
    sent = [Send(b"%d" % number, b"k", (("h", b"v"),)) for number in range(500)]
    client.produce("rides", sent, partition=2, codec="gzip")
    before = client.consume("rides", 500, partition=2)
    for interrupt in INTERRUPTIONS:
        interrupt(restartable)
        assert client.topics()["rides"] == 3
        assert client.consume("rides", 500, partition=2) == before
    assert client.produce("rides", [Send(b"more", timestamp=1)], partition=2) == [500]
    assert client.consume("rides", 1, partition=2, start=500)[0].timestamp > 1
    assert [client.ends("rides", partition) for partition in range(3)] == [(0, 0), (0, 0), (0, 501)]


def test_a_group_goes_on_where_it_committed(restartable: Restartable, kind: type[Client]) -> None:
    client = kind(restartable.bootstrap)
    client.create("rides")
    client.produce("rides", [Send(b"%d" % number) for number in range(30)])
    assert [record.offset for record in client.consume_in_group("rides", 10, group="pricing")] == list(range(10))
    _kill_and_start(restartable)
    assert [record.offset for record in client.consume_in_group("rides", 10, group="pricing")] == list(range(10, 20))
    _stop_and_start(restartable)
    assert [record.offset for record in client.consume_in_group("rides", 10, group="pricing")] == list(range(20, 30))


def test_an_idempotent_producer_that_lives_through_it_loses_and_doubles_nothing(restartable: Restartable) -> None:
    """Its sequences continue: what it sends again after the interruption is recognised."""
    CLIENTS[0](restartable.bootstrap).create("rides")
    failures: list[str] = []

    def delivered(error: confluent_kafka.KafkaError | None, _: confluent_kafka.Message) -> None:
        if error is not None:
            failures.append(error.str())

    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": restartable.bootstrap,
            "enable.idempotence": True,
            "linger.ms": 0,
            "reconnect.backoff.max.ms": 100,
            "log_level": 0,
        }
    )
    for number in range(3000):
        producer.produce("rides", b"%d" % number, on_delivery=delivered)
        producer.poll(0)
        if number % 1000 == 500:
            INTERRUPTIONS[number // 1000 % 2](restartable)
    assert producer.flush(DEADLINE_S) == 0
    producer.close()
    assert failures == []
    assert _read_all(restartable.bootstrap, "rides") == [b"%d" % number for number in range(3000)]


def test_an_open_consumer_goes_on_by_itself(restartable: Restartable) -> None:
    """A connection that breaks under a long poll is the client's to open again."""
    client = CLIENTS[0](restartable.bootstrap)
    client.create("rides")
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": restartable.bootstrap,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "reconnect.backoff.max.ms": 100,
            "log_level": 0,
        }
    )
    consumer.assign([confluent_kafka.TopicPartition("rides", 0, 0)])
    for number, interrupt in enumerate(INTERRUPTIONS):
        client.produce("rides", [Send(b"%d before" % number)])
        assert _next(consumer) == b"%d before" % number
        interrupt(restartable)
        client.produce("rides", [Send(b"%d after" % number)])
        assert _next(consumer) == b"%d after" % number
    consumer.close()


def _next(consumer: confluent_kafka.Consumer) -> bytes | None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            return message.value()
    raise AssertionError("nothing came in time")


def _read_all(bootstrap: str, topic: str) -> list[bytes | None]:
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "all", "log_level": 0})
    where = confluent_kafka.TopicPartition(topic, 0, 0)
    _, end = consumer.get_watermark_offsets(where, timeout=DEADLINE_S)
    consumer.assign([where])
    values = [_next(consumer) for _ in range(end)]
    consumer.close()
    return values
