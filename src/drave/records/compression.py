"""The five codecs of a record batch, as Kafka's clients write and read them.

    gzip     one member or several                                 zlib
    snappy   raw:     <block>                                      librdkafka, most others
             Xerial:  82 "SNAPPY" 00 | 1 | 1 | (length <block>)*   Java, kafka-python, aiokafka
    lz4      frames: independent blocks, mostly without a size     Java reads no linked blocks
    zstd     frames, mostly without a size

Both framings of snappy are read; what is written is what the Java client writes: every client reads that.
Decompression never makes more than `size_max` bytes, whatever sizes the input claims, and fails only with
`InvalidRecord`.
"""

from __future__ import annotations

import enum
import gzip
import struct
import zlib
from collections.abc import Callable
from typing import Final, Protocol

import cramjam
import lz4.frame
import zstandard

from drave.records.errors import InvalidRecord

Buffer = bytes | bytearray | memoryview

DECOMPRESSED_BYTES_MAX: Final = 256 * 1024 * 1024
"""What one batch may become, unless the caller says less: far above any honest batch, far below a machine's memory."""


class Codec(enum.IntEnum):
    """The lowest three bits of a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


def compress(codec: Codec, data: Buffer, level: int | None = None) -> bytes:
    """`data` in `codec`. `level` is on Kafka's scale (`compression.gzip.level` and so on); None is its default."""
    return _COMPRESS[codec](data, level)


def decompress(codec: Codec, data: Buffer, *, size_max: int = DECOMPRESSED_BYTES_MAX) -> bytes:
    """The reverse of `compress`. Raises `InvalidRecord` when `data` is not `codec` or grows past `size_max` bytes."""
    return _DECOMPRESS[codec](data, size_max)


class _TooLarge(InvalidRecord):
    def __init__(self, codec: Codec, size_max: int) -> None:
        super().__init__(f"{codec.name.lower()} data grows past {size_max} bytes")


# none


def _keep(data: Buffer, level: int | None) -> bytes:
    return bytes(data)


def _keep_bounded(data: Buffer, size_max: int) -> bytes:
    if len(data) > size_max:
        raise _TooLarge(Codec.NONE, size_max)
    return bytes(data)


# gzip and lz4: decompressors of one frame that stop when they have made enough

_GZIP_FRAMING: Final = 31  # zlib's way of saying: the largest window, with a gzip header and trailer


class _FrameDecompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: Buffer, max_length: int) -> bytes: ...


