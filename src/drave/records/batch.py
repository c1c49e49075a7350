"""Record batch v2, seen from outside: its header, and what may be done to it without looking at its records.

    at   0  base offset        int64   ┐ written by the broker when it appends;
         8  length             int32   │ the CRC does not cover these,
        12  leader epoch       int32   │ so nothing has to be summed anew
        16  magic = 2          int8    ┘
        17  CRC-32C            uint32    of everything from 21 to the end
        21  attributes         int16     0..2 codec · 3 append time · 4 transactional · 5 control · 6 delete horizon
        23  last offset delta  int32
        27  base timestamp     int64
        35  maximum timestamp  int64
        43  producer id        int64
        51  producer epoch     int16
        53  base sequence      int32
        57  count              int32
        61  records            to 12 + length; compressed as a whole when the attributes say so

The same bytes travel and lie on disk. Once the CRC holds, the header is believed: Python never touches each record of
an ordinary produce request. Sources: KIP-98 for the format, KIP-534 for the delete horizon.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec
from crc32c import crc32c

from drave.records.compression import Buffer, Codec
from drave.records.errors import CorruptBatch, InvalidRecord, InvalidTimestamp, UnsupportedCodec, UnsupportedMagic

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
HEADER_SIZE: Final = HEADER.size
MAGIC: Final = 2

NO_TIMESTAMP: Final = -1
NO_PRODUCER_ID: Final = -1
NO_PRODUCER_EPOCH: Final = -1
NO_SEQUENCE: Final = -1
NO_LEADER_EPOCH: Final = -1

CODEC_MASK: Final = 0x07
APPEND_TIME: Final = 0x08
TRANSACTIONAL: Final = 0x10
CONTROL: Final = 0x20

LENGTH_END: Final = 12
"""`length` counts the bytes that follow itself: so many come before."""
_LENGTH_MIN: Final = HEADER_SIZE - LENGTH_END
_EPOCH_AT: Final = 12
_MAGIC_AT: Final = 16
_CRC_AT: Final = 17
_ATTRIBUTES_AT: Final = 21
_MAX_TIMESTAMP_AT: Final = 35
_OFFSET: Final = struct.Struct(">q")
_EPOCH: Final = struct.Struct(">i")
_CRC: Final = struct.Struct(">I")
_ATTRIBUTES: Final = struct.Struct(">h")
_TIMESTAMP: Final = struct.Struct(">q")
_CODECS: Final = tuple(Codec)
_CODEC_LAST: Final = int(Codec.ZSTD)

assert HEADER_SIZE == 61


class BatchHeader(msgspec.Struct, gc=False):
    """The 61 bytes before the records, in their order. A msgspec struct: one is made for every batch that passes."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return LENGTH_END + self.length

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def codec(self) -> Codec:
        """Raises `UnsupportedCodec` for 5 to 7, which three bits can say and no Kafka knows."""
        codec = self.attributes & CODEC_MASK
        if codec >= len(_CODECS):
            raise UnsupportedCodec(codec)
        return _CODECS[codec]

    @property
    def timestamp_type(self) -> int:
        """0: the producer's time of creation; 1: the broker's time of append, the same for every record."""
        return 1 if self.attributes & APPEND_TIME else 0

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL)


def parse_header(buffer: Buffer, at: int = 0) -> BatchHeader:
    """The header that starts at `at`. The records need not be in the buffer yet, and the CRC is not looked at.

    Raises `CorruptBatch` when the buffer ends inside the header or the length or magic is impossible, and
    `UnsupportedMagic` for the message sets of old.
    """
    try:
        header = BatchHeader(*HEADER.unpack_from(buffer, at))
    except struct.error:
        raise _not_a_header(buffer, at) from None
    if header.magic != MAGIC or header.length < _LENGTH_MIN:
        raise _not_a_header(buffer, at)
    return header


def _not_a_header(buffer: Buffer, at: int) -> CorruptBatch | UnsupportedMagic:
    held = len(buffer) - at
    if held > _MAGIC_AT:
        magic = int.from_bytes(buffer[at + _MAGIC_AT : at + _MAGIC_AT + 1], signed=True)
        if magic in (0, 1):
            return UnsupportedMagic(magic)
        if magic != MAGIC:
            return CorruptBatch(f"a record batch has magic {magic} where 2 is known")
    if held < HEADER_SIZE:
        return CorruptBatch(f"a record batch ends after {held} bytes, inside its header of {HEADER_SIZE}")
    (length,) = _EPOCH.unpack_from(buffer, at + _OFFSET.size)
    return CorruptBatch(f"a record batch claims a length of {length} bytes; the least is {_LENGTH_MIN}")


