"""The few requests the load generator sends, encoded by hand.

They owe nothing to Drave's own encoder, so a mistake there cannot cancel itself out here. Produce is version 10, the
one librdkafka speaks; a frame is built once and only the bytes that change are patched in place:

    length | key version correlation client | acks … topic partition | batch header … crc … sequence | record
                         ^ patched each time                                  ^ patched ^ when idempotent
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from crc32c import crc32c

PRODUCE: Final = 0
API_VERSIONS: Final = 18
INIT_PRODUCER_ID: Final = 22
PRODUCE_VERSION: Final = 10
CORRELATION_AT: Final = 8
_CLIENT: Final = b"bench"
_BATCH: Final = struct.Struct(">qiibIhiqqqhii")
_CRC_AT, _ATTRIBUTES_AT, _SEQUENCE_AT = 17, 21, 53


def uvarint(value: int) -> bytes:
    """Kafka's unsigned varint: seven bits at a time, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint(value: int) -> bytes:
    """The zig-zag form that records use."""
    return uvarint(value << 1 if value >= 0 else (-value << 1) - 1)


def request(key: int, version: int, body: bytes, *, flexible: bool = False, correlation: int = 0) -> bytes:
    """A whole frame."""
    header = struct.pack(">hhih", key, version, correlation, len(_CLIENT)) + _CLIENT + b"\0" * flexible
    return struct.pack(">i", len(header) + len(body)) + header + body


def batch(value: bytes, *, timestamp_ms: int, producer_id: int = -1, producer_epoch: int = -1) -> bytearray:
    """A record batch of one record without key or headers; its sequence, when it has a producer, is 0."""
    record = b"\0\0\0" + varint(-1) + varint(len(value)) + value + varint(0)
    record = varint(len(record)) + record
    sequence = 0 if producer_id >= 0 else -1
    size = _BATCH.size - 12 + len(record)
    times = (timestamp_ms, timestamp_ms)
    header = _BATCH.pack(0, size, -1, 2, 0, 0, 0, *times, producer_id, producer_epoch, sequence, 1)
    whole = bytearray(header + record)
    struct.pack_into(">I", whole, _CRC_AT, crc32c(whole[_ATTRIBUTES_AT:]))
    return whole


@dataclass(slots=True)
class ProduceFrame:
    """One Produce request for one record, and where its changing bytes lie."""

    frame: bytearray
    batch_at: int

    @classmethod
    def of(cls, topic: str, partition: int, records: bytes, *, acks: int = -1) -> ProduceFrame:
        name = topic.encode()
        body = b"\0" + struct.pack(">hi", acks, 30_000)  # no transactional id
        body += uvarint(2) + uvarint(len(name) + 1) + name
        body += uvarint(2) + struct.pack(">i", partition) + uvarint(len(records) + 1)
        before = len(request(PRODUCE, PRODUCE_VERSION, body, flexible=True))
        return cls(bytearray(request(PRODUCE, PRODUCE_VERSION, body + records + b"\0\0\0", flexible=True)), before)

    def number(self, correlation: int) -> None:
        """Give the next request its correlation id."""
        struct.pack_into(">i", self.frame, CORRELATION_AT, correlation)

    def sequence(self, sequence: int) -> None:
        """Give the batch its sequence number, and the checksum that goes with it."""
        frame, at = self.frame, self.batch_at
        struct.pack_into(">i", frame, at + _SEQUENCE_AT, sequence)
        struct.pack_into(">I", frame, at + _CRC_AT, crc32c(memoryview(frame)[at + _ATTRIBUTES_AT : -3]))


class ProduceReply:
    """How to read the replies for one topic: all have the same shape while nothing goes wrong."""

    def __init__(self, topic: str) -> None:
        self.layout = struct.Struct(f">ii3x{len(topic)}sxihq16x4xix")
        self.size = self.layout.size

    def parse(self, frame: bytearray | bytes) -> tuple[int, int, int]:
        """Correlation id, error code and base offset."""
        _, correlation, _, _, error, offset, _ = self.layout.unpack_from(frame)
        return correlation, error, offset


def api_versions() -> bytes:
    """ApiVersions 0: the smallest question a broker answers."""
    return request(API_VERSIONS, 0, b"")


def init_producer_id() -> bytes:
    """InitProducerId 0 for an idempotent producer without transactions."""
    return request(INIT_PRODUCER_ID, 0, struct.pack(">hi", -1, 60_000))


def parse_init_producer_id(frame: bytes) -> tuple[int, int, int]:
    """Error code, producer id and epoch."""
    _, _, _, error, producer_id, epoch = struct.unpack_from(">iiihqh", frame)
    return error, producer_id, epoch
