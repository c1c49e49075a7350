"""How values travel: the rules of Kafka's protocol, on small structs."""

from __future__ import annotations

import struct
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.schema import (
    ZERO_UUID,
    SchemaError,
    Struct,
    boolean,
    decoder,
    encoder,
    float64,
    int8,
    int16,
    int32,
    int64,
    nullable,
    record_slices,
    records,
    since,
    tagged,
    uint16,
    uint32,
    until,
    uuid,
)
from drave.schema.runtime import read_varint, varint

LEGACY, FLEXIBLE = 0, 1


class Point(Struct):
    x: int32
    y: int32 = 5


class Scalars(Struct, flexible=1):
    tiny: int8
    small: int16
    medium: int32
    large: int64
    port: uint16
    mask: uint32
    ratio: float64
    flag: boolean
    id: uuid = ZERO_UUID


class Strings(Struct, flexible=1):
    text: str
    blob: bytes
    maybe_text: str | None
    maybe_blob: bytes | None


class Arrays(Struct, flexible=1):
    numbers: list[int32]
    names: list[str]
    points: list[Point]
    maybe: list[int64] | None


class Structs(Struct, flexible=1):
    point: Point
    maybe: Point | None


class Batches(Struct, flexible=1):
    before: int32
    records: records | None
    after: int32


class Slices(Struct, flexible=1):
    before: int32
    records: record_slices | None
    after: int32


class Tags(Struct, flexible=1):
    number: int32
    low: int32 = tagged(0, since=1, default=-1)
    names: list[str] = tagged(1, since=1, default=[])
    point: Point | None = tagged(200, since=1, default=None)


class Ages(Struct, versions=(0, 4)):
    young: int32 = since(2, default=11)
    always: int32
    old: int32 = until(1, default=22)
    middle: int32 = since(1, until=3, default=33)
    name: str | None = nullable(3)


def encode(message: Any, version: int) -> bytes:
    return b"".join(encoder(type(message), version)(message))


def decode(cls: type[Any], version: int, data: bytes) -> Any:
    message, end = decoder(cls, version)(data, 0)
    assert end == len(data)
    return message


def assert_travels_as(message: Any, version: int, data: bytes) -> None:
    assert encode(message, version) == data
    assert decode(type(message), version, data) == message


@pytest.mark.parametrize(("version", "tags"), [(LEGACY, b""), (FLEXIBLE, b"\0")])
def test_scalars_are_big_endian_and_of_fixed_width(version: int, tags: bytes) -> None:
    message = Scalars(
        tiny=-1, small=-2, medium=-3, large=-4, port=65_535, mask=2**32 - 1, ratio=0.5, flag=True, id=bytes(range(16))
    )
    packed = struct.pack(">bhiqHId?16s", -1, -2, -3, -4, 65_535, 2**32 - 1, 0.5, True, bytes(range(16)))
    assert_travels_as(message, version, packed + tags)


def test_legacy_lengths_are_int16_for_strings_and_int32_for_bytes() -> None:
    message = Strings(text="é", blob=b"ab", maybe_text=None, maybe_blob=None)
    assert_travels_as(message, LEGACY, b"\0\2\xc3\xa9" + b"\0\0\0\2ab" + b"\xff\xff" + b"\xff\xff\xff\xff")


def test_compact_lengths_are_varints_of_one_more() -> None:
    """KIP-482: 0 stands for null."""
    message = Strings(text="é", blob=b"", maybe_text="x" * 127, maybe_blob=None)
    assert_travels_as(message, FLEXIBLE, b"\3\xc3\xa9" + b"\1" + b"\x80\1" + b"x" * 127 + b"\0" + b"\0")


def test_any_negative_legacy_length_is_null() -> None:
    """As in Kafka, though only -1 is ever sent."""
    data = b"\0\0" + b"\0\0\0\0" + b"\x80\0" + b"\xff\xff\xff\xfe"
    assert decode(Strings, LEGACY, data) == Strings(text="", blob=b"", maybe_text=None, maybe_blob=None)


def test_arrays_are_counted() -> None:
    message = Arrays(numbers=[1, -1], names=["a", ""], points=[Point(x=1)], maybe=None)
    numbers, points = struct.pack(">ii", 1, -1), struct.pack(">ii", 1, 5)
    assert_travels_as(
        message,
        LEGACY,
        b"\0\0\0\2" + numbers + b"\0\0\0\2\0\1a\0\0" + b"\0\0\0\1" + points + b"\xff\xff\xff\xff",
    )
    assert_travels_as(message, FLEXIBLE, b"\3" + numbers + b"\3\2a\1" + b"\2" + points + b"\0" + b"\0" + b"\0")


