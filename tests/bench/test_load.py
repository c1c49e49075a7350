"""The load generator: its frames are what Drave's own decoder reads, and it notices an answer that is wrong."""

from __future__ import annotations

import pytest

from bench import frames, small
from bench.wire import Wrong
from drave import records
from drave.model.errors import ErrorCode
from drave.testing import Broker
from drave.wire.frames import decode_request
from tests.net.raw import Connection


@pytest.mark.parametrize("producer_id", [-1, 7])
def test_a_frame_holds_one_good_batch_whatever_is_patched_in(producer_id: int) -> None:
    """Encoded by hand, decoded by the broker's own code: correlation id, topic, sequence and checksum."""
    batch = frames.batch(
        b"x" * 100, timestamp_ms=1, producer_id=producer_id, producer_epoch=0 if producer_id > 0 else -1
    )
    frame = frames.ProduceFrame.of("rides", 3, bytes(batch))
    frame.number(41)
    if producer_id >= 0:
        frame.sequence(1234)
    header, request = decode_request(bytes(frame.frame)[4:])
    assert (header.api_key, header.api_version, header.correlation_id) == (0, frames.PRODUCE_VERSION, 41)
    assert request.acks == -1
    (data,) = request.topic_data[0].partition_data
    assert (request.topic_data[0].name, data.index) == ("rides", 3)
    sent = records.parse_header(data.records)
    records.check(sent, data.records)
    assert (sent.count, sent.producer_id, sent.base_sequence) == (1, producer_id, 1234 if producer_id >= 0 else -1)


@pytest.mark.parametrize("idempotent", [False, True])
def test_every_client_is_answered_and_offsets_add_up(idempotent: bool) -> None:
    with Broker(num_partitions=4) as broker:
        with Connection(broker.port) as connection:
            assert connection.create("rides") == ErrorCode.NONE
        run = small.run(broker.port, "rides", clients=6, partitions=4, seconds=0.1, idempotent=idempotent)
        with Connection(broker.port) as connection:
            ends = [connection.end("rides", partition=partition)[1] for partition in range(4)]
    assert run.requests == sum(ends) > 0


def test_records_that_somebody_else_wrote_are_noticed() -> None:
    """The generator expects a topic of its own; what does not add up is an error, not a figure."""
    with Broker() as broker:
        with Connection(broker.port) as connection:
            assert connection.create("rides") == ErrorCode.NONE
        small.run(broker.port, "rides", clients=1, partitions=1, seconds=0.05)
        with pytest.raises(Wrong, match="do not add up"):
            small.run(broker.port, "rides", clients=1, partitions=1, seconds=0.05)


def test_a_refusal_is_noticed() -> None:
    with Broker(auto_create_topics=False) as broker, pytest.raises(Wrong):
        small.run(broker.port, "not-there", clients=1, partitions=1, seconds=0.05)
