"""The records of `__consumer_offsets`, in Kafka's formats: its tools read them, and a folder moves between the two.

    key    type int16 │ group, topic, partition        1: a committed offset (0 in logs of before Kafka 0.9)
           type int16 │ group                          2: a classic group; others: what a group of the new kinds is
           type int16 │ group, part                    one member of such a group, or one regular expression
    value  version int16 │ a struct                    or null: the key's record is taken back

The structs of offsets and classic groups are below, those of each other kind in a module of its own. A type that no
kind knows is kept as it is.
"""

from __future__ import annotations

import enum
import struct
from typing import Final, NamedTuple, TypeVar

from drave.model.ids import ZERO_TOPIC_ID
from drave.schema import SchemaError, Struct, decoder, encoder, int32, int64, since, tagged, uuid

OFFSETS_TOPIC: Final = "__consumer_offsets"

LEGACY_OFFSET: Final = 0
OFFSET: Final = 1


class GroupRecord(enum.IntEnum):
    """What the records of groups are about; the numbers are Kafka's. Those of before 4.0, which nothing writes any more
    (9 and 18), are missing, like offsets."""

    CLASSIC = 2
    CONSUMER = 3
    CONSUMER_PARTITIONS = 4
    CONSUMER_MEMBER = 5
    CONSUMER_TARGET = 6
    CONSUMER_TARGET_MEMBER = 7
    CONSUMER_CURRENT = 8
    SHARE_MEMBER = 10
    SHARE = 11
    SHARE_TARGET = 12
    SHARE_TARGET_MEMBER = 13
    SHARE_CURRENT = 14
    SHARE_PARTITIONS = 15
    CONSUMER_REGEX = 16
    STREAMS = 17
    STREAMS_MEMBER = 19
    STREAMS_TARGET = 20
    STREAMS_TARGET_MEMBER = 21
    STREAMS_CURRENT = 22
    STREAMS_TOPOLOGY = 23

    @property
    def has_part(self) -> bool:
        """Whether there is one for each member, or for each regular expression, of a group."""
        return self in _WITH_PART


_GROUP_RECORDS: Final = {int(each): each for each in GroupRecord}
_WITH_PART: Final = frozenset(
    {
        GroupRecord.CONSUMER_MEMBER,
        GroupRecord.CONSUMER_TARGET_MEMBER,
        GroupRecord.CONSUMER_CURRENT,
        GroupRecord.CONSUMER_REGEX,
        GroupRecord.SHARE_MEMBER,
        GroupRecord.SHARE_TARGET_MEMBER,
        GroupRecord.SHARE_CURRENT,
        GroupRecord.STREAMS_MEMBER,
        GroupRecord.STREAMS_TARGET_MEMBER,
        GroupRecord.STREAMS_CURRENT,
    }
)

OFFSET_VERSION: Final = 4
OFFSET_VERSION_WITH_EXPIRY: Final = 1
"""The only version that has a time of expiry, which OffsetCommit could ask for up to its v4."""
GROUP_VERSION: Final = 3

S = TypeVar("S", bound=Struct)

_TYPE: Final = struct.Struct(">h")
_KEY_VERSION: Final = 0
_NEVER: Final = -1


class OffsetCommitKey(Struct, versions=(0, 0)):
    """Which group's offset in which partition."""

    group: str
    topic: str
    partition: int32


class OffsetCommitValue(Struct, versions=(0, 4), flexible=4):
    """A committed offset. Timestamps are milliseconds since 1970; -1 stands for none."""

    offset: int64
    leader_epoch: int32 = since(3, default=-1)
    metadata: str
    commit_timestamp: int64
    expire_timestamp: int64 = since(1, until=1, default=_NEVER)
    topic_id: uuid = tagged(0, since=4, default=ZERO_TOPIC_ID)


class GroupMetadataKey(Struct, versions=(0, 0)):
    """Which group."""

    group: str


class MemberMetadata(Struct):
    """One member of a classic group, with what it was assigned."""

    member_id: str
    group_instance_id: str | None = since(3, default=None)
    client_id: str
    client_host: str
    rebalance_timeout: int32 = since(1, default=-1)
    session_timeout: int32
    subscription: bytes
    assignment: bytes


class GroupMetadataValue(Struct, versions=(0, 4), flexible=4):
    """A classic group at the end of a rebalance. `protocol_type` is empty for a group that never had a member."""

    protocol_type: str
    generation: int32
    protocol: str | None
    leader: str | None
    current_state_timestamp: int64 = since(2, default=-1)
    members: list[MemberMetadata]