def split(buffer: Buffer) -> list[tuple[BatchHeader, memoryview]]:
    """The batches in `buffer`, each as a view of it. Raises what `parse_header` does, and `CorruptBatch` when bytes
    are left that are no whole batch."""
    view = memoryview(buffer)
    batches = []
    at = 0
    while at < len(view):
        header = parse_header(view, at)
        end = at + header.size
        if end > len(view):
            raise CorruptBatch(f"a record batch claims {header.size} bytes where {len(view) - at} are left")
        batches.append((header, view[at:end]))
        at = end
    return batches


def check_intact(header: BatchHeader, batch: Buffer) -> None:
    """That `batch` is whole and as it was sent: all that recovery may ask, for compacted batches have gaps.

    `header` is `batch`'s own. Raises `CorruptBatch`.
    """
    if len(batch) != header.length + LENGTH_END:
        raise CorruptBatch(f"a record batch of {header.size} bytes came as {len(batch)}")
    if crc32c(batch[_ATTRIBUTES_AT:]) != header.crc:
        raise CorruptBatch(f"the CRC-32C of a record batch of {header.size} bytes does not match its content")


def check(header: BatchHeader, batch: Buffer) -> None:
    """That `batch` is intact and something a producer may send. Records are not looked at (see the module's law).

    Raises `CorruptBatch`, `InvalidRecord`, `InvalidTimestamp` or `UnsupportedCodec`.
    """
    check_intact(header, batch)
    if header.count != header.last_offset_delta + 1 or header.count <= 0:
        raise InvalidRecord(
            f"a record batch holds {header.count} records, but its last offset delta is {header.last_offset_delta}"
        )
    if not 0 <= header.attributes <= _CODEC_LAST:
        _check_flags(header)
    if header.producer_id >= 0 and (header.base_sequence < 0 or header.producer_epoch < 0):
        raise InvalidRecord(
            f"producer {header.producer_id} sent epoch {header.producer_epoch} and sequence {header.base_sequence}"
        )


def _check_flags(header: BatchHeader) -> None:
    """What a producer may say of a batch besides its codec."""
    attributes = header.attributes
    if attributes & CODEC_MASK > _CODEC_LAST:
        raise UnsupportedCodec(attributes & CODEC_MASK)
    if attributes & CONTROL:
        raise InvalidRecord("control batches are written by brokers only")
    if attributes & APPEND_TIME:
        raise InvalidTimestamp("only a broker may mark a batch's timestamps as LogAppendTime")
    if attributes & TRANSACTIONAL and header.producer_id < 0:
        raise InvalidRecord("a transactional batch names no producer")


def place(batch: bytearray | memoryview, base_offset: int, leader_epoch: int) -> None:
    """Write where the batch stands in its partition. Both fields lie before what the CRC covers, so it stays."""
    _OFFSET.pack_into(batch, 0, base_offset)
    _EPOCH.pack_into(batch, _EPOCH_AT, leader_epoch)


def stamp_append_time(batch: bytearray | memoryview, now_ms: int) -> None:
    """Make every record's timestamp `now_ms` (LogAppendTime), as Kafka does: two header fields, and the CRC anew."""
    (attributes,) = _ATTRIBUTES.unpack_from(batch, _ATTRIBUTES_AT)
    _ATTRIBUTES.pack_into(batch, _ATTRIBUTES_AT, attributes | APPEND_TIME)
    _TIMESTAMP.pack_into(batch, _MAX_TIMESTAMP_AT, now_ms)
    seal(batch)


def seal(batch: bytearray | memoryview) -> None:
    """Write the length and the CRC of a whole batch whose other bytes are final."""
    _EPOCH.pack_into(batch, _OFFSET.size, len(batch) - LENGTH_END)
    _CRC.pack_into(batch, _CRC_AT, crc32c(memoryview(batch)[_ATTRIBUTES_AT:]))


def set_codec(batch: bytearray | memoryview, codec: Codec) -> None:
    """Write the codec into the attributes; `seal` has to follow."""
    (attributes,) = _ATTRIBUTES.unpack_from(batch, _ATTRIBUTES_AT)
    _ATTRIBUTES.pack_into(batch, _ATTRIBUTES_AT, attributes & ~CODEC_MASK | codec)
