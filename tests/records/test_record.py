"""The records inside a batch, against ourselves and against two independent clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch as AiokafkaBatch
from aiokafka.record.default_records import DefaultRecordBatchBuilder as AiokafkaBuilder
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatch as KafkaPythonBatch
from kafka.record.default_records import DefaultRecordBatchBuilder as KafkaPythonBuilder

from drave.model.errors import ProtocolError
from drave.records import (
    Codec,
    InvalidRecord,
    NewRecord,
    Record,
    UnsupportedCodec,
    build_batch,
    check,
    check_intact,
    parse_header,
    read_records,
    recompress,
)
from drave.records.batch import HEADER_SIZE, seal

payloads = st.none() | st.binary(max_size=80) | st.integers(1, 300).map(lambda size: b"drave " * size)
header_lists = st.lists(st.tuples(st.text(max_size=12), st.none() | st.binary(max_size=20)), max_size=3).map(tuple)
new_records = st.builds(NewRecord, payloads, payloads, st.integers(0, 1 << 44), header_lists)
record_lists = st.lists(new_records, min_size=1, max_size=8)
codecs = st.sampled_from(Codec)

KAFKA_PYTHON_CODECS = [Codec.NONE, Codec.GZIP, Codec.LZ4, Codec.ZSTD]  # its snappy needs a library that is not ours


def consumed(news: list[NewRecord], base_offset: int = 0) -> list[Record]:
    return [
        Record(base_offset + index, new.timestamp or 0, new.key, new.value, new.headers)
        for index, new in enumerate(news)
    ]


def seen_by(batch: Any) -> list[Record]:
    return [Record(r.offset, r.timestamp, r.key, r.value, tuple(map(tuple, r.headers))) for r in batch]


def built_by(builder: Any, news: list[NewRecord]) -> bytes:
    for offset, new in enumerate(news):
        assert builder.append(offset, new.timestamp, new.key, new.value, list(new.headers)) is not None
    return bytes(builder.build())


@given(record_lists, codecs, st.integers(0, 1 << 60))
def test_what_is_built_is_read_back(news: list[NewRecord], codec: Codec, base_offset: int) -> None:
    batch = build_batch(news, codec=codec, base_offset=base_offset)
    header = parse_header(batch)
    check(header, batch)
    assert header.codec is codec
    assert header.max_timestamp == max(new.timestamp or 0 for new in news)
    assert list(read_records(batch, header)) == consumed(news, base_offset)
    assert list(read_records(memoryview(batch))) == consumed(news, base_offset)


@given(record_lists)
def test_uncompressed_bytes_are_those_of_kafka_python_and_aiokafka(news: list[NewRecord]) -> None:
    identity = {"producer_id": 9, "producer_epoch": 1, "base_sequence": 5}
    ours = build_batch(news, leader_epoch=0, **identity)
    kafka_python = KafkaPythonBuilder(2, 0, is_transactional=False, batch_size=1 << 20, **identity)
    aiokafka = AiokafkaBuilder(2, 0, is_transactional=0, batch_size=1 << 20, **identity)
    assert ours[16:] == built_by(kafka_python, news)[16:]
    assert ours[16:] == built_by(aiokafka, news)[16:]


@pytest.mark.parametrize("codec", KAFKA_PYTHON_CODECS)
@given(news=record_lists)
@settings(max_examples=40)
def test_kafka_python_reads_ours(news: list[NewRecord], codec: Codec) -> None:
    batch = KafkaPythonBatch(build_batch(news, codec=codec))
    assert batch.validate_crc()
    assert seen_by(batch) == consumed(news)


@pytest.mark.parametrize("codec", Codec)
@given(news=record_lists)
@settings(max_examples=40)
def test_aiokafka_reads_ours(news: list[NewRecord], codec: Codec) -> None:
    batch = AiokafkaBatch(bytearray(build_batch(news, codec=codec)))
    assert batch.validate_crc()
    assert seen_by(batch) == consumed(news)


@pytest.mark.parametrize("codec", KAFKA_PYTHON_CODECS)
@given(news=record_lists)
@settings(max_examples=40)
def test_ours_reads_kafka_python(news: list[NewRecord], codec: Codec) -> None:
    batch = built_by(KafkaPythonBuilder(2, codec, False, -1, -1, -1, 1 << 20), news)
    check(parse_header(batch), batch)
    assert list(read_records(batch)) == consumed(news)


@pytest.mark.parametrize("codec", Codec)
@given(news=record_lists)
@settings(max_examples=40)
def test_ours_reads_aiokafka(news: list[NewRecord], codec: Codec) -> None:
    batch = built_by(AiokafkaBuilder(2, codec, 0, -1, -1, -1, 1 << 20), news)
    check(parse_header(batch), batch)
    assert list(read_records(batch)) == consumed(news)


def test_pairs_take_the_batch_s_timestamp() -> None:
    batch = build_batch([(b"k", b"v"), (None, None)], timestamp_ms=77)
    assert list(read_records(batch)) == [Record(0, 77, b"k", b"v"), Record(1, 77, None, None)]


def test_records_without_any_timestamp_keep_none() -> None:
    batch = build_batch([(None, b"v"), NewRecord(None, b"w", 9)])
    assert [record.timestamp for record in read_records(batch)] == [-1, 9]


def test_an_empty_batch_is_not_built() -> None:
    with pytest.raises(ValueError, match="at least one"):
        build_batch([])


def test_a_header_key_that_is_not_utf8_survives_a_round_trip() -> None:
    batch = build_batch([NewRecord(None, b"v", 1, (("k", b"x"),))])
    hostile = bytearray(batch.replace(b"\x02k\x02x", b"\x02\xff\x02x"))
    seal(hostile)
    (record,) = read_records(hostile)
    again = build_batch([NewRecord(record.key, record.value, record.timestamp, record.headers)])
    assert again == bytes(hostile)


@given(record_lists, codecs, codecs)
def test_recompressing_changes_the_codec_and_nothing_else(news: list[NewRecord], before: Codec, after: Codec) -> None:
    batch = build_batch(news, codec=before, producer_id=4, producer_epoch=0, base_sequence=1, base_offset=10)
    again = recompress(batch, after)
    header = parse_header(again)
    check_intact(header, again)
    assert header.codec is after
    assert (header.producer_id, header.base_sequence, header.base_offset) == (4, 1, 10)
    assert list(read_records(again)) == consumed(news, 10)
    assert before is not after or again == batch


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.LZ4, Codec.ZSTD])
def test_recompressing_with_a_level_is_still_read(codec: Codec) -> None:
    batch = build_batch([(None, b"drave " * 1000)])
    for level in (1, 9):
        assert list(read_records(recompress(batch, codec, level))) == list(read_records(batch))


def test_recompressing_refuses_records_that_do_not_fill_the_batch() -> None:
    batch = build_batch([(None, b"v"), (None, b"w")])
    for count in (-1, 0, 1, 3):
        miscounted = bytearray(batch)
        miscounted[57:61] = count.to_bytes(4, signed=True)
        with pytest.raises(InvalidRecord, match="do not fill"):
            recompress(miscounted, Codec.LZ4)
    with pytest.raises(InvalidRecord, match="claims -1 bytes"):
        recompress(batch[:HEADER_SIZE] + b"\1" + batch[HEADER_SIZE + 1 :], Codec.LZ4)


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD])
@given(data=st.data(), news=record_lists)
def test_compressed_records_that_end_early_are_refused(
    codec: Codec, data: st.DataObject, news: list[NewRecord]
) -> None:
    batch = build_batch(news, codec=codec)
    cut = bytearray(batch[: data.draw(st.integers(HEADER_SIZE, len(batch) - 1))])
    seal(cut)
    check(parse_header(cut), cut)
    try:
        assert list(read_records(cut)) == consumed(news)  # only a frame's closing checksum was lost
    except InvalidRecord:
        with pytest.raises(InvalidRecord):
            recompress(cut, Codec.NONE)


def test_a_batch_that_would_fill_the_memory_is_refused() -> None:
    for codec in (Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD):
        batch = build_batch([(None, bytes(1 << 20))], codec=codec)
        with pytest.raises(InvalidRecord, match="grows past"):
            list(read_records(batch, size_max=1 << 19))


def changed_field(batch: bytes, at: int, value: int) -> Iterator[Record]:
    changed = bytearray(batch)
    changed[at] = value
    seal(changed)
    return read_records(changed)


def test_each_way_of_lying_about_records_is_named() -> None:
    batch = build_batch([NewRecord(b"k", b"v", 5), NewRecord(b"k", b"v", 5)])
    first = HEADER_SIZE  # length, attributes, timestamp delta, offset delta, key length, k, value length, v, headers
    for at, value, complaint in [
        (first, 0, "claims 0 bytes"),
        (first, 0x7E, "claims 63 bytes"),
        (first, 18, "ends 1 bytes early"),
        (first + 3, 4, "offset 2, outside 0..1"),
        (first + 3, 1, "offset -1, outside 0..1"),
        (first + 3, 2, "offset 1, outside 2..1"),
        (first + 4, 0x7E, "middle of one"),
        (first + 8, 1, "claims -1 headers"),
        (first + 8, 0x7E, "claims 63 headers"),
        (60, 1, "9 bytes follow"),
        (60, 3, "middle of one"),
        (57, 0x80, "claims -2147483646 records"),
    ]:
        with pytest.raises(InvalidRecord, match=complaint):
            list(changed_field(batch, at, value))


def test_a_codec_that_does_not_exist_is_named() -> None:
    with pytest.raises(UnsupportedCodec, match="codec 6"):
        list(changed_field(build_batch([(None, b"v")]), 22, 6))


@given(data=st.binary(max_size=100), count=st.integers(-1, 20), codec=codecs)
def test_hostile_records_end_in_a_protocol_error(data: bytes, count: int, codec: Codec) -> None:
    batch = bytearray(build_batch([(None, b"v")])[:HEADER_SIZE] + data)
    batch[57:61] = count.to_bytes(4, signed=True)
    batch[22] = codec
    seal(batch)
    try:
        list(read_records(batch))
        recompress(batch, Codec.GZIP)
    except ProtocolError:
        pass


@given(record_lists, codecs, st.data())
def test_a_byte_changed_under_a_true_crc_ends_in_a_protocol_error_or_in_records(
    news: list[NewRecord], codec: Codec, data: st.DataObject
) -> None:
    batch = bytearray(build_batch(news, codec=codec))
    at = data.draw(st.integers(21, len(batch) - 1))
    flip = data.draw(st.integers(1, 255))
    batch[at] ^= flip
    seal(batch)
    assume(parse_header(batch).count < 1_000_000)
    try:
        for record in read_records(batch, size_max=1 << 22):
            assert isinstance(record, Record)
    except ProtocolError:
        pass
