"""The header, and what may be done to a whole batch without looking at its records."""

from __future__ import annotations

import struct

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from drave.model.errors import ErrorCode, ProtocolError
from drave.records import (
    HEADER_SIZE,
    Codec,
    CorruptBatch,
    InvalidRecord,
    InvalidTimestamp,
    UnsupportedCodec,
    UnsupportedMagic,
    build_batch,
    check,
    check_intact,
    control_batch,
    parse_header,
    place,
    read_records,
    split,
    stamp_append_time,
)
from drave.records.batch import seal

BATCH = build_batch([(b"k", b"v"), (None, b"w")], timestamp_ms=1_000, producer_id=7, producer_epoch=2, base_sequence=40)


def resealed(batch: bytes, at: int, layout: str, value: int) -> bytes:
    """`batch` with one field changed and a CRC that holds."""
    changed = bytearray(batch)
    struct.pack_into(layout, changed, at, value)
    struct.pack_into(">I", changed, 17, crc32c(memoryview(changed)[21:]))
    return bytes(changed)


def test_the_header_says_what_was_built() -> None:
    header = parse_header(BATCH)
    assert (header.base_offset, header.leader_epoch, header.magic) == (0, -1, 2)
    assert (header.size, header.last_offset, header.count) == (len(BATCH), 1, 2)
    assert (header.base_timestamp, header.max_timestamp, header.timestamp_type) == (1_000, 1_000, 0)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (7, 2, 40)
    assert header.codec is Codec.NONE
    assert not (header.is_control)
    assert not (header.is_transactional)


def test_a_header_is_read_where_it_starts_and_without_its_records() -> None:
    assert parse_header(b"xyz" + BATCH[:HEADER_SIZE], 3) == parse_header(BATCH)


@pytest.mark.parametrize("size", [0, 16, 17, HEADER_SIZE - 1])
def test_a_header_that_ends_early_is_corrupt(size: int) -> None:
    with pytest.raises(CorruptBatch, match=f"ends after {size} bytes"):
        parse_header(BATCH[:size])


@pytest.mark.parametrize("length", [-1, 0, 48])
def test_a_length_that_no_batch_can_have_is_corrupt(length: int) -> None:
    with pytest.raises(CorruptBatch, match=f"length of {length}"):
        parse_header(BATCH[:8] + struct.pack(">i", length) + BATCH[12:])


@pytest.mark.parametrize("magic", [0, 1])
def test_an_old_message_set_is_named_as_such_even_when_it_is_shorter_than_a_header(magic: int) -> None:
    with pytest.raises(UnsupportedMagic, match=f"magic {magic}") as refused:
        parse_header(BATCH[:16] + bytes([magic]) + BATCH[17:30])
    assert refused.value.code is ErrorCode.INVALID_RECORD


def test_a_magic_from_the_future_is_corrupt() -> None:
    with pytest.raises(CorruptBatch, match="magic 3"):
        parse_header(BATCH[:16] + b"\3" + BATCH[17:])


def test_split_gives_each_batch_as_a_view() -> None:
    other = build_batch([(None, b"x" * 100)], base_offset=2)
    (first, first_view), (second, second_view) = split(BATCH + other)
    assert (bytes(first_view), bytes(second_view)) == (BATCH, other)
    assert (first.last_offset, second.base_offset) == (1, 2)
    assert split(b"") == []


@pytest.mark.parametrize("rest", [b"\0", BATCH[:HEADER_SIZE], BATCH[:-1]])
def test_split_refuses_what_is_left_over(rest: bytes) -> None:
    with pytest.raises(CorruptBatch):
        split(BATCH + rest)


def test_a_batch_as_a_producer_sends_it_passes() -> None:
    check(parse_header(BATCH), BATCH)
    check(parse_header(BATCH), memoryview(BATCH))


