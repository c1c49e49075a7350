"""The records inside a batch: reading, building, compressing anew.

    length varint │ attributes int8 │ timestamp delta varlong │ offset delta varint
                  │ key length varint, key │ value length varint, value            (length -1: null)
                  │ header count varint │ (key length, key, value length, value)*

Varints are zigzag: 0, -1, 1, -2 … are 0, 1, 2, 3 … Deltas count from the batch's base offset and base timestamp.
A reader believes nothing: lengths are held against the bytes that are there, offsets must rise and stay inside the
batch, and exactly `count` records must fill it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from drave.records import batch as batches
from drave.records.batch import HEADER, HEADER_SIZE, MAGIC, BatchHeader, parse_header
from drave.records.compression import DECOMPRESSED_BYTES_MAX, Buffer, Codec, compress, decompress
from drave.records.errors import InvalidRecord

Headers = tuple[tuple[str, bytes | None], ...]

_INT64_MIN: Final = -(1 << 63)
_INT64_MAX: Final = (1 << 63) - 1
_RECORD_BYTES_MIN: Final = 6
"""Attributes, and one byte for each of the deltas, the lengths and the header count."""

_LOSSLESS: Final = "surrogateescape"
"""Header keys should be UTF-8, but no broker has ever checked: those that are not survive a round trip."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as a consumer sees it. `timestamp` is in milliseconds since 1970, or -1."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class NewRecord(msgspec.Struct, frozen=True, gc=False):
    """One record to be put into a batch. Without a timestamp it takes the one given to `build_batch`."""

    key: bytes | None
    value: bytes | None
    timestamp: int | None = None
    headers: Headers = ()


def read_records(
    batch: Buffer, header: BatchHeader | None = None, *, size_max: int = DECOMPRESSED_BYTES_MAX
) -> Iterator[Record]:
    """The records of one whole batch, in order; `header` is its header where that is parsed already.

    Raises `InvalidRecord` for anything that is not so, at the record where it shows; the CRC is not looked at.
    """
    if header is None:
        header = parse_header(batch)
    return _parse_records(header, record_bytes(header, batch, size_max))


def record_bytes(header: BatchHeader, batch: Buffer, size_max: int = DECOMPRESSED_BYTES_MAX) -> bytes:
    """What the codec holds: the records, one after another. Raises `InvalidRecord`."""
    return decompress(header.codec, memoryview(batch)[HEADER_SIZE : header.size], size_max=size_max)


def _parse_records(header: BatchHeader, data: bytes) -> Iterator[Record]:
    at = 0
    offset_min = header.base_offset
    append_time = header.max_timestamp if header.timestamp_type else None
    if header.count < 0:
        raise InvalidRecord(f"a record batch claims {header.count} records")
    for _ in range(header.count):
        try:
            record, at = _parse_record(data, at, header.base_offset, header.base_timestamp, append_time)
        except IndexError:
            raise InvalidRecord(f"a record batch of {header.count} records ends in the middle of one") from None
        if not offset_min <= record.offset <= header.last_offset:
            raise InvalidRecord(f"a record has offset {record.offset}, outside {offset_min}..{header.last_offset}")
        offset_min = record.offset + 1
        yield record
    if at != len(data):
        raise InvalidRecord(f"{len(data) - at} bytes follow the last of {header.count} records")


def _parse_record(
    data: bytes, at: int, base_offset: int, base_timestamp: int, append_time: int | None
) -> tuple[Record, int]:
    """The record at `at` and where it ends. Positions only grow, so the one comparison at the end holds all lengths."""
    length, at = read_varint(data, at)
    end = at + length
    if length < _RECORD_BYTES_MIN or end > len(data):
        raise InvalidRecord(f"a record claims {length} bytes where {len(data) - at} are left")
    timestamp_delta, at = read_varint(data, at + 1)
    offset_delta, at = read_varint(data, at)
    key, at = _read_bytes(data, at)
    value, at = _read_bytes(data, at)
    header_count, at = read_varint(data, at)
    headers: Headers = ()
    if header_count:
        headers, at = _read_headers(data, at, header_count)
    if at != end:
        raise InvalidRecord(f"a record of {length} bytes ends {abs(at - end)} bytes {'late' if at > end else 'early'}")
    timestamp = base_timestamp + timestamp_delta if append_time is None else append_time
    if not _INT64_MIN <= timestamp <= _INT64_MAX:
        raise InvalidRecord(f"a record's timestamp, {timestamp}, does not fit into 64 bits")
    return Record(base_offset + offset_delta, timestamp, key, value, headers), end