def test_long_arrays_have_long_counts() -> None:
    message = Arrays(numbers=[7] * 300, names=["n"] * 127, points=[], maybe=[])
    data = encode(message, FLEXIBLE)
    assert data.startswith(varint(301) + struct.pack(">i", 7))
    assert decode(Arrays, FLEXIBLE, data) == message


def test_a_struct_that_may_be_null_has_a_byte_before_it() -> None:
    """KIP-893."""
    point = struct.pack(">ii", 1, 2)
    assert_travels_as(Structs(point=Point(x=1, y=2), maybe=None), LEGACY, point + b"\xff")
    assert_travels_as(Structs(point=Point(x=1, y=2), maybe=Point(x=1, y=2)), LEGACY, point + b"\1" + point)
    assert_travels_as(
        Structs(point=Point(x=1, y=2), maybe=Point(x=1, y=2)), FLEXIBLE, point + b"\0\1" + point + b"\0\0"
    )


@pytest.mark.parametrize(
    ("version", "head", "tail"), [(LEGACY, b"\0\0\0\4\0\0\0\2", b"\0\0\0\6"), (FLEXIBLE, b"\0\0\0\4\3", b"\0\0\0\6\0")]
)
@pytest.mark.parametrize("cls", [Batches, Slices])
def test_records_are_a_part_of_their_own_and_a_view(cls: type[Any], version: int, head: bytes, tail: bytes) -> None:
    batch = bytearray(b"rr")
    parts = encoder(cls, version)(cls(before=4, records=batch, after=6))
    assert parts == [head, batch, tail]
    assert parts[1] is batch
    frame = bytearray(b"".join(parts))
    message, _ = decoder(cls, version)(frame, 0)
    frame[len(head)] = ord("R")
    assert message.records == b"Rr"


@pytest.mark.parametrize("version", [LEGACY, FLEXIBLE])
def test_slices_of_records_are_sent_one_after_another(version: int) -> None:
    slices = [memoryview(b"first"), memoryview(b"second")]
    parts = encoder(Slices, version)(Slices(before=1, records=slices, after=2))
    assert parts[1:3] == slices
    assert b"".join(parts) == encode(Slices(before=1, records=b"firstsecond", after=2), version)


@pytest.mark.parametrize("version", [LEGACY, FLEXIBLE])
@pytest.mark.parametrize("nothing", [None, b"", []])
def test_no_records_are_no_part(version: int, nothing: Any) -> None:
    assert len(encoder(Slices, version)(Slices(before=1, records=nothing, after=2))) == 1
    decoded = decode(Slices, version, encode(Slices(before=1, records=nothing, after=2), version))
    assert decoded.records == (None if nothing is None else b"")


def test_tagged_fields_travel_only_where_they_differ_from_their_default() -> None:
    assert_travels_as(Tags(number=1), FLEXIBLE, b"\0\0\0\1" + b"\0")
    assert_travels_as(Tags(number=1, low=2), FLEXIBLE, b"\0\0\0\1" + b"\1" + b"\0\4\0\0\0\2")
    assert_travels_as(
        Tags(number=1, low=2, names=["n"], point=Point(x=3)),
        FLEXIBLE,
        b"\0\0\0\1" + b"\3" + b"\0\4\0\0\0\2" + b"\1\3\2\2n" + b"\xc8\1\x09" + struct.pack(">iix", 3, 5),
    )


def test_tagged_fields_are_not_there_before_flexible_versions() -> None:
    assert encode(Tags(number=1, low=2), LEGACY) == b"\0\0\0\1"
    assert decode(Tags, LEGACY, b"\0\0\0\1") == Tags(number=1)


def test_unknown_tags_are_passed_over() -> None:
    data = b"\0\0\0\1" + b"\3" + b"\0\4\0\0\0\2" + b"\7\2zz" + b"\xff\xff\3\0"
    assert decode(Tags, FLEXIBLE, data) == Tags(number=1, low=2)
    assert decode(Structs, FLEXIBLE, struct.pack(">ii", 1, 2) + b"\1\0\1z" + b"\xff" + b"\0").maybe is None


@pytest.mark.parametrize("size", [3, 5])
def test_a_tag_of_another_size_than_its_field_is_refused(size: int) -> None:
    with pytest.raises(SchemaError, match="low: its tag gives it another size"):
        decode(Tags, FLEXIBLE, b"\0\0\0\1" + b"\1" + b"\0" + bytes((size,)) + bytes(8))


