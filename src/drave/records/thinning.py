"""What compaction does to a batch: some of its records go, and everything else about it stays.

    base offset, last offset, leader epoch, producer, epoch, sequence    stay, whatever is taken out
    maximum timestamp, count, length, CRC                                say what is left
    codec                                                                is the batch's own
    base timestamp                                                       the delete horizon, once there is one

A batch with tombstones (or the marker of a transaction of which nothing else is left) is given a delete horizon when
compaction first meets it (KIP-534): the time until which they stay, so that whoever reads from the start still learns
of them. It is kept as the base timestamp; attribute bit 6 says so, and timestamps of records count from it as ever.

A batch of which nothing is left may have to stay as its header alone: it says what its producer sent last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from drave.records import batch as batches
from drave.records.batch import HEADER, HEADER_SIZE, MAGIC, BatchHeader
from drave.records.compression import Buffer, Codec, compress
from drave.records.errors import InvalidRecord
from drave.records.record import read_varint, record_bytes, write_varint

DELETE_HORIZON: Final = 0x40

_PLAIN_FLAGS: Final = batches.APPEND_TIME | batches.TRANSACTIONAL | batches.CONTROL


class Outline(msgspec.Struct, gc=False):
    """Where a record lies in its batch's data, and what compaction asks of it. One is made for every record."""

    start: int
    rest: int
    """What follows the timestamp begins here."""
    end: int
    timestamp_delta: int
    offset_delta: int
    key: bytes | None
    is_tombstone: bool


def delete_horizon(header: BatchHeader) -> int | None:
    """Until when the batch's tombstones, or its marker, stay; None while nobody has said."""
    return header.base_timestamp if header.attributes & DELETE_HORIZON else None


def outline(header: BatchHeader, batch: Buffer) -> tuple[bytes, list[Outline]]:
    """The records' bytes, out of their codec, and the outline of each record. Raises `InvalidRecord`."""
    data = record_bytes(header, batch)
    found = []
    at = 0
    try:
        for _ in range(header.count):
            start = at
            length, at = read_varint(data, at)
            end = at + length
            byte = data[at + 1]
            if byte < 0x80:
                timestamp_delta, rest = (byte >> 1) ^ -(byte & 1), at + 2
            else:
                timestamp_delta, rest = read_varint(data, at + 1)
            byte = data[rest]
            if byte < 0x80:
                offset_delta, at = (byte >> 1) ^ -(byte & 1), rest + 1
            else:
                offset_delta, at = read_varint(data, rest)
            key_length, at = read_varint(data, at)
            key = None
            if key_length >= 0:
                key = data[at : at + key_length]
                at += key_length
            byte = data[at]
            is_tombstone = byte < 0x80 and bool(byte & 1)
            if at >= end or length < 0:
                raise InvalidRecord("a record ends before its value")
            found.append(Outline(start, rest, end, timestamp_delta, offset_delta, key, is_tombstone))
            at = end
    except IndexError:
        raise InvalidRecord(f"a record batch of {header.count} records ends in the middle of one") from None
    if at != len(data):
        raise InvalidRecord(f"{header.count} records do not fill the {len(data)} bytes of their batch")
    return data, found


def keep(header: BatchHeader, data: bytes, kept: Sequence[Outline], *, horizon: int | None = None) -> bytes:
    """The batch with these of its records only, and with a delete horizon if it is to have a new one.

    `data` is what `outline` gave. Without a record, what is left is the header.
    """
    if not kept:
        return _header_alone(header)
    if horizon is None:
        attributes, base_timestamp = header.attributes, header.base_timestamp
        body = b"".join([data[each.start : each.end] for each in kept])
    else:
        attributes, base_timestamp = header.attributes | DELETE_HORIZON, horizon
        shift = header.base_timestamp - horizon
        body = b"".join([_shifted(data, each, shift) for each in kept])
    latest = header.max_timestamp
    if not header.attributes & batches.APPEND_TIME:
        latest = header.base_timestamp + max(each.timestamp_delta for each in kept)
    packed = body if header.codec is Codec.NONE else compress(header.codec, body)
    return _made(header, attributes, base_timestamp, latest, len(kept), packed)


def _shifted(data: bytes, record: Outline, shift: int) -> bytes:
    """A record as it is after its batch's base timestamp has moved back by `shift`."""
    body = bytearray(1)
    write_varint(body, record.timestamp_delta + shift)
    body += data[record.rest : record.end]
    made = bytearray()
    write_varint(made, len(body))
    return bytes(made + body)


def _header_alone(header: BatchHeader) -> bytes:
    return _made(header, header.attributes & _PLAIN_FLAGS, batches.NO_TIMESTAMP, header.max_timestamp, 0, b"")


def _made(
    header: BatchHeader, attributes: int, base_timestamp: int, max_timestamp: int, count: int, packed: bytes
) -> bytes:
    made = bytearray(HEADER_SIZE)
    HEADER.pack_into(
        made,
        0,
        header.base_offset,
        0,
        header.leader_epoch,
        MAGIC,
        0,
        attributes,
        header.last_offset_delta,
        base_timestamp,
        max_timestamp,
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
        count,
    )
    made += packed
    batches.seal(made)
    return bytes(made)
