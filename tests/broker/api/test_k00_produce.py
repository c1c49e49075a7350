"""Produce: what is appended, what is refused and how, and when it is answered.

The codes are those of Apache Kafka 4.3.1, compared request by request; where ours differ, the test says why.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from crc32c import crc32c

from drave import records
from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID
from drave.records import Codec, ControlKind
from drave.wire.messages.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.broker.still import NOW_MS, StillBroker, batch_at, batch_of, produce_request

VERSIONS = (3, 8, 12)
HOUR_MS = 3_600_000


def put(offset: int, form: str, value: int, *, seal: bool = True) -> Callable[[bytes], bytes]:
    """A damage: another value in one field of the header, under a CRC that holds all the same."""

    def damage(batch: bytes) -> bytes:
        damaged = bytearray(batch)
        struct.pack_into(form, damaged, offset, value)
        if seal:
            struct.pack_into(">I", damaged, 17, crc32c(bytes(damaged[21:])))
        return bytes(damaged)

    return damage


REFUSED = {
    "no batch": (lambda batch: b"", ErrorCode.INVALID_RECORD),
    "a bit that was flipped": (lambda batch: batch[:-1] + bytes([batch[-1] ^ 1]), ErrorCode.CORRUPT_MESSAGE),
    "magic 0": (put(16, ">b", 0), ErrorCode.INVALID_RECORD),
    "magic 1": (put(16, ">b", 1), ErrorCode.INVALID_RECORD),
    "magic 3": (put(16, ">b", 3), ErrorCode.CORRUPT_MESSAGE),
    "more records than offsets": (put(57, ">i", 4), ErrorCode.INVALID_RECORD),
    "fewer records than offsets": (put(57, ">i", 2), ErrorCode.INVALID_RECORD),
    "no records": (put(57, ">i", 0), ErrorCode.INVALID_RECORD),
    "a negative count": (put(57, ">i", -1), ErrorCode.INVALID_RECORD),
    "another last offset": (put(23, ">i", 1), ErrorCode.INVALID_RECORD),
    "a base offset": (put(0, ">q", 7), ErrorCode.INVALID_RECORD),
    "a control batch": (put(21, ">h", 0x20), ErrorCode.INVALID_RECORD),
    "a sequence of nobody's": (put(43, ">q", 5), ErrorCode.INVALID_RECORD),
    "a length that is too short for a header": (put(8, ">i", 30, seal=False), ErrorCode.CORRUPT_MESSAGE),
    "a negative length": (put(8, ">i", -5, seal=False), ErrorCode.CORRUPT_MESSAGE),
    "a batch that ends early": (lambda batch: batch[:-1], ErrorCode.INVALID_RECORD),
    "a batch that ends in its header": (lambda batch: batch[:50], ErrorCode.INVALID_RECORD),
    "two batches": (lambda batch: batch + batch, ErrorCode.INVALID_RECORD),
    "a batch and bytes that are none": (lambda batch: batch + b"??", ErrorCode.CORRUPT_MESSAGE),  # Kafka drops them
    "a codec of the future": (put(21, ">h", 5), ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),  # Kafka: UNKNOWN_SERVER_ERROR
    "LogAppendTime": (put(21, ">h", 8), ErrorCode.INVALID_TIMESTAMP),  # Kafka takes it where the topic has CreateTime
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("damage", REFUSED)
def test_a_damaged_batch_is_refused_and_nothing_is_appended(still: StillBroker, damage: str, version: int) -> None:
    topic = still.create("rides")
    change, code = REFUSED[damage]
    answer = still.produce(topic, change(batch_of(b"a", b"b", b"c")), version=version)
    assert (answer.error_code, answer.base_offset, answer.log_append_time_ms) == (code, -1, -1)
    assert bool(answer.error_message) == (version >= 8), "KIP-467: a sentence that says why"
    assert still.log(topic).end == 0


def test_a_request_without_a_batch_is_refused(still: StillBroker) -> None:
    """Kafka never answers this one."""
    assert still.produce(still.create("rides"), None).error_code == ErrorCode.INVALID_RECORD


def test_a_marker_comes_from_no_producer(still: StillBroker) -> None:
    topic = still.create("rides")
    marker = records.control_batch(ControlKind.COMMIT, 7, 0, 0, NOW_MS)
    assert still.produce(topic, marker).error_code == ErrorCode.INVALID_RECORD


# -- when it is answered


@pytest.mark.parametrize("acks", [1, -1])
def test_a_batch_is_answered_when_it_is_durable(still: StillBroker, acks: int) -> None:
    topic = still.create("rides")
    call = still.send(produce_request("rides", {0: batch_of(b"a", b"b")}, acks=acks), 12)
    assert not call.is_answered
    assert still.read(topic) == [], "and nobody reads it before"
    still.commit()
    answer = call.response.responses[0].partition_responses[0]
    assert (answer.error_code, answer.base_offset, answer.log_start_offset) == (0, 0, 0)
    assert [record.value for record in still.read(topic)] == [b"a", b"b"]


def test_with_the_page_cache_alone_a_batch_is_answered_at_once() -> None:
    still = StillBroker(durability="os")
    still.create("rides")
    assert still.send(produce_request("rides", {0: batch_of(b"a")}), 12).is_answered


def test_a_request_for_several_partitions_is_answered_once_all_of_them_are_durable(still: StillBroker) -> None:
    topic = still.create("rides", partitions=3)
    call = still.send(produce_request("rides", {2: batch_of(b"a"), 0: batch_of(b"b"), 1: batch_of(b"c")}), 12)
    assert not call.is_answered
    still.commit()
    assert [answer.index for answer in call.response.responses[0].partition_responses] == [2, 0, 1]
    assert [still.log(topic, index).high_watermark for index in range(3)] == [1, 1, 1]


def test_the_batch_is_taken_out_of_the_receive_buffer(still: StillBroker) -> None:
    """The buffer is written over as soon as the handler has returned: `still` does so."""
    topic = still.create("rides")
    large = bytes(range(256)) * 1000
    call = still.send(produce_request("rides", {0: batch_of(large)}), 12)
    still.commit()
    assert call.is_answered
    assert still.read(topic)[0].value == large


def test_what_a_client_sent_before_it_left_is_kept(still: StillBroker) -> None:
    topic = still.create("rides")
    call = still.send(produce_request("rides", {0: batch_of(b"a")}), 12)
    call.hang_up()
    still.commit()
    assert not call.is_answered
    assert len(still.read(topic)) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_acks_0_is_not_answered(still: StillBroker, version: int) -> None:
    topic = still.create("rides")
    call = still.send(produce_request("rides", {0: batch_of(b"a")}, acks=0), version)
    still.commit()
    assert not call.is_answered
    assert call.connection.closed is None
    assert len(still.read(topic)) == 1


def test_acks_0_that_fails_closes_the_connection(still: StillBroker) -> None:
    """There is no other way to tell the producer that its metadata is old."""
    topic = still.create("rides")
    call = still.send(produce_request("rides", {0: batch_of(b"a"), 9: batch_of(b"b")}, acks=0), 12)
    assert call.connection.closed
    assert not call.is_answered
    still.commit()
    assert len(still.read(topic)) == 1, "its neighbour is kept"


@pytest.mark.parametrize("acks", [2, -2, 127])
def test_other_acks_are_refused(still: StillBroker, acks: int) -> None:
    topic = still.create("rides")
    assert still.produce(topic, batch_of(), acks=acks).error_code == ErrorCode.INVALID_REQUIRED_ACKS
    assert still.log(topic).end == 0


# -- where it goes


def test_a_batch_that_is_refused_leaves_its_neighbours_alone(still: StillBroker) -> None:
    topic = still.create("rides", partitions=2)
    batches = {0: batch_of(b"a"), 9: batch_of(b"b"), 1: batch_of(b"c")[:-1]}
    answers = still.ask(produce_request("rides", batches), 12).responses[0].partition_responses
    codes = [(answer.index, answer.error_code) for answer in answers]
    assert codes == [(0, 0), (9, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), (1, ErrorCode.INVALID_RECORD)]
    assert still.log(topic).end == 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["nowhere", "", "bad name!"])
def test_an_unknown_topic_is_refused_for_each_of_its_partitions(still: StillBroker, name: str, version: int) -> None:
    answer = still.ask(produce_request(name, {0: batch_of(), 1: batch_of()}), version)
    codes = [each.error_code for each in answer.responses[0].partition_responses]
    assert codes == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION] * 2


@pytest.mark.parametrize("partition", [-1, 2, 2**31 - 1])
def test_an_unknown_partition_is_refused(still: StillBroker, partition: int) -> None:
    topic = still.create("rides", partitions=2)
    assert still.produce(topic, batch_of(), partition).error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_from_version_13_on_topics_have_ids(still: StillBroker) -> None:
    """KIP-516. Zero stands for no id, and is no topic's."""
    topic = still.create("rides")
    for topic_id, code in (
        (topic.topic_id, ErrorCode.NONE),
        (bytes([9] * 16), ErrorCode.UNKNOWN_TOPIC_ID),
        (ZERO_TOPIC_ID, ErrorCode.UNKNOWN_TOPIC_ID),
    ):
        data = [PartitionProduceData(index=0, records=batch_of())]
        topics = [TopicProduceData(topic_id=topic_id, partition_data=data)]
        answer = still.ask(ProduceRequest(acks=-1, timeout_ms=1, topic_data=topics), 13)
        assert answer.responses[0].topic_id == topic_id
        assert answer.responses[0].partition_responses[0].error_code == code