def _read_headers(data: bytes, at: int, count: int) -> tuple[Headers, int]:
    if not 0 <= count <= len(data) - at:
        raise InvalidRecord(f"a record claims {count} headers")
    headers = []
    for _ in range(count):
        key, at = _read_bytes(data, at)
        if key is None:
            raise InvalidRecord("a record has a header without a key")
        value, at = _read_bytes(data, at)
        headers.append((key.decode(errors=_LOSSLESS), value))
    return tuple(headers), at


def _read_bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = read_varint(data, at)
    if length < 0:
        return None, at
    end = at + length
    return data[at:end], end


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint of up to 64 bits and where it ends. Raises IndexError when the data ends first."""
    byte = data[at]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at + 1
    value = byte & 0x7F
    shift = 7
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise InvalidRecord("a varint is longer than ten bytes")
    if value >> 64:
        raise InvalidRecord("a varint does not fit into 64 bits")
    return (value >> 1) ^ -(value & 1), at + 1


def build_batch(
    records: Iterable[NewRecord | tuple[bytes | None, bytes | None]],
    *,
    base_offset: int = 0,
    codec: Codec = Codec.NONE,
    level: int | None = None,
    timestamp_ms: int = batches.NO_TIMESTAMP,
    producer_id: int = batches.NO_PRODUCER_ID,
    producer_epoch: int = batches.NO_PRODUCER_EPOCH,
    base_sequence: int = batches.NO_SEQUENCE,
    transactional: bool = False,
    control: bool = False,
    leader_epoch: int = batches.NO_LEADER_EPOCH,
) -> bytes:
    """One batch of `records`, each a `NewRecord` or a pair of key and value, with offsets from `base_offset` on.

    Raises ValueError when there are none: only compaction leaves an empty batch.
    """
    news = [record if isinstance(record, NewRecord) else NewRecord(*record) for record in records]
    if not news:
        raise ValueError("a batch holds at least one record")
    timestamps = [timestamp_ms if record.timestamp is None else record.timestamp for record in news]
    base_timestamp = timestamps[0]
    data = bytearray()
    for offset_delta, (record, timestamp) in enumerate(zip(news, timestamps, strict=True)):
        _write_record(data, record, timestamp - base_timestamp, offset_delta)
    made = bytearray(HEADER_SIZE)
    HEADER.pack_into(
        made,
        0,
        base_offset,
        0,
        leader_epoch,
        MAGIC,
        0,
        codec | (batches.TRANSACTIONAL if transactional else 0) | (batches.CONTROL if control else 0),
        len(news) - 1,
        base_timestamp,
        max(timestamps),
        producer_id,
        producer_epoch,
        base_sequence,
        len(news),
    )
    made += data if codec is Codec.NONE else compress(codec, data, level)
    batches.seal(made)
    return bytes(made)


def _write_record(out: bytearray, record: NewRecord, timestamp_delta: int, offset_delta: int) -> None:
    body = bytearray(1)  # attributes: none is defined
    write_varint(body, timestamp_delta)
    write_varint(body, offset_delta)
    _write_bytes(body, record.key)
    _write_bytes(body, record.value)
    write_varint(body, len(record.headers))
    for key, value in record.headers:
        _write_bytes(body, key.encode(errors=_LOSSLESS))
        _write_bytes(body, value)
    write_varint(out, len(body))
    out += body


def _write_bytes(out: bytearray, value: bytes | None) -> None:
    if value is None:
        out.append(1)  # the varint -1
    else:
        write_varint(out, len(value))
        out += value


def write_varint(out: bytearray, value: int) -> None:
    """Append a zigzag varint."""
    value = (value << 1) ^ (value >> 63)
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def recompress(
    batch: Buffer, codec: Codec, level: int | None = None, *, size_max: int = DECOMPRESSED_BYTES_MAX
) -> bytes:
    """The same batch in another codec; in the same codec it stays as it is, as in Kafka.

    That exactly `count` records fill it is checked on the way: not every codec notices that its data ends early.
    Raises `InvalidRecord`.
    """
    header = parse_header(batch)
    if header.codec is codec:
        return bytes(batch)
    data = record_bytes(header, batch, size_max)
    _check_lengths(data, header.count)
    made = bytearray(memoryview(batch)[:HEADER_SIZE])
    made += compress(codec, data, level)
    batches.set_codec(made, codec)
    batches.seal(made)
    return bytes(made)


def _check_lengths(data: bytes, count: int) -> None:
    at = 0
    try:
        for _ in range(count):
            length, at = read_varint(data, at)
            if length < _RECORD_BYTES_MIN:
                raise InvalidRecord(f"a record claims {length} bytes; the least is {_RECORD_BYTES_MIN}")
            at += length
    except IndexError:
        at = len(data) + 1
    if count < 0 or at != len(data):
        raise InvalidRecord(f"a record batch claims {count} records, but they do not fill its {len(data)} bytes")
