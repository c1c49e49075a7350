"""Clients over a quota: they are told to wait, they do, and nothing is lost."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import confluent_kafka
import pytest

from drave.testing import Broker
from drave.wire.frames import decode_reply, encode_request
from drave.wire.messages.k49_alter_client_quotas import AlterClientQuotasRequest, EntityData, EntryData, OpData
from tests.clients.adapters import Client, Running, Send

RATE = 100_000.0
WINDOWS = 2
"""Of a second: what is used in one go may be so much as one of them brings, and waits are short."""
VALUE = os.urandom(1000)


@pytest.fixture
def limited() -> Iterator[Running]:
    """A broker of the test's own, on which everybody has quotas."""
    if os.environ.get("BOOTSTRAP") or os.environ.get("AGAINST"):
        pytest.skip("the windows of its quotas are other ones")
    with Broker(quota_windows=WINDOWS) as broker:
        _limit(broker, "producer_byte_rate", "consumer_byte_rate")
        yield broker


def _limit(broker: Running, *keys: str) -> None:
    """In bytes, for few client libraries have AlterClientQuotas."""
    entity = [EntityData(entity_type="user", entity_name="ANONYMOUS")]
    ops = [OpData(key=key, value=RATE, remove=False) for key in keys]
    asked = AlterClientQuotasRequest(entries=[EntryData(entity=entity, ops=ops)], validate_only=False)
    host, _, port = broker.bootstrap.partition(",")[0].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=100) as connection:
        connection.sendall(b"".join(encode_request(49, 1, 1, "test", asked)))
        size = int.from_bytes(connection.recv(4, socket.MSG_WAITALL))
        _, response = decode_reply(49, 1, connection.recv(size, socket.MSG_WAITALL))
    assert [entry.error_code for entry in response.entries] == [0]


def test_what_is_sent_and_read_more_quickly_than_allowed_arrives_whole(kind: type[Client], limited: Running) -> None:
    client = kind(limited.bootstrap)
    client.create("topic")
    sent = [Send(b"%d " % number + VALUE) for number in range(150)]
    assert client.produce("topic", sent) == list(range(150))
    assert [record.value for record in client.consume("topic", 150)] == [record.value for record in sent]


def test_librdkafka_tells_its_producer_that_it_has_to_wait(limited: Running) -> None:
    heard: list[Any] = []
    producer = confluent_kafka.Producer({"bootstrap.servers": limited.bootstrap, "throttle_cb": heard.append})
    for _ in range(3):
        for _ in range(60):
            producer.produce("topic", VALUE)
        assert producer.flush(100) == 0
    assert heard
    assert all(event.throttle_time > 0 for event in heard)


def test_librdkafka_tells_its_consumer_that_it_has_to_wait(limited: Running) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": limited.bootstrap, "batch.size": 20_000})
    for _ in range(150):
        producer.produce("topic", VALUE)
    assert producer.flush(100) == 0
    heard: list[Any] = []
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": limited.bootstrap,
            "group.id": "group",
            "auto.offset.reset": "earliest",
            "throttle_cb": heard.append,
            "fetch.message.max.bytes": 50_000,
        }
    )
    consumer.assign([confluent_kafka.TopicPartition("topic", 0, 0)])
    read = 0
    while read < 150 or not heard:
        read += len(consumer.consume(150, 30))
    consumer.close()
    assert read == 150
    assert max(event.throttle_time for event in heard) > 0