def test_a_partition_that_is_named_twice_takes_both_batches(still: StillBroker) -> None:
    """Kafka drops all but the last without a word."""
    topic = still.create("rides")
    named = [
        TopicProduceData(name="rides", partition_data=[PartitionProduceData(index=0, records=batch_of(value))])
        for value in (b"a", b"b")
    ]
    answer = still.ask(ProduceRequest(acks=-1, timeout_ms=1, topic_data=named), 12)
    assert [topic.partition_responses[0].base_offset for topic in answer.responses] == [0, 1]
    assert [record.value for record in still.read(topic)] == [b"a", b"b"]


def test_nothing_to_write_is_answered_with_nothing(still: StillBroker) -> None:
    assert still.ask(ProduceRequest(acks=-1, timeout_ms=1, topic_data=[]), 12).responses == []


def test_only_kafkas_own_admin_client_writes_to_an_internal_topic(still: StillBroker) -> None:
    topic = still.create("__consumer_offsets")
    assert still.produce(topic, batch_of()).error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
    call = still.send(produce_request("__consumer_offsets", {0: batch_of()}), 12, client_id="__admin_client")
    still.commit()
    assert call.response.responses[0].partition_responses[0].error_code == ErrorCode.NONE


def test_more_replicas_in_sync_than_there_are_copies_are_not_asked_for(still: StillBroker) -> None:
    """As in Kafka since 4.0, where a topic with one replica takes acks=all whatever `min.insync.replicas` says."""
    assert still.produce(still.create("rides", min_insync_replicas="2"), batch_of()).error_code == ErrorCode.NONE


