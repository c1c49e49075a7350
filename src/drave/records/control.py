"""Control batches: the markers that end a transaction in each partition it wrote to (KIP-98).

    key    version int16 = 0 │ type int16: 0 abort, 1 commit
    value  version int16 = 0 │ coordinator epoch int32

A marker is the only record of its batch and takes an offset like any other; consumers are sent it and skip it. Newer
versions may only add fields, so what follows the known ones is left alone.
"""

from __future__ import annotations

import enum
import struct
from typing import Final

import msgspec

from drave.records.batch import NO_LEADER_EPOCH
from drave.records.errors import InvalidRecord
from drave.records.record import NewRecord, Record, build_batch

_KEY: Final = struct.Struct(">hh")
_VALUE: Final = struct.Struct(">hi")
_VERSION: Final = 0


class ControlKind(enum.IntEnum):
    """How the transaction ended."""

    ABORT = 0
    COMMIT = 1


class Marker(msgspec.Struct, frozen=True):
    """What a control record says."""

    kind: ControlKind
    coordinator_epoch: int


def control_batch(
    kind: ControlKind,
    producer_id: int,
    producer_epoch: int,
    coordinator_epoch: int,
    now_ms: int,
    *,
    base_offset: int = 0,
    leader_epoch: int = NO_LEADER_EPOCH,
) -> bytes:
    """The batch that ends `producer_id`'s transaction in one partition."""
    marker = NewRecord(_KEY.pack(_VERSION, kind), _VALUE.pack(_VERSION, coordinator_epoch), now_ms)
    return build_batch(
        [marker],
        base_offset=base_offset,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        transactional=True,
        control=True,
        leader_epoch=leader_epoch,
    )


def parse_control(record: Record) -> Marker:
    """The marker in a record of a control batch. Raises `InvalidRecord` when it is none."""
    key, value = record.key, record.value
    if key is None or value is None or len(key) < _KEY.size or len(value) < _VALUE.size:
        raise InvalidRecord(f"the control record at offset {record.offset} is no transaction marker")
    key_version, kind = _KEY.unpack_from(key)
    value_version, coordinator_epoch = _VALUE.unpack_from(value)
    if key_version < 0 or value_version < 0 or kind not in (ControlKind.ABORT, ControlKind.COMMIT):
        raise InvalidRecord(f"the control record at offset {record.offset} is of the unknown type {kind}")
    return Marker(ControlKind(kind), coordinator_epoch)