@given(at=st.integers(17, len(BATCH) - 1), flip=st.integers(1, 255))
def test_a_changed_byte_in_the_crc_or_after_it_is_refused(at: int, flip: int) -> None:
    changed = bytearray(BATCH)
    changed[at] ^= flip
    with pytest.raises(CorruptBatch, match="CRC"):
        check(parse_header(changed), changed)


@pytest.mark.parametrize("batch", [BATCH[:-1], BATCH + b"\0"])
def test_a_batch_of_another_length_than_its_header_says_is_refused(batch: bytes) -> None:
    with pytest.raises(CorruptBatch, match="came as"):
        check_intact(parse_header(batch), batch)


@pytest.mark.parametrize(
    ("at", "layout", "value", "error"),
    [
        (57, ">i", 3, InvalidRecord),  # more records than offsets
        (57, ">i", 0, InvalidRecord),
        (23, ">i", -1, InvalidRecord),
        (23, ">i", 2, InvalidRecord),
        (53, ">i", -1, InvalidRecord),  # a producer without a sequence
        (51, ">h", -1, InvalidRecord),  # a producer without an epoch
        (21, ">h", 0x20, InvalidRecord),  # control
        (21, ">h", 0x08, InvalidTimestamp),  # append time
        (21, ">h", 0x05, UnsupportedCodec),
        (21, ">h", 0x07, UnsupportedCodec),
    ],
)
def test_an_intact_batch_that_no_producer_may_send_is_refused(
    at: int, layout: str, value: int, error: type[ProtocolError]
) -> None:
    batch = resealed(BATCH, at, layout, value)
    check_intact(parse_header(batch), batch)
    with pytest.raises(error):
        check(parse_header(batch), batch)


def test_a_transactional_batch_without_a_producer_is_refused() -> None:
    batch = build_batch([(None, b"v")], transactional=True)
    with pytest.raises(InvalidRecord, match="names no producer"):
        check(parse_header(batch), batch)


def test_a_control_batch_is_intact_but_not_for_producers() -> None:
    batch = control_batch(1, 7, 0, 3, 1_000)  # type: ignore[arg-type]  # the number that travels
    check_intact(parse_header(batch), batch)
    with pytest.raises(InvalidRecord, match="brokers only"):
        check(parse_header(batch), batch)


@given(base_offset=st.integers(0, 1 << 62), leader_epoch=st.integers(-1, (1 << 31) - 1))
def test_placing_a_batch_leaves_its_crc_true(base_offset: int, leader_epoch: int) -> None:
    """DESIGN 1.3: base offset and leader epoch lie before what the CRC covers."""
    placed = bytearray(BATCH)
    place(placed, base_offset, leader_epoch)
    header = parse_header(placed)
    check(header, placed)
    assert (header.base_offset, header.leader_epoch) == (base_offset, leader_epoch)
    assert [record.offset for record in read_records(placed)] == [base_offset, base_offset + 1]


def test_append_time_replaces_every_timestamp_and_the_crc_is_made_anew() -> None:
    """PROTOCOL, trap 11."""
    stamped = bytearray(BATCH)
    stamp_append_time(stamped, 123_456)
    header = parse_header(stamped)
    check_intact(header, stamped)
    assert (header.timestamp_type, header.max_timestamp, header.base_timestamp) == (1, 123_456, 1_000)
    assert [record.timestamp for record in read_records(stamped)] == [123_456, 123_456]


@given(st.binary(max_size=200))
def test_hostile_bytes_end_in_a_protocol_error(data: bytes) -> None:
    try:
        for header, batch in split(data):
            check(header, batch)
    except ProtocolError:
        pass


@given(st.binary(min_size=44, max_size=120))
def test_a_hostile_header_under_a_true_crc_ends_in_a_protocol_error(rest: bytes) -> None:
    batch = bytearray(BATCH[:17] + rest)
    seal(batch)
    header = parse_header(batch)
    try:
        check(header, batch)
        list(read_records(batch, header))
    except ProtocolError:
        pass
