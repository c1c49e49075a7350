"""What a client sends is what a client reads: bytes, order, headers and time."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from drave.model.errors import ErrorCode
from tests.clients.adapters import Client, Refusal, Send

LONG_AGO_MS = 1_551_398_400_000
"""2019-03-01, so that nobody can take a record's own time for the broker's."""


@pytest.mark.parametrize("acks", ["1", "all"])
def test_every_record_is_acknowledged_with_the_offset_under_which_it_is_read(
    client: Client, topic: str, acks: str
) -> None:
    """Offsets of one partition are contiguous from 0, in the order of sending."""
    sent = [Send(b"record %d" % number, timestamp=LONG_AGO_MS + number) for number in range(200)]
    offsets = client.produce(topic, sent, acks=acks)
    got = client.consume(topic, 200)
    assert offsets == [record.offset for record in got] == list(range(200))
    assert [record.value for record in got] == [record.value for record in sent]
    assert [record.timestamp for record in got] == [record.timestamp for record in sent]


def test_without_acknowledgements_records_arrive_all_the_same(client: Client, topic: str) -> None:
    """acks=0: the broker stays silent, and the connection stays good for the next request."""
    sent = [Send(b"%d" % number) for number in range(100)]
    client.produce(topic, sent, acks="0")
    assert [record.value for record in client.consume(topic, 100)] == [record.value for record in sent]


def test_an_idempotent_producer_sends_each_record_once(client: Client, topic: str) -> None:
    """KIP-98: sequence numbers from a producer id that the broker gave."""
    sent = [Send(b"%d" % number) for number in range(300)]
    assert client.produce(topic, sent, idempotent=True) == list(range(300))
    assert [record.value for record in client.consume(topic, 300)] == [record.value for record in sent]
    assert client.ends(topic) == (0, 300)


def test_keys_values_and_headers_come_back_as_they_were(client: Client, topic: str) -> None:
    """Null and empty are two things; a header may come twice, and its name is Unicode."""
    headers = (("trace", b"1"), ("trace", b"2"), ("zone-été", b"\x00\xff"))
    sent = [
        Send(b"value", b"key", headers, LONG_AGO_MS),
        Send(None, b"tombstone", (), LONG_AGO_MS + 1),
        Send(b"", b"", (), LONG_AGO_MS + 2),
        Send(bytes(range(256)), None, (("empty", b""),), LONG_AGO_MS + 3),
    ]
    client.produce(topic, sent)
    got = client.consume(topic, len(sent))
    assert [(record.value, record.key, record.headers, record.timestamp) for record in got] == sent


def test_a_record_without_a_time_gets_the_time_of_sending(client: Client, topic: str) -> None:
    client.produce(topic, [Send(b"before", timestamp=LONG_AGO_MS)])
    client.produce(topic, [Send(b"now")])
    before, now = client.consume(topic, 2)
    assert before.timestamp == LONG_AGO_MS
    assert now.timestamp > LONG_AGO_MS + 1000


def test_a_topic_with_log_append_time_stamps_records_itself(client: Client, name: Callable[[], str]) -> None:
    """The broker's own time wins, and the checksum is right again: every client checks it."""
    topic = name()
    client.create(topic, message_timestamp_type="LogAppendTime")
    client.produce(topic, [Send(b"%d" % number, timestamp=LONG_AGO_MS) for number in range(10)], codec="gzip")
    assert all(record.timestamp > LONG_AGO_MS + 1000 for record in client.consume(topic, 10))


def test_a_consumer_starts_where_it_is_told_even_in_the_middle_of_a_batch(client: Client, topic: str) -> None:
    """The broker returns the whole batch that holds the offset; the client drops what comes before."""
    client.produce(topic, [Send(b"%d" % number) for number in range(100)])
    assert [record.offset for record in client.consume(topic, 3, start=57)] == [57, 58, 59]


def test_a_time_finds_the_first_record_at_or_after_it(client: Client, topic: str) -> None:
    """ListOffsets by timestamp: between records, on one, before all and after all; within a batch and between two."""
    sent = [Send(b"%d" % number, timestamp=LONG_AGO_MS + 1000 * number) for number in range(10)]
    client.produce(topic, sent[:5])
    client.produce(topic, sent[5:])
    assert client.offset_for_time(topic, LONG_AGO_MS - 1) == 0
    assert client.offset_for_time(topic, LONG_AGO_MS + 4000) == 4
    assert client.offset_for_time(topic, LONG_AGO_MS + 4001) == 5
    assert client.offset_for_time(topic, LONG_AGO_MS + 9001) is None


def test_a_large_record_passes_whole(client: Client, topic: str) -> None:
    """Just under Kafka's default `max.message.bytes`, in bytes that no codec could make smaller."""
    value = os.urandom(1_000_000)
    client.produce(topic, [Send(value)])
    assert client.consume(topic, 1)[0].value == value


def test_a_record_above_the_topics_bound_is_refused_and_the_next_one_is_taken(client: Client, topic: str) -> None:
    with pytest.raises(Refusal) as refusal:
        client.produce(topic, [Send(os.urandom(2_000_000))])
    assert refusal.value.code == ErrorCode.MESSAGE_TOO_LARGE
    assert client.produce(topic, [Send(b"small")]) == [0]


def test_records_of_one_key_stay_in_one_partition_in_order(client: Client, name: Callable[[], str]) -> None:
    topic = name()
    client.create(topic, partitions=2)
    sent = [Send(b"%d" % number, b"key %d" % (number % 10)) for number in range(200)]
    client.produce(topic, sent, partition=None)
    where: dict[bytes | None, set[int]] = {}
    seen: dict[bytes | None, list[bytes | None]] = {}
    for partition in range(2):
        _, end = client.ends(topic, partition)
        for record in client.consume(topic, end, partition=partition):
            where.setdefault(record.key, set()).add(partition)
            seen.setdefault(record.key, []).append(record.value)
    assert all(len(partitions) == 1 for partitions in where.values())
    assert seen == {b"key %d" % k: [b"%d" % number for number in range(k, 200, 10)] for k in range(10)}


def test_producing_to_an_unknown_topic_creates_it(client: Client, name: Callable[[], str]) -> None:
    """`auto.create.topics.enable`, on by default as in Kafka, with `num.partitions`."""
    topic = name()
    assert client.produce(topic, [Send(b"first")], partition=None) == [0]
    assert client.topics()[topic] == 1
    assert client.consume(topic, 1)[0].value == b"first"
