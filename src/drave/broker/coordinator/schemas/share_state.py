"""The records of `__share_group_state`, in Kafka's formats: its tools read them, and a folder moves between the two.

    key    type int16 │ group, topic id, partition     0: a snapshot, all that is known of the share-partition
                                                       1: an update, what has changed since
    value  version int16 = 0 │ the struct below        or null: the share-partition is forgotten

An update counts only on top of what came before it, so the topic is not compacted: its coordinator writes snapshots
and lets the log begin behind what they replace.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final, NamedTuple

from drave.model.ids import TopicId
from drave.schema import SchemaError, Struct, decoder, encoder, int8, int16, int32, int64, tagged
from drave.wire.types import topic_uuid

STATE_TOPIC: Final = "__share_group_state"

SNAPSHOT: Final = 0
UPDATE: Final = 1
VALUE_VERSION: Final = 0

_TYPE: Final = struct.Struct(">h")
_KEY_VERSION: Final = 0
KEYS_KEPT_MAX: Final = 4096
"""The keys of so many share-partitions are kept at hand: each word of a member is a record under the same one."""


class ShareKey(NamedTuple):
    """One partition of one topic as one group reads it."""

    group_id: str
    topic_id: TopicId
    partition: int


class SharePartitionKey(Struct, versions=(0, 0)):
    """Whose state: of either type."""

    group_id: str
    topic_id: topic_uuid
    partition: int32


class StateBatchValue(Struct):
    """Offsets in a row that have the same state and count."""

    first_offset: int64
    last_offset: int64
    delivery_state: int8
    delivery_count: int16


class ShareSnapshotValue(Struct, versions=(0, 0), flexible=0):
    """All that is known of a share-partition. Times are milliseconds since 1970."""

    snapshot_epoch: int32
    state_epoch: int32
    leader_epoch: int32
    start_offset: int64
    delivery_complete_count: int32 = tagged(0, since=0, default=-1)
    create_timestamp: int64
    write_timestamp: int64
    state_batches: list[StateBatchValue]


class ShareUpdateValue(Struct, versions=(0, 0), flexible=0):
    """What has changed since the snapshot and the updates before."""

    snapshot_epoch: int32
    leader_epoch: int32
    start_offset: int64
    delivery_complete_count: int32 = tagged(0, since=0, default=-1)
    state_batches: list[StateBatchValue]


def snapshot_key(key: ShareKey) -> bytes:
    """The key of a share-partition's snapshots, and of its end."""
    return _key(SNAPSHOT, key)


def update_key(key: ShareKey) -> bytes:
    """The key of a share-partition's updates."""
    return _key(UPDATE, key)


@lru_cache(maxsize=KEYS_KEPT_MAX)
def _key(kind: int, key: ShareKey) -> bytes:
    named = SharePartitionKey(group_id=key.group_id, topic_id=key.topic_id, partition=key.partition)
    return b"".join((_TYPE.pack(kind), *encoder(SharePartitionKey, _KEY_VERSION)(named)))


@lru_cache(maxsize=KEYS_KEPT_MAX)
def parse_key(data: bytes) -> tuple[int, ShareKey]:
    """The type and the share-partition. Raises `SchemaError` for a key of another type, and for garbage."""
    kind = _prefix(data)
    if kind not in (SNAPSHOT, UPDATE):
        raise SchemaError(STATE_TOPIC, 0, f"a record's key is of the unknown type {kind}")
    named: SharePartitionKey = decoder(SharePartitionKey, _KEY_VERSION)(data, _TYPE.size)[0]
    return kind, ShareKey(named.group_id, TopicId(named.topic_id), named.partition)


def encode_value(value: ShareSnapshotValue | ShareUpdateValue) -> bytes:
    """A record's value."""
    return b"".join((_TYPE.pack(VALUE_VERSION), *encoder(type(value), VALUE_VERSION)(value)))


def parse_snapshot(data: bytes) -> ShareSnapshotValue:
    """A snapshot, from a record's value. Raises `SchemaError`."""
    value: ShareSnapshotValue = decoder(ShareSnapshotValue, _prefix(data))(data, _TYPE.size)[0]
    return value


def parse_update(data: bytes) -> ShareUpdateValue:
    """An update, from a record's value. Raises `SchemaError`."""
    value: ShareUpdateValue = decoder(ShareUpdateValue, _prefix(data))(data, _TYPE.size)[0]
    return value


def _prefix(data: bytes) -> int:
    if len(data) < _TYPE.size:
        raise SchemaError(STATE_TOPIC, 0, f"a record's key or value has {len(data)} bytes")
    number: int = _TYPE.unpack_from(data)[0]
    return number
