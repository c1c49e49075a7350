"""What the bench encodes by hand is what Drave's own codec reads, and the other way round."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from bench import frames
from drave import records
from drave.wire.frames import decode_request, encode_reply
from drave.wire.messages.k00_produce import PartitionProduceResponse, ProduceResponse, TopicProduceResponse
from drave.wire.messages.k01_fetch import FetchableTopicResponse, FetchResponse, PartitionData
from drave.wire.messages.k11_join_group import JoinGroupResponse, JoinGroupResponseMember
from drave.wire.messages.k22_init_producer_id import InitProducerIdResponse
from drave.wire.messages.k26_end_txn import EndTxnResponse


def asked(frame: bytes | bytearray) -> Any:
    assert struct.unpack_from(">i", frame) == (len(frame) - 4,)
    return decode_request(bytes(frame[4:]))[1]


def told(key: int, version: int, response: Any) -> bytes:
    return b"".join(encode_reply(key, version, 7, response))


def test_a_batch_of_many_records_is_a_good_one() -> None:
    batch = bytes(frames.batch(b"first", b"", b"third", timestamp_ms=5))
    header = records.parse_header(batch)
    records.check(header, batch)
    assert [(record.offset, record.value, record.timestamp) for record in records.read_records(batch)] == [
        (0, b"first", 5),
        (1, b"", 5),
        (2, b"third", 5),
    ]


def test_a_transactional_batch_is_given_its_producer_each_time() -> None:
    batch = frames.batch(b"v", timestamp_ms=5, producer_id=0, producer_epoch=0, transactional=True)
    frame = frames.ProduceFrame.of("rides", 2, bytes(batch), transactional_id="tx")
    frame.producer(1 << 40, 7)
    request = asked(frame.frame)
    data = bytes(request.topic_data[0].partition_data[0].records)
    header = records.parse_header(data)
    records.check(header, data)
    assert request.transactional_id == "tx"
    assert header.is_transactional
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (1 << 40, 7, 0)


def test_a_transaction_begins_and_ends() -> None:
    begin = asked(frames.begin_transactions("tx"))
    assert (begin.transactional_id, begin.producer_id, begin.producer_epoch) == ("tx", -1, -1)
    end = asked(frames.end_transaction("tx", 1 << 40, 7))
    assert (end.transactional_id, end.producer_id, end.producer_epoch, end.committed) == ("tx", 1 << 40, 7, True)
    for key, version, response in (
        (22, 4, InitProducerIdResponse(error_code=3, producer_id=9, producer_epoch=2)),
        (26, 5, EndTxnResponse(error_code=3, producer_id=9, producer_epoch=2)),
    ):
        assert frames.parse_identity(told(key, version, response)) == (3, 9, 2)


@pytest.mark.parametrize("message", [None, "a sentence"])
def test_the_answer_to_a_transactional_batch_is_read(message: str | None) -> None:
    answer = PartitionProduceResponse(index=2, error_code=51, base_offset=10, error_message=message)
    response = ProduceResponse(responses=[TopicProduceResponse(name="rides", partition_responses=[answer])])
    told_ = told(frames.PRODUCE, frames.TRANSACTIONAL_PRODUCE_VERSION, response)
    assert frames.parse_transactional_produce(told_, "rides") == (51, 10)


def test_a_request_for_many_partitions_has_a_batch_for_each() -> None:
    batches = {index: bytes(frames.batch(b"%d" % index, timestamp_ms=1)) for index in range(200)}
    frame, at = frames.produce("rides", batches)
    (topic,) = asked(frame).topic_data
    assert {data.index: bytes(data.records) for data in topic.partition_data} == batches
    assert frame[at : at + len(batches[199])] == batches[199]


@pytest.mark.parametrize("count", [1, 127, 128, 1000])
def test_the_answer_for_many_partitions_is_read_whole(count: int) -> None:
    answers = [
        PartitionProduceResponse(index=index, error_code=index % 3, base_offset=index * 10) for index in range(count)
    ]
    response = ProduceResponse(responses=[TopicProduceResponse(name="rides", partition_responses=answers)])
    found = list(frames.parse_produce_many(told(frames.PRODUCE, frames.PRODUCE_VERSION, response), "rides"))
    assert found == [(index, index % 3, index * 10) for index in range(count)]


def test_a_fetch_asks_for_what_begins_at_an_offset() -> None:
    frame = frames.FetchFrame.of("rides", 3)
    request = asked(frame.ask(9, 1234))
    (wanted,) = request.topics[0].partitions
    assert (request.topics[0].topic, wanted.partition, wanted.fetch_offset) == ("rides", 3, 1234)
    assert (request.session_id, request.session_epoch, wanted.partition_max_bytes) == (0, -1, frames.FETCH_BYTES)


def test_the_batches_of_a_fetch_are_found_without_looking_inside() -> None:
    batches = [bytearray(frames.batch(*[b"x"] * count, timestamp_ms=1)) for count in (3, 1)]
    struct.pack_into(">q", batches[0], 0, 40)
    struct.pack_into(">q", batches[1], 0, 43)
    data = PartitionData(partition_index=3, high_watermark=44, records=[memoryview(batch) for batch in batches])
    response = FetchResponse(responses=[FetchableTopicResponse(topic="rides", partitions=[data])])
    frame = told(frames.FETCH, frames.FETCH_VERSION, response)
    assert frames.FetchReply("rides").parse(bytearray(frame), len(frame)) == (7, 0, [(40, 42), (43, 43)])


def test_the_error_of_a_fetched_partition_is_seen() -> None:
    data = PartitionData(partition_index=0, error_code=3, high_watermark=-1, records=[])
    response = FetchResponse(responses=[FetchableTopicResponse(topic="rides", partitions=[data])])
    frame = told(frames.FETCH, frames.FETCH_VERSION, response)
    assert frames.FetchReply("rides").parse(bytearray(frame), len(frame)) == (7, 3, [])


def test_what_members_of_a_group_ask_is_understood() -> None:
    join = asked(frames.join_group("g", "m"))
    assert (join.group_id, join.member_id, join.protocol_type, join.protocols[0].name) == (
        "g",
        "m",
        "consumer",
        "range",
    )
    sync = asked(frames.sync_group("g", 4, "m", ["m", "n"]))
    assert (sync.generation_id, [each.member_id for each in sync.assignments]) == (4, ["m", "n"])
    beat = asked(frames.heartbeat("g", 4, "m"))
    assert (beat.group_id, beat.generation_id, beat.member_id, beat.group_instance_id) == ("g", 4, "m", None)
    assert asked(frames.leave_group("g", "m")).member_id == "m"
    assert asked(frames.find_coordinator("g")).key == "g"


def test_a_leader_is_told_who_the_members_are() -> None:
    members = [JoinGroupResponseMember(member_id=name, metadata=bytes(5)) for name in ("a", "b")]
    response = JoinGroupResponse(
        generation_id=4, protocol_name="range", leader="a", member_id="b", members=members, error_code=0
    )
    assert frames.parse_join_group(told(frames.JOIN_GROUP, 5, response)) == frames.Joined(0, 4, "a", "b", ["a", "b"])
