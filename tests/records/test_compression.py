"""The codecs, in every form that clients write."""

from __future__ import annotations

import contextlib
import gzip

import aiokafka.codec
import cramjam
import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from drave.model.errors import ProtocolError
from drave.records import Codec, InvalidRecord, compress, decompress

TEXT = b"la drave: floating logs downstream. " * 3_000
COMPRESSED = [Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD]


@pytest.mark.parametrize("codec", Codec)
@given(data=st.binary(max_size=2_000) | st.integers(1, 4).map(lambda times: TEXT * times))
def test_what_is_compressed_is_decompressed(codec: Codec, data: bytes) -> None:
    packed = compress(codec, data)
    assert decompress(codec, packed) == data
    assert decompress(codec, memoryview(packed)) == data
    assert compress(codec, memoryview(data)) == packed


def test_snappy_is_read_raw_as_librdkafka_writes_it_and_framed_as_java_does() -> None:
    assert decompress(Codec.SNAPPY, bytes(cramjam.snappy.compress_raw(TEXT))) == TEXT
    assert decompress(Codec.SNAPPY, aiokafka.codec.snappy_encode(TEXT)) == TEXT


def test_snappy_is_written_in_xerial_blocks_of_32_kib() -> None:
    packed = compress(Codec.SNAPPY, TEXT)
    assert packed.startswith(b"\x82SNAPPY\x00\0\0\0\1\0\0\0\1")
    assert aiokafka.codec.snappy_decode(packed) == TEXT


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("sized", [True, False])
def test_lz4_is_read_with_and_without_a_size_linked_or_not(linked: bool, sized: bool) -> None:
    frame = lz4.frame.compress(TEXT, block_linked=linked, store_size=sized, content_checksum=True)
    assert decompress(Codec.LZ4, frame) == TEXT


@pytest.mark.parametrize("level", [None, 1, 9, 17])
def test_lz4_is_written_as_java_can_read_it_in_independent_blocks(level: int | None) -> None:
    """Kafka's Java client refuses linked blocks."""
    info = lz4.frame.get_frame_info(compress(Codec.LZ4, TEXT, level))
    assert not info["block_linked"]
    assert decompress(Codec.LZ4, compress(Codec.LZ4, TEXT, level)) == TEXT


def test_zstd_is_read_with_and_without_a_size() -> None:
    for sized in (True, False):
        assert decompress(Codec.ZSTD, zstandard.ZstdCompressor(write_content_size=sized).compress(TEXT)) == TEXT


def test_gzip_bytes_do_not_depend_on_the_time() -> None:
    assert compress(Codec.GZIP, TEXT) == compress(Codec.GZIP, TEXT)
    assert gzip.decompress(compress(Codec.GZIP, TEXT)) == TEXT


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.LZ4, Codec.ZSTD])
def test_frames_one_after_another_are_one_text(codec: Codec) -> None:
    assert decompress(codec, compress(codec, b"first, ") + compress(codec, b"second")) == b"first, second"


@pytest.mark.parametrize("codec", Codec)
def test_the_bound_is_exact(codec: Codec) -> None:
    packed = compress(codec, TEXT)
    assert decompress(codec, packed, size_max=len(TEXT)) == TEXT
    with pytest.raises(InvalidRecord, match="grows past"):
        decompress(codec, packed, size_max=len(TEXT) - 1)


def test_a_snappy_block_that_claims_four_gigabytes_is_refused_before_they_are_set_aside() -> None:
    with pytest.raises(InvalidRecord, match="grows past"):
        decompress(Codec.SNAPPY, b"\xff\xff\xff\xff\x0f" + b"\0" * 20)


def test_a_snappy_block_is_held_against_the_bytes_that_are_there() -> None:
    packed = compress(Codec.SNAPPY, b"drave")
    for cut in (packed[:-1], packed[:18], packed[:16] + b"\xff\xff\xff\xff" + packed[20:]):
        with pytest.raises(InvalidRecord):
            decompress(Codec.SNAPPY, cut)


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.LZ4])
def test_a_frame_that_ends_early_is_refused(codec: Codec) -> None:
    packed = compress(codec, TEXT)
    for size in range(1, len(packed)):
        with pytest.raises(InvalidRecord):
            decompress(codec, packed[:size])


@pytest.mark.parametrize("codec", COMPRESSED)
@given(data=st.binary(max_size=200))
def test_hostile_bytes_end_in_a_protocol_error(codec: Codec, data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decompress(codec, data, size_max=1 << 20)


@pytest.mark.parametrize("codec", COMPRESSED)
@given(data=st.data())
def test_a_changed_byte_ends_in_a_protocol_error_or_in_bytes(codec: Codec, data: st.DataObject) -> None:
    packed = bytearray(compress(codec, TEXT))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ProtocolError):
        assert len(decompress(codec, packed, size_max=1 << 20)) <= 1 << 20