def test_a_disk_that_is_full_refuses_and_takes_again_later(still: StillBroker) -> None:
    topic = still.create("rides")
    still.append(topic, b"a")
    still.disk.room_bytes = 10
    assert still.produce(topic, batch_of(b"b")).error_code == ErrorCode.KAFKA_STORAGE_ERROR
    still.disk.room_bytes = None
    assert still.append(topic, b"c") == 1


# -- sizes


def test_a_batch_may_be_as_large_as_the_topic_says_and_no_larger(still: StillBroker) -> None:
    topic = still.create("rides", max_message_bytes="200")
    fits = batch_of(bytes(200 - len(batch_of(bytes(100))) + 100))
    assert len(fits) == 200
    assert still.produce(topic, fits).error_code == ErrorCode.NONE
    answer = still.produce(topic, batch_of(bytes(200 - len(batch_of(bytes(100))) + 101)))
    assert answer.error_code == ErrorCode.MESSAGE_TOO_LARGE
    assert "max.message.bytes=200" in answer.error_message


def test_a_batch_counts_as_it_came_and_as_it_is_stored(still: StillBroker) -> None:
    zipped = still.create("zipped", max_message_bytes="200", compression_type="gzip")
    assert still.produce(zipped, batch_of(bytes(1000))).error_code == ErrorCode.MESSAGE_TOO_LARGE
    plain = still.create("plain", max_message_bytes="200", compression_type="uncompressed")
    small = batch_of(bytes(1000), codec=Codec.GZIP)
    assert len(small) <= 200
    assert still.produce(plain, small).error_code == ErrorCode.MESSAGE_TOO_LARGE
    assert still.log(plain).end == 0


# -- what topics ask for


