"""Recovery points: what a broker knows of its partitions without opening any of them.

    magic 8 bytes · journal generation uint64 · clean uint8 · epoch floor uint32 · count uint32
    one point for each partition that has files
    crc32c uint32 of all before it

A partition's batches below its point are durable in its segments; those from the point on are in the journal, or were
synced since. After a clean stop the point is the end, and the partition is opened when somebody asks for it.

The file is replaced as a whole. When it is lost or damaged, every partition is read from its start: slow, not wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from crc32c import crc32c

from drave.model.ids import TopicId
from drave.store.disk import Disk, read_whole, replace_file

FILE_NAME: Final = "recovery-points"

_MAGIC: Final = b"DRAVERP2"
_MAGIC_1: Final = b"DRAVERP1"
_HEADER: Final = struct.Struct(">8sQBxxxII")
_POINT: Final = struct.Struct(">16sIiqqqIqqqqqIIqIq")
_POINT_1: Final = struct.Struct(">16sIiqqqIqqqqqII")
"""Before there were transactions and compaction."""
_CRC: Final = struct.Struct(">I")


class RecoveryPoint(NamedTuple):
    """What is known of one partition."""

    topic_id: TopicId
    partition: int
    leader_epoch: int
    start: int
    """The log start offset."""
    offset: int
    """Everything below it is durable in segments."""
    segment_base: int
    """The segment in which `offset` lies, and where."""
    position: int
    size_bytes: int
    """Of all segments."""
    max_timestamp: int
    """The largest timestamp in that segment below the point, -1 for none, and the last offset of its batch."""
    max_timestamp_offset: int
    oldest_timestamp: int
    """The largest timestamp in the first segment: what retention by time asks for; -1 when it is not known."""
    snapshot: int
    """The offset of the newest producer snapshot; -1 for none."""
    index_entries: int
    """How many entries of that segment's index are durable, and of its time index."""
    time_index_entries: int
    first_unstable: int = -1
    """Where the oldest open transaction begins; -1 when none is."""
    transaction_entries: int = 0
    """How many entries of that segment's index of aborted transactions are durable."""
    compacted: int = 0
    """Below it there is at most one record of each key; 0 when it was never compacted."""

    def encode(self) -> bytes:
        return _POINT.pack(*self)


class RecoveryPoints(NamedTuple):
    """What the file says."""

    generation: int
    """The first journal generation that recovery needs."""
    clean: bool
    """Whether the broker stopped by itself, with everything at its point."""
    epoch_floor: int
    """The leader epoch of partitions that have no point: it rises with every unclean start, for what a crash took
    from them nobody can tell."""
    points: dict[tuple[TopicId, int], RecoveryPoint]


def write_recovery_points(
    disk: Disk, folder: Path, *, generation: int, clean: bool, epoch_floor: int, points: Iterable[bytes]
) -> None:
    """Replace the file; durable on return. `points` are encoded already."""
    bodies = list(points)
    data = b"".join([_HEADER.pack(_MAGIC, generation, clean, epoch_floor, len(bodies)), *bodies])
    replace_file(disk, folder / FILE_NAME, data + _CRC.pack(crc32c(data)))


def read_recovery_points(disk: Disk, folder: Path) -> RecoveryPoints | None:
    """None when there is no file, or it is not whole."""
    data = read_whole(disk, folder / FILE_NAME)
    if data is None or len(data) < _HEADER.size + _CRC.size:
        return None
    body = data[: -_CRC.size]
    (crc,) = _CRC.unpack_from(data, len(body))
    magic, generation, clean, epoch_floor, count = _HEADER.unpack_from(body)
    layout = {_MAGIC: _POINT, _MAGIC_1: _POINT_1}.get(magic)
    if layout is None or crc32c(body) != crc or len(body) != _HEADER.size + count * layout.size:
        return None
    points = {}
    for fields in layout.iter_unpack(body[_HEADER.size :]):
        point = RecoveryPoint(*fields)
        points[point.topic_id, point.partition] = point
    return RecoveryPoints(generation, bool(clean), epoch_floor, points)
