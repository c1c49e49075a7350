"""The few requests the load generator sends, encoded by hand.

They owe nothing to Drave's own encoder, so a mistake there cannot cancel itself out here. Versions are librdkafka's, or
below; a frame is built once and only the bytes that change are patched in place:

    length | key version correlation client | acks … topic partition | batch header … crc … sequence | record
                         ^ patched each time                                  ^ patched ^ when idempotent
"""

from __future__ import annotations

import gzip
import itertools
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import cramjam
import lz4.frame
import zstandard
from crc32c import crc32c

PRODUCE: Final = 0
FETCH: Final = 1
FIND_COORDINATOR: Final = 10
JOIN_GROUP: Final = 11
HEARTBEAT: Final = 12
LEAVE_GROUP: Final = 13
SYNC_GROUP: Final = 14
API_VERSIONS: Final = 18
INIT_PRODUCER_ID: Final = 22
END_TXN: Final = 26
PRODUCE_VERSION: Final = 10
TRANSACTIONAL_PRODUCE_VERSION: Final = 12
"""By which a batch adds its partition to the transaction (KIP-890)."""
FETCH_VERSION: Final = 11
CORRELATION_AT: Final = 8
FETCH_BYTES: Final = 1024 * 1024
"""librdkafka's `fetch.message.max.bytes`."""
CODECS: Final[Mapping[str, tuple[int, Callable[[bytes], bytes]]]] = {
    "none": (0, lambda data: data),
    "gzip": (1, gzip.compress),
    "snappy": (2, lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "lz4": (3, partial(lz4.frame.compress, block_linked=False)),  # Java reads no other blocks
    "zstd": (4, zstandard.compress),
}
"""A batch's attribute, and the codec's own library."""
_CLIENT: Final = b"bench"
_BATCH: Final = struct.Struct(">qiibIhiqqqhii")
_CRC_AT, _ATTRIBUTES_AT, _LAST_AT, _PRODUCER_AT, _SEQUENCE_AT = 17, 21, 23, 43, 53
_TRANSACTIONAL: Final = 0x10
_PRODUCED: Final = struct.Struct(">ihq19x")


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


def string(text: str) -> bytes:
    """A string of the versions that are not flexible."""
    return struct.pack(">h", len(text.encode())) + text.encode()


def blob(data: bytes) -> bytes:
    """Bytes of the versions that are not flexible."""
    return struct.pack(">i", len(data)) + data


def compact_string(text: str | None) -> bytes:
    """A string of the flexible versions."""
    return b"\0" if text is None else uvarint(len(text.encode()) + 1) + text.encode()


def request(key: int, version: int, body: bytes, *, flexible: bool = False, correlation: int = 0) -> bytes:
    """A whole frame."""
    header = struct.pack(">hhih", key, version, correlation, len(_CLIENT)) + _CLIENT + b"\0" * flexible
    return struct.pack(">i", len(header) + len(body)) + header + body


def batch(
    *values: bytes,
    timestamp_ms: int,
    producer_id: int = -1,
    producer_epoch: int = -1,
    codec: str = "none",
    transactional: bool = False,
    keys: Sequence[bytes] | None = None,
) -> bytearray:
    """A record batch without headers; its sequence, when it has a producer, is 0."""
    number, compress = CODECS[codec]
    named = zip(keys or itertools.repeat(None), values, strict=False)
    records = compress(b"".join(_record(number, key, value) for number, (key, value) in enumerate(named)))
    sequence = 0 if producer_id >= 0 else -1
    size = _BATCH.size - 12 + len(records)
    times = (timestamp_ms, timestamp_ms)
    last = len(values) - 1
    number |= _TRANSACTIONAL * transactional
    header = _BATCH.pack(0, size, -1, 2, 0, number, last, *times, producer_id, producer_epoch, sequence, len(values))
    whole = bytearray(header + records)
    struct.pack_into(">I", whole, _CRC_AT, crc32c(whole[_ATTRIBUTES_AT:]))
    return whole


def _record(number: int, key: bytes | None, value: bytes) -> bytes:
    name = varint(-1) if key is None else varint(len(key)) + key
    record = b"\0\0" + varint(number) + name + varint(len(value)) + value + varint(0)
    return varint(len(record)) + record


def produce(
    topic: str, batches: Mapping[int, bytes], *, acks: int = -1, transactional_id: str | None = None
) -> tuple[bytearray, int]:
    """A Produce request with a batch for each partition, and where the last batch begins."""
    name = topic.encode()
    body = bytearray(compact_string(transactional_id) + struct.pack(">hi", acks, 30_000))
    body += uvarint(2) + uvarint(len(name) + 1) + name + uvarint(len(batches) + 1)
    at = 0
    for partition, records in batches.items():
        body += struct.pack(">i", partition) + uvarint(len(records) + 1)
        at = len(body)
        body += records + b"\0"
    version = PRODUCE_VERSION if transactional_id is None else TRANSACTIONAL_PRODUCE_VERSION
    frame = request(PRODUCE, version, bytes(body + b"\0\0"), flexible=True)
    return bytearray(frame), len(frame) - len(body) - 2 + at


@dataclass(slots=True)
class ProduceFrame:
    """One Produce request for one record, and where its changing bytes lie."""

    frame: bytearray
    batch_at: int

    @classmethod
    def of(
        cls, topic: str, partition: int, records: bytes, *, acks: int = -1, transactional_id: str | None = None
    ) -> ProduceFrame:
        return cls(*produce(topic, {partition: records}, acks=acks, transactional_id=transactional_id))

    def number(self, correlation: int) -> None:
        """Give the next request its correlation id."""
        struct.pack_into(">i", self.frame, CORRELATION_AT, correlation)

    def sequence(self, sequence: int) -> None:
        """Give the batch its sequence number, and the checksum that goes with it."""
        struct.pack_into(">i", self.frame, self.batch_at + _SEQUENCE_AT, sequence)
        self._sum_up()

    def producer(self, producer_id: int, epoch: int) -> None:
        """Give the batch its producer, and the checksum that goes with it."""
        struct.pack_into(">qh", self.frame, self.batch_at + _PRODUCER_AT, producer_id, epoch)
        self._sum_up()

    def _sum_up(self) -> None:
        frame, at = self.frame, self.batch_at
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


def parse_produce_many(frame: bytes | bytearray, topic: str) -> Iterator[tuple[int, int, int]]:
    """Partition, error code and base offset, for every partition of a reply about one topic without messages."""
    at = 10 + len(uvarint(len(topic) + 1)) + len(topic)
    count, shift = 0, 0
    while True:
        byte = frame[at]
        at, count, shift = at + 1, count | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            break
    for _ in range(count - 1):
        partition, error, offset = _PRODUCED.unpack_from(frame, at)
        yield partition, error, offset
        at += _PRODUCED.size


@dataclass(slots=True)
class FetchFrame:
    """One Fetch request for one partition, outside of any session."""

    frame: bytearray
    offset_at: int

    @classmethod
    def of(cls, topic: str, partition: int) -> FetchFrame:
        body = struct.pack(">iiiibii", -1, 500, 1, 50 * FETCH_BYTES, 0, 0, -1)
        body += struct.pack(">i", 1) + string(topic) + struct.pack(">iii", 1, partition, -1)
        before = len(request(FETCH, FETCH_VERSION, body))
        body += struct.pack(">qqi", 0, -1, FETCH_BYTES) + struct.pack(">i", 0) + string("")
        return cls(bytearray(request(FETCH, FETCH_VERSION, body)), before)

    def ask(self, correlation: int, offset: int) -> bytearray:
        """The request for what begins at an offset."""
        struct.pack_into(">i", self.frame, CORRELATION_AT, correlation)
        struct.pack_into(">q", self.frame, self.offset_at, offset)
        return self.frame


class FetchReply:
    """How to read the replies about one partition: where the batches lie, and which offsets they hold."""

    def __init__(self, topic: str) -> None:
        self._layout = struct.Struct(f">iiihiih{len(topic)}siihqqqiii")

    def parse(self, frame: bytearray | memoryview, size: int) -> tuple[int, int, list[tuple[int, int]]]:
        """Correlation id, error code, and the first and last offset of each batch."""
        _, correlation, _, error, *_, code, _, _, _, aborted, _, records = self._layout.unpack_from(frame)
        if aborted > 0:
            return correlation, error or code or -1, []  # nothing here is transactional
        at, batches = self._layout.size, []
        assert records < 0 or at + records == size, "the records end with the frame"
        while at < size:
            base, length = struct.unpack_from(">qi", frame, at)
            (last,) = struct.unpack_from(">i", frame, at + _LAST_AT)
            batches.append((base, base + last))
            at += 12 + length
        return correlation, error or code, batches


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


# -- transactions, of version 2


def begin_transactions(transactional_id: str) -> bytes:
    """InitProducerId 4."""
    body = compact_string(transactional_id) + struct.pack(">iqhx", 60_000, -1, -1)
    return request(INIT_PRODUCER_ID, 4, body, flexible=True)


def end_transaction(transactional_id: str, producer_id: int, epoch: int) -> bytes:
    """EndTxn 5: commit. Its reply is the producer's identity in the next transaction."""
    body = compact_string(transactional_id) + struct.pack(">qh?x", producer_id, epoch, True)
    return request(END_TXN, 5, body, flexible=True)


def parse_identity(frame: bytes) -> tuple[int, int, int]:
    """Error code, producer id and epoch, of a reply to either."""
    error, producer_id, epoch = struct.unpack_from(">hqh", frame, 13)
    return error, producer_id, epoch


def parse_transactional_produce(frame: bytes, topic: str) -> tuple[int, int]:
    """Error code and base offset, of a reply about one partition; an error may come with a message."""
    error, offset = struct.unpack_from(">hq", frame, 16 + len(topic))
    return error, offset


# -- groups, of the classic kind


@dataclass(frozen=True, slots=True)
class Joined:
    """A reply to JoinGroup."""

    error: int
    generation: int
    leader: str
    member: str
    members: list[str]
    """All of them, told to the leader alone."""


class Reader:
    """Fields of a version that is not flexible, one after another."""

    def __init__(self, frame: bytes, at: int = 8) -> None:
        self._frame = frame
        self._at = at

    def number(self, code: str) -> int:
        value: int = struct.unpack_from(">" + code, self._frame, self._at)[0]
        self._at += struct.calcsize(">" + code)
        return value

    def take(self, size: int) -> bytes:
        self._at += max(0, size)
        return self._frame[self._at - max(0, size) : self._at]

    def string(self) -> str:
        return self.take(self.number("h")).decode()

    def blob(self) -> bytes:
        return self.take(self.number("i"))


_NO_INSTANCE: Final = struct.pack(">h", -1)


def find_coordinator(key: str, *, transactional: bool = False) -> bytes:
    """FindCoordinator 2, of a group or of a transactional id."""
    return request(FIND_COORDINATOR, 2, string(key) + bytes([transactional]))


def join_group(group: str, member: str) -> bytes:
    """JoinGroup 5, as librdkafka's; a new member is told its id first and asks again (KIP-394)."""
    protocol = struct.pack(">i", 1) + string("range") + blob(bytes(20))
    times = struct.pack(">ii", 45_000, 300_000)
    return request(JOIN_GROUP, 5, string(group) + times + string(member) + _NO_INSTANCE + string("consumer") + protocol)


def sync_group(group: str, generation: int, member: str, assigned: list[str]) -> bytes:
    """SyncGroup 3; `assigned` are those whom the leader gives their part."""
    parts = b"".join(string(each) + blob(bytes(20)) for each in assigned)
    body = string(group) + struct.pack(">i", generation) + string(member) + _NO_INSTANCE
    return request(SYNC_GROUP, 3, body + struct.pack(">i", len(assigned)) + parts)


def heartbeat(group: str, generation: int, member: str) -> bytes:
    """Heartbeat 3."""
    return request(HEARTBEAT, 3, string(group) + struct.pack(">i", generation) + string(member) + _NO_INSTANCE)


def leave_group(group: str, member: str) -> bytes:
    """LeaveGroup 1."""
    return request(LEAVE_GROUP, 1, string(group) + string(member))


def parse_error(frame: bytes) -> int:
    """The error code of a reply that begins with a throttle time and an error code."""
    code: int = struct.unpack_from(">h", frame, 12)[0]
    return code


def parse_join_group(frame: bytes) -> Joined:
    fields = Reader(frame, 12)
    error, generation, _ = fields.number("h"), fields.number("i"), fields.string()
    leader, member = fields.string(), fields.string()
    members = []
    for _ in range(fields.number("i")):
        members.append(fields.string())
        fields.string()
        fields.blob()
    return Joined(error, generation, leader, member, members)
