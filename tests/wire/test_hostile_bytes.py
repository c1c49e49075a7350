"""Bytes that nobody should send: each decoder gives a message or a SchemaError, and holds no more than it was given."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drave.schema import SchemaError, decoder, encoder

NASTY = [
    b"\x7f\xff\xff\xff",  # the largest legacy count
    b"\xff\xff\xff\xff",  # null
    b"\x80\x00\x00\x00",  # a negative length that is not -1
    b"\xff\xff\xff\xff\x07",  # the largest compact count
    b"\xff\xff\xff\xff\xff\x01",  # a varint too long
    b"\x80\x00",  # zero, in two bytes
    b"\x00",
    b"\x01",
    b"\x02",
    b"\x7f",
    b"\xc3\x28",  # not UTF-8
]

GARBAGE = st.binary(max_size=64) | st.lists(st.sampled_from(NASTY) | st.binary(max_size=4), max_size=16).map(b"".join)

Declared = tuple[int, type[Any], int]


def decoded_or_refused(decode: Any, data: bytes) -> None:
    try:
        _, end = decode(data, 0)
    except SchemaError:
        return
    assert 0 <= end <= len(data)


def test_any_bytes_are_a_message_or_a_schema_error(declared: Declared, messages: Any) -> None:
    """Pure noise, and real messages in which a few bytes were changed."""
    _, cls, version = declared
    decode, encode = decoder(cls, version), encoder(cls, version)

    @settings(settings.get_profile("wire"))
    @given(noise=GARBAGE, message=messages(version).of(cls), at=st.integers(0, 200), token=st.sampled_from(NASTY))
    def check(noise: bytes, message: Any, at: int, token: bytes) -> None:
        decoded_or_refused(decode, noise)
        real = b"".join(encode(message))
        at %= len(real) + 1
        decoded_or_refused(decode, real[:at] + token + real[at + len(token) :])
        decoded_or_refused(decode, real[:at] + token + real[at:])

    check()


def test_a_message_that_is_cut_off_anywhere_is_refused(declared: Declared, messages: Any) -> None:
    _, cls, version = declared
    decode, encode = decoder(cls, version), encoder(cls, version)

    @settings(settings.get_profile("wire"), max_examples=2)
    @given(messages(version).of(cls))
    def check(message: Any) -> None:
        whole = b"".join(encode(message))
        for end in {*range(min(len(whole), 64)), *range(max(0, len(whole) - 64), len(whole))}:
            with pytest.raises(SchemaError):
                decode(whole[:end], 0)

    check()


@pytest.mark.parametrize("count", [b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff\x07"], ids=["legacy", "compact"])
def test_a_count_makes_nobody_allocate_more_than_the_frame_holds(declared: Declared, count: bytes) -> None:
    """2,147,483,647 elements in fifty bytes."""
    _, cls, version = declared
    decode = decoder(cls, version)
    tracemalloc.start()
    try:
        for start in range(12):
            decoded_or_refused(decode, bytes(start) + count * 10)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
