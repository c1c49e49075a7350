"""Produce: what is taken, what is refused, and what a consumer then reads."""

from __future__ import annotations

import struct
from collections.abc import Callable

from differential.calls import LATEST, LONG_AGO_MS, at, batch, fetch, fetch_partition, list_offsets, produce
from differential.scenario import scenario
from differential.stage import Stage, Topic
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.records import Codec, NewRecord
from drave.records.batch import seal
from drave.wire.api import ApiKey
from drave.wire.messages.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData

PRODUCE = ApiKey.PRODUCE


def _changed(data: bytes, position: int, form: str, value: int, *, sealed: bool = True) -> bytes:
    """The batch with one field of its header changed, and its CRC made to fit, or not."""
    made = bytearray(data)
    struct.pack_into(form, made, position, value)
    if sealed:
        crc_from = made[8:12]
        seal(made)
        if position == 8:
            made[8:12] = crc_from
    return bytes(made)


@scenario(PRODUCE, acks=(1, -1))
def what_is_appended_is_read_back(stage: Stage, version: int, acks: int) -> None:
    topic = stage.topic()
    stage.ask(produce(topic, batch("a", "b"), acks=acks), version)
    stage.ask(produce(topic, batch("c"), acks=acks), version)
    stage.ask(fetch(topic, 0))
    stage.ask(fetch(topic, 2))


@scenario(PRODUCE)
def acks_0_is_not_answered(stage: Stage, version: int) -> None:
    topic = stage.topic()
    connection = stage.connect()
    connection.send(produce(topic, batch("a", "b"), acks=0), version)
    stage.ask(produce(topic, batch("c"), acks=1), version, on=connection)
    stage.ask(fetch(topic, 0))


@scenario(PRODUCE)
def acks_0_with_an_error_closes_the_connection(stage: Stage, version: int) -> None:
    connection = stage.connect()
    connection.send(produce(Topic(stage.name("nowhere"), TopicId(b"\7" * 16)), batch("a"), acks=0), version)
    stage.frame("after", on=connection)