def test_a_field_that_a_version_lacks_is_dropped_and_comes_back_as_its_default() -> None:
    message = Ages(young=1, always=2, old=3, middle=4, name="n")
    bodies = {version: encode(message, version)[:-3] for version in range(5)}
    assert [[*struct.unpack(f">{len(body) // 4}i", body)] for body in bodies.values()] == [
        [2, 3],
        [2, 3, 4],
        [1, 2, 4],
        [1, 2, 4],
        [1, 2],
    ]
    assert decode(Ages, 0, encode(message, 0)) == Ages(young=11, always=2, old=3, middle=33, name="n")
    assert decode(Ages, 4, encode(message, 4)) == Ages(young=1, always=2, old=22, middle=33, name="n")


def test_null_is_refused_in_versions_that_have_none() -> None:
    message = Ages(always=0, name=None)
    assert decode(Ages, 3, encode(message, 3)).name is None
    with pytest.raises(SchemaError, match="Ages version 2: cannot carry this message"):
        encode(message, 2)
    with pytest.raises(SchemaError, match="Ages version 2: name: cannot be null"):
        decode(Ages, 2, bytes(12) + b"\xff\xff")


@pytest.mark.parametrize(
    "wrong",
    [
        Strings(text="x" * 40_000, blob=b"", maybe_text=None, maybe_blob=None),
        Strings(text=None, blob=b"", maybe_text=None, maybe_blob=None),
        Strings(text="\ud800", blob=b"", maybe_text=None, maybe_blob=None),
        Structs(point=None, maybe=None),
        Arrays(numbers=[2**31], names=[], points=[], maybe=None),
        Arrays(numbers=[], names=[1], points=[], maybe=None),
        Point(x="1"),
    ],
)
def test_what_cannot_be_written_is_a_schema_error(wrong: Any) -> None:
    with pytest.raises(SchemaError, match="cannot carry this message"):
        encode(wrong, LEGACY)


@pytest.mark.parametrize(
    ("version", "data", "reason"),
    [
        (LEGACY, b"\0\5abc", "ends too early"),
        (LEGACY, b"\0\2\xc3\x28", "not UTF-8"),
        (LEGACY, b"\xff\xff", "text: cannot be null"),
        (FLEXIBLE, b"\0", "text: cannot be null"),
        (FLEXIBLE, b"\xff\xff\xff\xff\xff\1", "varint of more than five bytes"),
        (FLEXIBLE, b"\1\1\0\0\1\0", "ends too early"),
        (FLEXIBLE, b"\1\1\0\0\1\0\5a", "ends too early"),
    ],
)
def test_garbage_says_what_is_wrong_with_it(version: int, data: bytes, reason: str) -> None:
    with pytest.raises(SchemaError, match=rf"Strings version {version}: .*{reason}"):
        decoder(Strings, version)(data, 0)


@pytest.mark.parametrize("field", range(3))
def test_a_count_that_does_not_fit_is_refused_before_anything_is_allocated(field: int) -> None:
    with pytest.raises(SchemaError, match="2147483647 elements do not fit into what is left"):
        decoder(Arrays, LEGACY)(bytes(4 * field) + b"\x7f\xff\xff\xff" + bytes(40), 0)
    with pytest.raises(SchemaError, match="2147483646 elements do not fit into what is left"):
        decoder(Arrays, FLEXIBLE)(b"\1" * field + b"\xff\xff\xff\xff\7" + bytes(40), 0)


def test_a_message_may_lie_anywhere_in_a_buffer() -> None:
    data = b"before" + encode(Point(x=1), LEGACY) + b"after"
    for buffer in (data, bytearray(data), memoryview(data)):
        assert decoder(Point, LEGACY)(buffer, 6) == (Point(x=1), 14)


def test_what_is_decoded_outlives_its_buffer_but_for_records() -> None:
    data = bytearray(encode(Strings(text="t", blob=b"b", maybe_text=None, maybe_blob=b"m"), LEGACY))
    message, _ = decoder(Strings, LEGACY)(memoryview(data), 0)
    data[:] = bytes(len(data))
    assert message == Strings(text="t", blob=b"b", maybe_text=None, maybe_blob=b"m")


def test_a_traceback_shows_the_generated_line() -> None:
    with pytest.raises(SchemaError) as caught:
        encode(Point(x="1"), LEGACY)
    assert "pack_ii(message.x, message.y)" in "".join(traceback.format_exception(caught.value))


@given(st.integers(0, 2**35 - 1), st.binary(max_size=3))
def test_varints_come_back(value: int, rest: bytes) -> None:
    written = varint(value)
    assert read_varint(written + rest, 0) == (value, len(written))
