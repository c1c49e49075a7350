"""Every codec, written by each client and read by every other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients.adapters import CLIENTS, Client, Running, Send

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


@pytest.mark.parametrize("codec", CODECS)
def test_what_one_client_compresses_every_client_reads(
    kind: type[Client], broker: Running, topic: str, codec: str
) -> None:
    """The broker keeps the batch as it came: the codec is the producer's."""
    if codec not in kind.codecs:
        pytest.skip(f"{kind.name} cannot write {codec} here: it lacks a library")
    sent = [Send(b"the same words again and again, number %d " % number * 8, b"key") for number in range(300)]
    kind(broker.bootstrap).produce(topic, sent, codec=codec)
    for reader in CLIENTS:
        if codec in reader.codecs:
            got = reader(broker.bootstrap).consume(topic, len(sent))
            assert [(record.value, record.key) for record in got] == [(record.value, record.key) for record in sent], (
                f"{codec} from {kind.name} to {reader.name}"
            )


@pytest.mark.parametrize("wanted", CODECS[1:])
def test_a_topic_may_ask_for_its_own_codec(broker: Running, name: Callable[[], str], wanted: str) -> None:
    """`compression.type` of the topic: the broker compresses anew what came otherwise."""
    confluent, *_ = (kind(broker.bootstrap) for kind in CLIENTS)
    topic = name()
    confluent.create(topic, compression_type=wanted)
    sent = [Send(b"the same words again and again %d" % number) for number in range(100)]
    for number, codec in enumerate(CODECS):
        assert confluent.produce(topic, sent, codec=codec)[0] == number * 100
    for reader in CLIENTS:
        if wanted in reader.codecs:
            got = reader(broker.bootstrap).consume(topic, 500)
            assert [record.value for record in got] == [record.value for record in sent] * 5, reader.name
