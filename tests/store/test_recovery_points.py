"""Recovery points come back as they were written, whole or not at all."""

from __future__ import annotations

import struct
from pathlib import Path

from crc32c import crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from drave.model.ids import TopicId
from drave.store.disk import write_whole
from drave.store.recovery_points import (
    _CRC,
    _HEADER,
    _POINT_1,
    FILE_NAME,
    RecoveryPoint,
    read_recovery_points,
    write_recovery_points,
)
from drave.testing.disk import PowerCut, SimulatedDisk

FOLDER = Path("/node")
offsets = st.integers(0, (1 << 63) - 1)
points = st.lists(
    st.builds(
        RecoveryPoint,
        st.binary(min_size=16, max_size=16).map(TopicId),
        st.integers(0, 1 << 20),
        st.integers(0, 1 << 20),
        offsets,
        offsets,
        offsets,
        st.integers(0, (1 << 31) - 1),
        offsets,
        st.integers(-1, 1 << 60),
        st.integers(-1, 1 << 60),
        st.integers(-1, 1 << 60),
        st.integers(-1, 1 << 60),
        st.integers(0, 1 << 20),
        st.integers(0, 1 << 20),
        st.integers(-1, 1 << 60),
        st.integers(0, 1 << 20),
        offsets,
    ),
    max_size=5,
    unique_by=lambda point: (point.topic_id, point.partition),
)


def new_disk(seed: int = 0) -> SimulatedDisk:
    disk = SimulatedDisk(seed)
    disk.make_folder(FOLDER)
    disk.sync_folder(FOLDER.parent)
    return disk


def write(disk: SimulatedDisk, points: list[RecoveryPoint], *, generation: int = 3, clean: bool = False) -> None:
    encoded = [point.encode() for point in points]
    write_recovery_points(disk, FOLDER, generation=generation, clean=clean, epoch_floor=4, points=encoded)


@given(points=points, generation=st.integers(0, 1 << 60), clean=st.booleans())
def test_they_come_back_as_they_were_written(points: list[RecoveryPoint], generation: int, clean: bool) -> None:
    disk = new_disk()
    write(disk, points, generation=generation, clean=clean)
    found = read_recovery_points(disk, FOLDER)
    assert found is not None
    assert (found.generation, found.clean, found.epoch_floor) == (generation, clean, 4)
    assert list(found.points.values()) == points


@settings(deadline=None)
@given(points=points, at=st.floats(0, 0.999), cut=st.booleans())
def test_a_damaged_file_is_none_at_all(points: list[RecoveryPoint], at: float, cut: bool) -> None:
    disk = new_disk()
    write(disk, points)
    path = FOLDER / FILE_NAME
    data = bytearray(disk.files()[path])
    position = int(at * len(data))
    file = disk.open(path)
    if cut:
        file.truncate(position)
    else:
        file.pwrite(bytes([data[position] ^ 0x10]), position)
    assert read_recovery_points(disk, FOLDER) is None


def test_a_file_from_before_there_were_transactions_and_compaction_is_read() -> None:
    point = RecoveryPoint(TopicId(bytes(16)), 0, 1, 2, 3, 2, 61, 61, -1, -1, -1, -1, 0, 0)
    body = _HEADER.pack(b"DRAVERP1", 3, True, 4, 1) + _POINT_1.pack(*point[:14])
    disk = new_disk()
    write_whole(disk, FOLDER / FILE_NAME, body + _CRC.pack(crc32c(body)))
    found = read_recovery_points(disk, FOLDER)
    assert found is not None
    assert list(found.points.values()) == [point]


def test_a_missing_file_is_none() -> None:
    assert read_recovery_points(new_disk(), FOLDER) is None


def test_wherever_the_power_goes_they_are_the_old_ones_or_the_new() -> None:
    for seed in range(60):
        disk = new_disk(seed)
        write(disk, [], generation=1)
        disk.cut_at = 1 + seed % 6
        try:
            write(disk, [], generation=2)
        except PowerCut:
            disk.power_cut()
        found = read_recovery_points(disk, FOLDER)
        assert found is not None
        assert found.generation in (1, 2)


def test_those_of_a_broker_without_transactions_are_read() -> None:
    """Its points end before the two fields that came with them."""
    disk = new_disk()
    point = RecoveryPoint(TopicId(bytes(16)), 3, 1, 10, 50, 40, 700, 900, 5, 49, 5, 50, 2, 1)
    fields = struct.pack(">16sIiqqqIqqqqqII", *point[:14])
    data = struct.pack(">8sQBxxxII", b"DRAVERP1", 9, True, 2, 1) + fields
    disk.open(FOLDER / FILE_NAME, create=True).pwrite(data + struct.pack(">I", crc32c(data)), 0)
    found = read_recovery_points(disk, FOLDER)
    assert found is not None
    assert (found.generation, list(found.points.values())) == (9, [point])
    assert (point.first_unstable, point.transaction_entries) == (-1, 0)
