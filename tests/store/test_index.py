"""A sparse index finds the last entry at or below a key, whether it is in the file or still in memory."""

from __future__ import annotations

import struct
from bisect import bisect_right
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.store.disk import WouldBlock
from drave.store.index import OFFSET_ENTRY, TIME_ENTRY, SparseIndex
from drave.testing.disk import SimulatedDisk

PATH = Path("/d/0.index")


@pytest.fixture
def disk() -> SimulatedDisk:
    return new_disk()


def new_disk() -> SimulatedDisk:
    disk = SimulatedDisk()
    disk.make_folder(PATH.parent)
    return disk


rising = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 5000)), max_size=60).map(
    lambda steps: [(sum(k for k, _ in steps[: n + 1]), sum(v for _, v in steps[: n + 1])) for n in range(len(steps))]
)


@given(entries=rising, flushed=st.integers(0, 60), key=st.integers(0, 3200), value=st.integers(0, 320_000))
def test_a_look_up_finds_what_a_sorted_list_would(
    entries: list[tuple[int, int]], flushed: int, key: int, value: int
) -> None:
    index = SparseIndex(new_disk(), PATH, OFFSET_ENTRY)
    for number, entry in enumerate(entries):
        if number == flushed:
            index.flush()
        index.add(*entry)
    assert len(index) == len(entries)
    at = bisect_right([k for k, _ in entries], key)
    assert index.floor(key, now=False) == (entries[at - 1] if at else None)
    at = bisect_right([v for _, v in entries], value)
    assert index.floor_of_value(value, now=False) == (entries[at - 1] if at else None)
    assert index.last_entry(now=False) == (entries[-1] if entries else None)


def test_an_entry_that_does_not_rise_is_not_taken(disk: SimulatedDisk) -> None:
    index = SparseIndex(disk, PATH, TIME_ENTRY)
    index.add(100, 5)
    index.add(100, 9)
    index.add(90, 10)
    index.add(110, 4)
    index.add(120, 7)
    index.flush()
    assert disk.files()[PATH] == struct.pack(">qIqI", 100, 5, 120, 7)


def test_the_file_is_kafkas(disk: SimulatedDisk) -> None:
    """Eight bytes an entry: the offset relative to the segment's base, and the position."""
    index = SparseIndex(disk, PATH, OFFSET_ENTRY)
    index.add(17, 4200)
    index.add(30, 8500)
    index.flush()
    assert disk.files()[PATH] == struct.pack(">IIII", 17, 4200, 30, 8500)


def test_it_goes_on_behind_what_an_earlier_life_left(disk: SimulatedDisk) -> None:
    before = SparseIndex(disk, PATH, OFFSET_ENTRY)
    before.add(1, 100)
    before.add(2, 200)
    before.flush()
    index = SparseIndex(disk, PATH, OFFSET_ENTRY)
    index.keep(2)
    index.add(2, 300)  # does not rise
    index.add(3, 300)
    index.flush()
    assert [index.floor(key, now=False) for key in (0, 1, 2, 9)] == [None, (1, 100), (2, 200), (3, 300)]


@pytest.mark.parametrize("remains", [b"", b"\xff" * 8, b"\x00" * 24, b"\x01\x02\x03"])
def test_what_a_crash_left_behind_the_durable_entries_is_cut(disk: SimulatedDisk, remains: bytes) -> None:
    disk.open(PATH, create=True).pwrite(struct.pack(">IIII", 1, 100, 2, 200) + remains, 0)
    index = SparseIndex(disk, PATH, OFFSET_ENTRY)
    index.keep(2)
    assert disk.files()[PATH] == struct.pack(">IIII", 1, 100, 2, 200)
    assert index.last == (2, 200)


def test_an_index_that_was_deleted_is_empty(disk: SimulatedDisk) -> None:
    index = SparseIndex(disk, PATH, OFFSET_ENTRY)
    index.keep(5)
    assert len(index) == 0
    assert index.floor(100, now=False) is None
    assert index.last_entry(now=False) is None


def test_a_full_disk_makes_entries_wait(disk: SimulatedDisk) -> None:
    index = SparseIndex(disk, PATH, OFFSET_ENTRY)
    index.add(1, 100)
    disk.room_bytes = 3
    with pytest.raises(OSError, match="space"):
        index.flush()
    assert index.floor(1, now=False) == (1, 100)
    disk.room_bytes = None
    index.flush()
    assert disk.files()[PATH] == struct.pack(">II", 1, 100)


def test_looking_something_up_now_does_not_wait_for_a_cold_disk(disk: SimulatedDisk) -> None:
    index = SparseIndex(disk, PATH, OFFSET_ENTRY)
    index.add(1, 100)
    index.flush()
    index.add(2, 200)
    disk.cold = True
    assert index.floor(2, now=True) == (2, 200), "that entry is in memory"
    with pytest.raises(WouldBlock):
        index.floor(1, now=True)