def test_an_ordinary_topic_keeps_the_bytes_as_they_came(still: StillBroker) -> None:
    topic = still.create("rides")
    sent = batch_of(b"a", b"b", codec=Codec.LZ4)
    still.append(topic, b"first")
    still.produce(topic, sent)
    stored = bytes(still.batches(topic)[1])
    assert stored[16:] == sent[16:]
    assert struct.unpack_from(">qii", stored) == (1, len(sent) - 12, still.log(topic).leader_epoch)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_record_of_a_compacted_topic_needs_a_key(still: StillBroker, version: int) -> None:
    """And the producer is told which records have none (KIP-467)."""
    topic = still.create("cars", cleanup_policy="compact")
    batch = records.build_batch([(b"a", b"1"), (None, b"2"), (b"", b"3"), (None, b"4")], timestamp_ms=NOW_MS)
    answer = still.produce(topic, batch, version=version)
    assert answer.error_code == ErrorCode.INVALID_RECORD
    assert [error.batch_index for error in answer.record_errors] == ([1, 3] if version >= 8 else [])
    assert still.produce(topic, batch_of(key=b"")).error_code == ErrorCode.NONE, "an empty key is a key"


def test_keys_are_looked_for_in_compressed_batches_too(still: StillBroker) -> None:
    topic = still.create("cars", cleanup_policy="compact,delete")
    assert still.produce(topic, batch_of(key=None, codec=Codec.ZSTD)).error_code == ErrorCode.INVALID_RECORD


def test_records_that_cannot_be_read_are_refused_where_they_have_to_be(still: StillBroker) -> None:
    """An ordinary topic takes them: the header is believed once its CRC holds."""
    garbage = put(21, ">h", Codec.GZIP)(batch_of())
    assert still.produce(still.create("compacted", cleanup_policy="compact"), garbage).error_code
    assert still.produce(still.create("zipped", compression_type="zstd"), garbage).error_code
    assert not still.produce(still.create("plain"), garbage).error_code


@pytest.mark.parametrize("version", [3, 6])
def test_zstd_needs_a_producer_that_knows_it(still: StillBroker, version: int) -> None:
    """KIP-110."""
    topic = still.create("rides")
    batch = batch_of(codec=Codec.ZSTD)
    assert still.produce(topic, batch, version=version).error_code == ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
    assert still.produce(topic, batch, version=7).error_code == ErrorCode.NONE