class OffsetKey(NamedTuple):
    """The key of a committed offset, parsed."""

    group_id: str
    topic: str
    partition: int


class GroupMemberKey(Struct, versions=(0, 0)):
    """Which part of which group."""

    group: str
    part: str


class GroupKey(NamedTuple):
    """The key of a record about a group, parsed."""

    record: GroupRecord
    group_id: str
    part: str = ""
    """The member's id, or the regular expression; empty where the record is the group's."""


_encode_offset_key = encoder(OffsetCommitKey, _KEY_VERSION)
_encode_group_key = encoder(GroupMetadataKey, _KEY_VERSION)
_decode_offset_key = decoder(OffsetCommitKey, _KEY_VERSION)
_encode_member_key = encoder(GroupMemberKey, _KEY_VERSION)
_decode_group_key = decoder(GroupMetadataKey, _KEY_VERSION)
_decode_member_key = decoder(GroupMemberKey, _KEY_VERSION)


def offset_key(group_id: str, topic: str, partition: int) -> bytes:
    """The key of a committed offset."""
    parts = _encode_offset_key(OffsetCommitKey(group=group_id, topic=topic, partition=partition))
    return b"".join((b"\0\1", *parts))


def offset_key_prefix(group_id: str) -> bytes:
    """How the keys of all offsets of a group begin, and no others."""
    return b"\0\1" + group_key(group_id)[_TYPE.size :]


def offset_value(committed: OffsetCommitValue) -> bytes:
    """The value of a committed offset, in the version that Kafka 4 writes for it."""
    version = OFFSET_VERSION if committed.expire_timestamp == _NEVER else OFFSET_VERSION_WITH_EXPIRY
    return b"".join((_TYPE.pack(version), *encoder(OffsetCommitValue, version)(committed)))


def group_key(group_id: str) -> bytes:
    """The key of a classic group."""
    return record_key(GroupRecord.CLASSIC, group_id)


def record_key(record: GroupRecord, group_id: str, part: str = "") -> bytes:
    """The key of a record about a group, or about this part of it."""
    if record.has_part:
        return b"".join((_TYPE.pack(record), *_encode_member_key(GroupMemberKey(group=group_id, part=part))))
    return b"".join((_TYPE.pack(record), *_encode_group_key(GroupMetadataKey(group=group_id))))


def record_value(value: Struct, version: int = 0) -> bytes:
    """The value of a record whose struct has one version."""
    return b"".join((_TYPE.pack(version), *encoder(type(value), version)(value)))


def parse_value(kind: type[S], value: bytes) -> S:
    """The struct that a record's value holds. Raises `SchemaError`."""
    parsed: S = decoder(kind, _type_of(value, "value"))(value, _TYPE.size)[0]
    return parsed


def group_value(group: GroupMetadataValue) -> bytes:
    """The value of a classic group, in the version that Kafka 4 writes."""
    return b"".join((_TYPE.pack(GROUP_VERSION), *encoder(GroupMetadataValue, GROUP_VERSION)(group)))


def parse_key(key: bytes) -> OffsetKey | GroupKey | None:
    """What a key names; None for a type that nobody knows. Raises `SchemaError` for garbage."""
    kind = _type_of(key, "key")
    if kind in (OFFSET, LEGACY_OFFSET):
        named, _ = _decode_offset_key(key, _TYPE.size)
        return OffsetKey(named.group, named.topic, named.partition)
    record = _GROUP_RECORDS.get(kind)
    if record is None:
        return None
    if record.has_part:
        member, _ = _decode_member_key(key, _TYPE.size)
        return GroupKey(record, member.group, member.part)
    return GroupKey(record, _decode_group_key(key, _TYPE.size)[0].group)


def parse_offset(value: bytes) -> OffsetCommitValue:
    """The value of a committed offset. Raises `SchemaError`."""
    return decoder(OffsetCommitValue, _type_of(value, "value"))(value, _TYPE.size)[0]


def parse_group(value: bytes) -> GroupMetadataValue:
    """The value of a classic group. Raises `SchemaError`."""
    return decoder(GroupMetadataValue, _type_of(value, "value"))(value, _TYPE.size)[0]


def _type_of(data: bytes, what: str) -> int:
    if len(data) < _TYPE.size:
        raise SchemaError(OFFSETS_TOPIC, 0, f"a record's {what} has {len(data)} bytes")
    kind: int = _TYPE.unpack_from(data)[0]
    return kind