class _GzipMember:
    """zlib's decompressor with lz4's manners: it keeps the input that it has not used yet."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP_FRAMING)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: Buffer, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + bytes(data), max_length)


def _compress_gzip(data: Buffer, level: int | None) -> bytes:
    return gzip.compress(data, zlib.Z_DEFAULT_COMPRESSION if level is None else level, mtime=0)


def _decompress_gzip(data: Buffer, size_max: int) -> bytes:
    try:
        return _decompress_frames(Codec.GZIP, _GzipMember, data, size_max)
    except zlib.error as error:
        raise InvalidRecord(f"bad gzip data: {error}") from None


_LZ4_DEFAULT_LEVEL: Final = 9  # Kafka's name for its fast compressor; every other level asks for the slow one
_LZ4_HIGHEST_LEVEL: Final = 12  # of liblz4; Kafka's scale goes on to 17, where lz4-java stops too


def _compress_lz4(data: Buffer, level: int | None) -> bytes:
    fast = level is None or level == _LZ4_DEFAULT_LEVEL
    return lz4.frame.compress(  # type: ignore[no-any-return]  # the library has no types
        data,
        compression_level=0 if fast else min(level or 0, _LZ4_HIGHEST_LEVEL),
        block_size=lz4.frame.BLOCKSIZE_MAX64KB,
        block_linked=False,
        store_size=False,
    )


def _decompress_lz4(data: Buffer, size_max: int) -> bytes:
    try:
        return _decompress_frames(Codec.LZ4, lz4.frame.LZ4FrameDecompressor, data, size_max)
    except RuntimeError as error:
        raise InvalidRecord(f"bad lz4 data: {error}") from None


_STEP_BYTES_MIN: Final = 64 * 1024


def _decompress_frames(codec: Codec, frame: Callable[[], _FrameDecompressor], data: Buffer, size_max: int) -> bytes:
    """All frames in `data`, one after another, in steps: lz4 sets aside the whole of what it is allowed to make."""
    made: list[bytes] = []
    size = 0
    rest: Buffer | None = data
    while rest:
        decompressor = frame()
        while not decompressor.eof:
            step = min(size_max - size + 1, max(_STEP_BYTES_MIN, 8 * len(rest)))
            piece = decompressor.decompress(rest, max_length=step)
            rest = b""
            size += len(piece)
            if size > size_max:
                raise _TooLarge(codec, size_max)
            if not piece and not decompressor.eof:
                raise InvalidRecord(f"{codec.name.lower()} data ends in the middle of a frame")
            made.append(piece)
        rest = decompressor.unused_data
    return made[0] if len(made) == 1 else b"".join(made)


# snappy

_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = _XERIAL_MAGIC + struct.pack(">ii", 1, 1)  # version, and the lowest that can read it
_XERIAL_BLOCK_BYTES: Final = 32 * 1024
_LENGTH: Final = struct.Struct(">i")


def _compress_snappy(data: Buffer, level: int | None) -> bytes:
    view = memoryview(data)
    parts = [_XERIAL_HEADER]
    for at in range(0, len(view), _XERIAL_BLOCK_BYTES):
        block = bytes(cramjam.snappy.compress_raw(view[at : at + _XERIAL_BLOCK_BYTES]))
        parts += (_LENGTH.pack(len(block)), block)
    return b"".join(parts)


def _decompress_snappy(data: Buffer, size_max: int) -> bytes:
    view = memoryview(data)
    if bytes(view[: len(_XERIAL_MAGIC)]) != _XERIAL_MAGIC:
        return _decompress_snappy_block(view, size_max)
    parts: list[bytes] = []
    size_left = size_max
    at = len(_XERIAL_HEADER)
    while at < len(view):
        start = at + _LENGTH.size
        if start > len(view):
            raise InvalidRecord("snappy data ends in the middle of a block's length")
        (length,) = _LENGTH.unpack_from(view, at)
        at = start + length
        if length < 0 or at > len(view):
            raise InvalidRecord(f"a snappy block claims {length} bytes where {len(view) - start} are left")
        parts.append(_decompress_snappy_block(view[start:at], size_left))
        size_left -= len(parts[-1])
    return b"".join(parts)


def _decompress_snappy_block(block: memoryview, size_max: int) -> bytes:
    try:
        if cramjam.snappy.decompress_raw_len(block) > size_max:
            raise _TooLarge(Codec.SNAPPY, size_max)
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        raise InvalidRecord(f"bad snappy data: {error}") from None


# zstd

_ZSTD_DEFAULT_LEVEL: Final = 3
_ZSTD_STEP_BYTES: Final = 1024 * 1024


def _compress_zstd(data: Buffer, level: int | None) -> bytes:
    return zstandard.ZstdCompressor(level=_ZSTD_DEFAULT_LEVEL if level is None else level).compress(data)


def _decompress_zstd(data: Buffer, size_max: int) -> bytes:
    """By streaming: clients leave the size out of their frames, and a size that is there may lie.

    The stream does not tell a frame that ends early from one that ends; the reader of the records inside does.
    """
    made: list[bytes] = []
    size = 0
    try:
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as stream:
            while piece := stream.read(min(size_max - size + 1, _ZSTD_STEP_BYTES)):
                size += len(piece)
                if size > size_max:
                    raise _TooLarge(Codec.ZSTD, size_max)
                made.append(piece)
    except zstandard.ZstdError as error:
        raise InvalidRecord(f"bad zstd data: {error}") from None
    return made[0] if len(made) == 1 else b"".join(made)


_COMPRESS: Final[dict[Codec, Callable[[Buffer, int | None], bytes]]] = {
    Codec.NONE: _keep,
    Codec.GZIP: _compress_gzip,
    Codec.SNAPPY: _compress_snappy,
    Codec.LZ4: _compress_lz4,
    Codec.ZSTD: _compress_zstd,
}

_DECOMPRESS: Final[dict[Codec, Callable[[Buffer, int], bytes]]] = {
    Codec.NONE: _keep_bounded,
    Codec.GZIP: _decompress_gzip,
    Codec.SNAPPY: _decompress_snappy,
    Codec.LZ4: _decompress_lz4,
    Codec.ZSTD: _decompress_zstd,
}
