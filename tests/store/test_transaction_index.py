"""The index of aborted transactions: Kafka's format, entries that are never lost, look-ups that read little."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.store.disk import WouldBlock
from drave.store.transaction_index import AbortedTransaction, TransactionIndex, aborted_between
from drave.testing.disk import SimulatedDisk

FOLDER = Path("/topics/rides-0")
LOG = FOLDER / "00000000000000000100.log"


@pytest.fixture
def disk() -> SimulatedDisk:
    disk = SimulatedDisk(0)
    disk.make_folder(FOLDER)
    return disk


def aborted(producer: int, first: int, last: int, stable: int | None = None) -> AbortedTransaction:
    return AbortedTransaction(producer, first, last, last + 1 if stable is None else stable)


def test_an_entry_is_kafkas(disk: SimulatedDisk) -> None:
    index = TransactionIndex(disk, LOG)
    index.add(AbortedTransaction(7, 100, 140, 120))
    index.add(AbortedTransaction(8, 120, 150, 151))
    index.write()
    assert index.path.name == "00000000000000000100.txnindex"
    expected = struct.pack(">hqqqq", 0, 7, 100, 140, 120) + struct.pack(">hqqqq", 0, 8, 120, 150, 151)
    assert disk.open(index.path).pread(1000, 0) == expected


def test_a_segment_without_aborted_transactions_has_no_file(disk: SimulatedDisk) -> None:
    index = TransactionIndex(disk, LOG)
    index.clear()
    index.write()
    index.keep()
    assert (len(index), index.unsynced, disk.exists(index.path)) == (0, False, False)


def test_what_a_crash_left_behind_the_entries_that_were_synced_is_cut(disk: SimulatedDisk) -> None:
    index = TransactionIndex(disk, LOG)
    for number in range(3):
        index.add(aborted(1, 100 + 2 * number, 101 + 2 * number))
    index.write()
    disk.open(index.path).pwrite(bytes(20), 3 * 34)
    again = TransactionIndex(disk, LOG)
    again.keep(2)
    assert (len(again), disk.open(index.path).size()) == (2, 68)
    assert again.unsynced


def test_entries_wait_until_they_are_said_to_be_written(disk: SimulatedDisk) -> None:
    index = TransactionIndex(disk, LOG)
    index.add(aborted(1, 100, 101))
    data, at = index.to_write()
    index.add(aborted(1, 102, 103))
    view = index.view()
    assert (len(data), at, index.pending) == (34, 0, 2)
    disk.open(index.path, create=True).pwrite(data, at)
    index.wrote(1)
    assert (index.pending, index.to_write()[1]) == (1, 34)
    both = [aborted(1, 100, 101), aborted(1, 102, 103)]
    assert view.overlapping(0, 1000, now=False)[0] == both, "a view goes on seeing what it saw"
    assert index.view().overlapping(0, 1000, now=False)[0] == both


transactions = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 30)), max_size=40)


@given(given=transactions, written=st.integers(0, 40), start=st.integers(0, 200), size=st.integers(0, 100))
def test_a_look_up_finds_what_overlaps_and_nothing_else(
    given: list[tuple[int, int]], written: int, start: int, size: int
) -> None:
    """Wherever the entries lie: in the file, in memory, in the segments after."""
    disk = SimulatedDisk(0)
    disk.make_folder(FOLDER)
    indexes = [TransactionIndex(disk, FOLDER / f"{base:020d}.log") for base in (0, 60, 120)]
    entries = []
    marker = 0
    for number, (gap, length) in enumerate(given):
        marker += gap
        entries.append((number, max(0, marker - length), marker))
    for number, (producer, first, last) in enumerate(entries):
        stable = min([each[1] for each in entries[number + 1 :] if each[1] <= last], default=last + 1)
        index = indexes[min(last // 60, 2)]
        index.add(AbortedTransaction(producer, first, last, stable))
        if number < written:
            index.write()
    end = start + size
    found = aborted_between([index.view() for index in indexes], start, end, now=False)
    expected = [each for each in entries if each[1] < end and each[2] >= start]
    assert [(each.producer_id, each.first_offset, each.last_offset) for each in found] == sorted(
        expected, key=lambda each: each[1]
    )


def test_a_look_up_that_may_not_wait_does_not(disk: SimulatedDisk) -> None:
    index = TransactionIndex(disk, LOG)
    index.add(aborted(1, 100, 101))
    index.write()
    cold = index.view()._replace(disk=_Cold())  # type: ignore[arg-type]  # it opens files, no more
    with pytest.raises(WouldBlock):
        aborted_between([cold], 0, 1000, now=True)


class _Cold:
    """A disk that has nothing in memory."""

    def open(self, path: Path) -> _Cold:
        return self

    def read_now(self, size: int, at: int) -> bytes:
        raise WouldBlock