@scenario(PRODUCE, acks=(2, -2, 100, -32768))
def other_acks_are_refused(stage: Stage, version: int, acks: int) -> None:
    topic = stage.topic()
    stage.ask(produce(topic, batch("a"), acks=acks), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(PRODUCE)
def an_unknown_topic_and_an_unknown_partition(stage: Stage, version: int) -> None:
    topic = stage.topic(partitions=2)
    stage.ask(produce(topic, {2: batch("a"), 1: batch("b"), -1: batch("c")}), version)
    stage.ask(produce(Topic(stage.name("nowhere"), TopicId(b"\7" * 16)), batch("a")), version)
    stage.ask(produce(Topic("", ZERO_TOPIC_ID), batch("a")), version)


@scenario(PRODUCE)
def nothing_at_all(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(ProduceRequest(acks=-1, timeout_ms=1000, topic_data=[]), version)
    stage.ask(produce(topic, {}), version)


@scenario(PRODUCE)
def empty_records(stage: Stage, version: int) -> None:
    stage.ask(produce(stage.topic(), b""), version)


@scenario(PRODUCE)
def null_records(stage: Stage, version: int) -> None:
    stage.ask(produce(stage.topic(), None), version, patience_s=0.5)


@scenario(PRODUCE, codec=tuple(Codec))
def every_codec(stage: Stage, version: int, codec: Codec) -> None:
    topic = stage.topic()
    records = [NewRecord(b"k%d" % number, b"v" * 40, LONG_AGO_MS + number) for number in range(20)]
    stage.ask(produce(topic, batch(*records, codec=codec)), version)
    stage.ask(fetch(topic, 5), 4)
    stage.ask(fetch(topic, 5))


@scenario(PRODUCE)
def keys_nulls_headers_and_times(stage: Stage, version: int) -> None:
    topic = stage.topic()
    headers = (("h", b"1"), ("h", None), ("", b""))
    records = [
        NewRecord(None, None, LONG_AGO_MS + 5),
        NewRecord(b"", b"", LONG_AGO_MS + 1, headers),
        NewRecord(b"k", b"v", LONG_AGO_MS + 9),
    ]
    stage.ask(produce(topic, batch(*records)), version)
    stage.ask(fetch(topic, 0))


@scenario(PRODUCE)
def several_partitions_each_by_itself(stage: Stage, version: int) -> None:
    topic = stage.topic(partitions=3)
    broken = _changed(batch("x"), 17, ">I", 1, sealed=False)
    stage.ask(produce(topic, {0: batch("a"), 1: broken, 2: batch("c")}), version)
    stage.ask(fetch(topic, *(fetch_partition(0, partition) for partition in range(3))))


@scenario(PRODUCE)
def two_batches_for_one_partition(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(produce(topic, batch("a") + batch("b")), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(PRODUCE)
def the_same_partition_twice(stage: Stage, version: int) -> None:
    topic = stage.topic()
    data = [PartitionProduceData(index=0, records=batch(value)) for value in "ab"]
    wanted = TopicProduceData(name=topic.name, topic_id=topic.id, partition_data=data)
    stage.ask(ProduceRequest(acks=-1, timeout_ms=1000, topic_data=[wanted]), version)
    stage.ask(fetch(topic, 0))


def crc_is_wrong() -> bytes:
    return _changed(batch("a"), 17, ">I", 1, sealed=False)


def content_is_changed() -> bytes:
    return batch("abc")[:-1] + b"X"


def cut_off() -> bytes:
    return batch("abc")[:-1]


def ends_in_the_header() -> bytes:
    return batch("abc")[:40]


def one_byte() -> bytes:
    return b"\0"


def followed_by_a_byte() -> bytes:
    return batch("abc") + b"\0"


def followed_by_17_bytes() -> bytes:
    return batch("abc") + bytes(17)


def length_is_too_large() -> bytes:
    return _changed(batch("abc"), 8, ">i", 1000)


def length_is_too_small() -> bytes:
    return _changed(batch("abc"), 8, ">i", 20)


def length_is_negative() -> bytes:
    return _changed(batch("abc"), 8, ">i", -1)


def magic_is_0() -> bytes:
    return _changed(batch("abc"), 16, ">b", 0)


def magic_is_1() -> bytes:
    return _changed(batch("abc"), 16, ">b", 1)


def magic_is_3() -> bytes:
    return _changed(batch("abc"), 16, ">b", 3)


def magic_is_negative() -> bytes:
    return _changed(batch("abc"), 16, ">b", -1)


def codec_is_5() -> bytes:
    return _changed(batch("abc"), 21, ">h", 5)


def codec_is_7() -> bytes:
    return _changed(batch("abc"), 21, ">h", 7)


def claims_gzip_and_is_not() -> bytes:
    return _changed(batch("abc"), 21, ">h", 1)


def claims_append_time() -> bytes:
    return _changed(batch("abc"), 21, ">h", 8)


def claims_to_be_control() -> bytes:
    return batch("abc", control=True)


def claims_to_be_transactional() -> bytes:
    return batch("abc", transactional=True)


def unknown_attributes() -> bytes:
    return _changed(batch("abc"), 21, ">h", 1 << 9)


def delete_horizon() -> bytes:
    return _changed(batch("abc"), 21, ">h", 1 << 6)


def count_is_too_large() -> bytes:
    return _changed(batch("abc"), 57, ">i", 2)


def count_is_zero() -> bytes:
    return _changed(_changed(batch("abc"), 57, ">i", 0), 23, ">i", -1)


def count_is_negative() -> bytes:
    return _changed(batch("abc"), 57, ">i", -1)


def last_offset_delta_is_too_large() -> bytes:
    return _changed(batch("abc"), 23, ">i", 1)


def base_offset_is_not_zero() -> bytes:
    return _changed(batch("abc"), 0, ">q", 77)


def base_offset_is_negative() -> bytes:
    return _changed(batch("abc"), 0, ">q", -77)


def leader_epoch_is_given() -> bytes:
    return _changed(batch("abc"), 12, ">i", 77)


def maximum_timestamp_is_wrong() -> bytes:
    return _changed(batch("abc"), 35, ">q", LONG_AGO_MS + 500)


def producer_without_sequence() -> bytes:
    return batch("abc", producer=(900_001, 0, -1))


def producer_without_epoch() -> bytes:
    return batch("abc", producer=(900_001, -1, 0))


def sequence_without_producer() -> bytes:
    return batch("abc", producer=(-1, -1, 5))


def epoch_without_producer() -> bytes:
    return batch("abc", producer=(-1, 3, -1))


ODD: tuple[Callable[[], bytes], ...] = (
    crc_is_wrong,
    content_is_changed,
    cut_off,
    ends_in_the_header,
    one_byte,
    followed_by_a_byte,
    followed_by_17_bytes,
    length_is_too_large,
    length_is_too_small,
    length_is_negative,
    magic_is_0,
    magic_is_1,
    magic_is_3,
    magic_is_negative,
    codec_is_5,
    codec_is_7,
    claims_gzip_and_is_not,
    claims_append_time,
    claims_to_be_control,
    claims_to_be_transactional,
    unknown_attributes,
    delete_horizon,
    count_is_too_large,
    count_is_zero,
    count_is_negative,
    last_offset_delta_is_too_large,
    base_offset_is_not_zero,
    base_offset_is_negative,
    leader_epoch_is_given,
    maximum_timestamp_is_wrong,
    producer_without_sequence,
    producer_without_epoch,
    sequence_without_producer,
    epoch_without_producer,
)


@scenario(odd=ODD, version=(3, 8, 9, 13))
def an_odd_batch(stage: Stage, odd: Callable[[], bytes], version: int) -> None:
    topic = stage.topic()
    stage.ask(produce(topic, odd()), version, patience_s=2)
    stage.ask(list_offsets(topic, LATEST))


@scenario(PRODUCE, size=(99, 100, 101))
def max_message_bytes_bounds_a_batch(stage: Stage, version: int, size: int) -> None:
    topic = stage.topic(max_message_bytes="100")
    data = batch("v" * (size - len(batch(""))))
    assert len(data) == size
    stage.ask(produce(topic, data), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=(3, 13), codec=(Codec.GZIP, Codec.ZSTD))
def max_message_bytes_is_of_the_compressed_batch(stage: Stage, version: int, codec: Codec) -> None:
    topic = stage.topic(max_message_bytes="200")
    stage.ask(produce(topic, batch("v" * 5000, codec=codec)), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(PRODUCE)
def log_append_time(stage: Stage, version: int) -> None:
    topic = stage.topic(message_timestamp_type="LogAppendTime")
    stage.ask(produce(topic, batch("a", "b")), version)
    stage.ask(produce(topic, batch(at(-1))), version)
    stage.ask(fetch(topic, 0))


@scenario(PRODUCE)
def without_timestamps(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(produce(topic, batch("a", time_ms=-1)), version)
    stage.ask(fetch(topic, 0))


@scenario(PRODUCE, time_ms=(0, LONG_AGO_MS, 4_000_000_000_000, -2))
def timestamps_near_and_far(stage: Stage, version: int, time_ms: int) -> None:
    topic = stage.topic()
    stage.ask(produce(topic, batch("a", time_ms=time_ms)), version)
    stage.ask(fetch(topic, 0))


@scenario(version=(3, 8, 13), time_ms=(LONG_AGO_MS, 4_000_000_000_000))
def timestamps_beyond_what_the_topic_takes(stage: Stage, version: int, time_ms: int) -> None:
    topic = stage.topic(message_timestamp_before_max_ms="86400000", message_timestamp_after_max_ms="86400000")
    stage.ask(produce(topic, batch(at(LONG_AGO_MS), at(time_ms))), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(PRODUCE)
def a_compacted_topic_wants_keys(stage: Stage, version: int) -> None:
    topic = stage.topic(cleanup_policy="compact")
    stage.ask(produce(topic, batch("a")), version)
    stage.ask(produce(topic, batch("a", key=b"k")), version)
    stage.ask(produce(topic, batch(at(LONG_AGO_MS, key=b"k"), at(LONG_AGO_MS), at(LONG_AGO_MS))), version)
    stage.ask(fetch(topic, 0))


@scenario(version=(3, 9, 13), codec=(Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD))
def a_compacted_topic_looks_into_compressed_batches(stage: Stage, version: int, codec: Codec) -> None:
    topic = stage.topic(cleanup_policy="compact,delete")
    stage.ask(produce(topic, batch("a", codec=codec)), version)
    stage.ask(produce(topic, batch("a", key=b"k", codec=codec)), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(version=(3, 9, 13), wanted=("gzip", "snappy", "lz4", "zstd", "uncompressed"), codec=tuple(Codec))
def compression_type_of_the_topic(stage: Stage, version: int, wanted: str, codec: Codec) -> None:
    topic = stage.topic(compression_type=wanted)
    stage.ask(produce(topic, batch("a" * 30, "b" * 30, codec=codec)), version)
    stage.ask(fetch(topic, 0))


@scenario(PRODUCE)
def a_transactional_id_without_a_transactional_batch(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(produce(topic, batch("a"), transactional_id=stage.name("t")), version)
    stage.ask(list_offsets(topic, LATEST))


@scenario(PRODUCE)
def by_the_id_of_a_deleted_topic(stage: Stage, version: int) -> None:
    from differential.calls import delete_topics

    topic = stage.topic()
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    stage.ask(produce(topic, batch("a")), version)


@scenario(version=(3, 13))
def timeout_zero_or_negative(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(produce(topic, batch("a"), timeout_ms=0), version)
    stage.ask(produce(topic, batch("a"), timeout_ms=-1), version)
    stage.ask(list_offsets(topic, LATEST))