@pytest.mark.parametrize("sent", Codec)
@pytest.mark.parametrize("wanted", ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_a_topic_may_ask_for_a_codec(still: StillBroker, wanted: str, sent: Codec) -> None:
    topic = still.create("rides", compression_type=wanted)
    still.produce(topic, batch_of(b"a", b"b", b"c", codec=sent))
    (batch,) = still.batches(topic)
    header = records.parse_header(batch)
    records.check_intact(header, batch)
    stored = {"producer": sent, "uncompressed": Codec.NONE}.get(wanted)
    assert header.codec is (Codec[wanted.upper()] if stored is None else stored)
    assert [record.value for record in still.read(topic)] == [b"a", b"b", b"c"]


@pytest.mark.parametrize("codec", ["producer", "gzip"])
def test_log_append_time_is_this_brokers_time(still: StillBroker, codec: str) -> None:
    topic = still.create("rides", message_timestamp_type="LogAppendTime", compression_type=codec)
    answer = still.produce(topic, batch_at(5, NOW_MS + 24 * HOUR_MS))
    assert answer.log_append_time_ms == NOW_MS
    (batch,) = still.batches(topic)
    records.check_intact(records.parse_header(batch), batch)
    assert [record.timestamp for record in still.read(topic)] == [NOW_MS, NOW_MS]


# -- timestamps (KIP-937)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_timestamp_too_far_ahead_is_refused_and_named(still: StillBroker, version: int) -> None:
    topic = still.create("rides")
    assert still.produce(topic, batch_at(NOW_MS + HOUR_MS), version=version).error_code == ErrorCode.NONE
    answer = still.produce(topic, batch_at(NOW_MS, NOW_MS + HOUR_MS + 1, NOW_MS), version=version)
    assert answer.error_code == ErrorCode.INVALID_TIMESTAMP
    assert [error.batch_index for error in answer.record_errors] == ([1] if version >= 8 else [])


def test_a_topic_may_bound_how_old_records_are(still: StillBroker) -> None:
    topic = still.create("rides", message_timestamp_before_max_ms="1000")
    assert still.produce(topic, batch_at(NOW_MS - 1000)).error_code == ErrorCode.NONE
    answer = still.produce(topic, batch_at(-1, NOW_MS - 1001, NOW_MS, 0))
    assert answer.error_code == ErrorCode.INVALID_TIMESTAMP
    assert [error.batch_index for error in answer.record_errors] == [1, 3], "-1 says that there is none"


@pytest.mark.parametrize("timestamp", [-1, -2, 0])
def test_an_ordinary_topic_takes_records_of_any_age(still: StillBroker, timestamp: int) -> None:
    assert still.produce(still.create("rides"), batch_at(timestamp)).error_code == ErrorCode.NONE


def test_a_header_that_lies_about_its_timestamps_is_held_to_it(still: StillBroker) -> None:
    """Kafka counts the records; here the header is believed, so its maximum bounds the future."""
    lying = put(35, ">q", NOW_MS + 2 * HOUR_MS)(batch_at(NOW_MS))
    answer = still.produce(still.create("rides"), lying)
    assert (answer.error_code, answer.record_errors) == (ErrorCode.INVALID_TIMESTAMP, [])


# -- idempotence (KIP-98)


def sent_by(producer_id: int, sequence: int, *values: bytes, epoch: int = 0) -> bytes:
    return batch_of(*values, producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence)


def outcome(still: StillBroker, topic: object, batch: bytes, partition: int = 0) -> tuple[int, int]:
    answer = still.produce(topic, batch, partition)  # type: ignore[arg-type]
    return answer.error_code, answer.base_offset


def test_a_duplicate_is_answered_with_its_first_offsets_and_not_appended(still: StillBroker) -> None:
    topic = still.create("rides")
    assert outcome(still, topic, sent_by(7, 0, b"a", b"b", b"c")) == (0, 0)
    assert outcome(still, topic, sent_by(7, 3, b"d")) == (0, 3)
    assert outcome(still, topic, sent_by(7, 3, b"d")) == (0, 3)
    assert outcome(still, topic, sent_by(7, 0, b"a", b"b", b"c")) == (0, 0), "an older one too"
    assert len(still.read(topic)) == 4


def test_a_duplicate_is_answered_when_its_original_is_durable(still: StillBroker) -> None:
    topic = still.create("rides")
    calls = [still.send(produce_request("rides", {0: sent_by(7, 0, b"a")}), 12) for _ in range(3)]
    assert not any(call.is_answered for call in calls)
    still.commit()
    assert [call.response.responses[0].partition_responses[0].base_offset for call in calls] == [0, 0, 0]
    assert len(still.read(topic)) == 1


def test_five_batches_are_remembered(still: StillBroker) -> None:
    topic = still.create("rides")
    for sequence in range(6):
        still.produce(topic, sent_by(7, sequence, b"x"))
    assert outcome(still, topic, sent_by(7, 1, b"x")) == (0, 1)
    assert outcome(still, topic, sent_by(7, 0, b"x")) == (ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1)


@pytest.mark.parametrize(("sequence", "count"), [(4, 1), (0, 2), (2, 2), (2, 1)])
def test_what_neither_follows_nor_repeats_is_out_of_order(still: StillBroker, sequence: int, count: int) -> None:
    topic = still.create("rides")
    still.produce(topic, sent_by(7, 0, b"a", b"b", b"c"))
    assert outcome(still, topic, sent_by(7, sequence, *[b"x"] * count)) == (ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1)
    assert still.log(topic).end == 3


def test_an_epoch_begins_at_zero_and_ends_the_one_before(still: StillBroker) -> None:
    topic = still.create("rides")
    still.produce(topic, sent_by(7, 0, b"a"))
    assert outcome(still, topic, sent_by(7, 1, b"b", epoch=1)) == (ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1)
    assert outcome(still, topic, sent_by(7, 0, b"b", epoch=1)) == (0, 1)
    assert outcome(still, topic, sent_by(7, 1, b"c")) == (ErrorCode.INVALID_PRODUCER_EPOCH, -1)


def test_an_unknown_producer_may_begin_with_any_sequence(still: StillBroker) -> None:
    """KIP-360: it may have been forgotten."""
    topic = still.create("rides")
    assert outcome(still, topic, sent_by(7, 500, b"a")) == (0, 0)
    assert outcome(still, topic, sent_by(7, 501, b"b")) == (0, 1)


def test_sequences_go_round(still: StillBroker) -> None:
    topic = still.create("rides")
    assert outcome(still, topic, sent_by(7, 2**31 - 2, b"a", b"b", b"c")) == (0, 0)
    assert outcome(still, topic, sent_by(7, 1, b"d")) == (0, 3)


def test_producers_and_partitions_do_not_know_of_one_another(still: StillBroker) -> None:
    topic = still.create("rides", partitions=2)
    assert outcome(still, topic, sent_by(7, 0, b"a")) == (0, 0)
    assert outcome(still, topic, sent_by(8, 0, b"a")) == (0, 1)
    assert outcome(still, topic, sent_by(7, 0, b"a"), partition=1) == (0, 0)
