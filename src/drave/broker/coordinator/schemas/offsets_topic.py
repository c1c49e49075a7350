"""The records of `__consumer_offsets`, in Kafka's formats: its tools read them, and a folder moves between the two.

    key    type int16 │ group, topic, partition        1: a committed offset (0 in logs of before Kafka 0.9)
           type int16 │ group                          2: a classic group
    value  version int16 │ the struct below            or null: the key's record is taken back

Other types belong to groups of other kinds. They are nobody's business here, and are kept as they are.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from drave.model.ids import ZERO_TOPIC_ID
from drave.schema import SchemaError, Struct, decoder, encoder, int32, int64, since, tagged, uuid

OFFSETS_TOPIC: Final = "__consumer_offsets"

LEGACY_OFFSET: Final = 0
OFFSET: Final = 1
GROUP: Final = 2

OFFSET_VERSION: Final = 4
OFFSET_VERSION_WITH_EXPIRY: Final = 1
"""The only version that has a time of expiry, which OffsetCommit could ask for up to its v4."""
GROUP_VERSION: Final = 3

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


class GroupKey(NamedTuple):
    """The key of a classic group, parsed."""

    group_id: str


_encode_offset_key = encoder(OffsetCommitKey, _KEY_VERSION)
_encode_group_key = encoder(GroupMetadataKey, _KEY_VERSION)
_decode_offset_key = decoder(OffsetCommitKey, _KEY_VERSION)
_decode_group_key = decoder(GroupMetadataKey, _KEY_VERSION)


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
    return b"".join((b"\0\2", *_encode_group_key(GroupMetadataKey(group=group_id))))


def group_value(group: GroupMetadataValue) -> bytes:
    """The value of a classic group, in the version that Kafka 4 writes."""
    return b"".join((_TYPE.pack(GROUP_VERSION), *encoder(GroupMetadataValue, GROUP_VERSION)(group)))


def parse_key(key: bytes) -> OffsetKey | GroupKey | None:
    """What a key names; None for a type that is not of classic groups. Raises `SchemaError` for garbage."""
    kind = _type_of(key, "key")
    if kind in (OFFSET, LEGACY_OFFSET):
        named, _ = _decode_offset_key(key, _TYPE.size)
        return OffsetKey(named.group, named.topic, named.partition)
    if kind == GROUP:
        return GroupKey(_decode_group_key(key, _TYPE.size)[0].group)
    return None


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
