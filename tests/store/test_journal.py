"""The journal reads back what was written to it, and nothing that was there before."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drave import records
from drave.model.ids import TopicId
from drave.store.journal import BATCHES, HEADER_SIZE, LOG_START, NAMES, Item, Journal, Place, encode, read_journal
from drave.testing.disk import SimulatedDisk

FOLDER = Path("/journal")
TOPIC = TopicId(b"topic-id-16-byte")


def item(offset: int, payload: bytes = b"payload", kind: int = BATCHES) -> Item:
    return Item(kind, TOPIC, 3, 7, offset, (payload[:4], payload[4:]) if payload else (), len(payload))


def start(offset: int) -> Item:
    return item(offset, b"", LOG_START)


class Pair:
    """A journal and its disk."""

    def __init__(self, *, bytes_max: int = 64 * 1024, generation: int = 5) -> None:
        self.disk = SimulatedDisk()
        self.disk.make_folder(FOLDER)
        self.journal = Journal(self.disk, FOLDER, generation=generation, bytes_max=bytes_max)

    def write(self, *items: Item) -> bool:
        place = self.journal.reserve(items)
        if place is None:
            return False
        self.journal.write(place, encode(items, place))
        return True

    def offsets(self, since: int = 0) -> list[int]:
        entries, _ = read_journal(self.disk, FOLDER, since=since)
        return [entry.offset for entry in entries]


def test_an_entry_comes_back_as_it_was_written() -> None:
    pair = Pair()
    pair.write(item(40, b"some batches"), start(12))
    entries, generation = read_journal(pair.disk, FOLDER, since=0)
    first, second = entries
    assert (first.kind, first.topic_id, first.partition, first.leader_epoch, first.offset) == (BATCHES, TOPIC, 3, 7, 40)
    assert bytes(first.payload) == b"some batches"
    assert (second.kind, second.offset, bytes(second.payload)) == (LOG_START, 12, b"")
    assert generation == 5


def test_what_was_written_is_durable_with_the_names_of_its_files() -> None:
    for seed in range(20):
        disk = SimulatedDisk(seed)
        disk.make_folder(FOLDER)
        disk.sync_folder(FOLDER.parent)
        journal = Journal(disk, FOLDER, generation=1, bytes_max=64 * 1024)
        place = journal.reserve([item(1)])
        assert place is not None
        journal.write(place, encode([item(1)], place))
        disk.power_cut()
        assert [entry.offset for entry in read_journal(disk, FOLDER, since=0)[0]] == [1]


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=20), cut=st.floats(0, 1))
def test_reading_stops_where_the_file_is_torn(sizes: list[int], cut: float) -> None:
    pair = Pair()
    ends = []
    for number, size in enumerate(sizes):
        assert pair.write(item(number, b"x" * size))
        ends.append(pair.journal.used_bytes)
    at = int(cut * ends[-1])
    pair.disk.open(FOLDER / NAMES[0]).pwrite(bytes(ends[-1] - at), at)
    intact = sum(end <= at for end in ends)
    assert pair.offsets()[:intact] == list(range(intact))
    assert len(pair.offsets()) <= intact + 1, "zeros may be what the entry ended in"


def test_a_file_that_is_used_again_does_not_replay_its_past() -> None:
    pair = Pair()
    pair.write(item(1), item(2), item(3))
    pair.journal.turn()
    pair.write(item(4))
    pair.journal.release()
    pair.journal.turn()  # to the first file again, whose old entries follow the new one
    pair.write(item(5))
    assert pair.offsets(since=7) == [5]
    assert pair.offsets(since=6) == [4, 5]


def test_the_later_file_follows_only_where_the_earlier_one_ends() -> None:
    pair = Pair()
    pair.write(item(1), item(2))
    pair.journal.turn()
    pair.write(item(3))
    assert pair.offsets() == [1, 2, 3]
    first = pair.disk.open(FOLDER / NAMES[0])
    first.pwrite(b"!", HEADER_SIZE + 7 + 20)  # its second entry is damaged
    assert pair.offsets() == [1], "3 may build on what is lost"


def test_files_that_no_generation_connects_are_of_different_lives() -> None:
    """A restart moves the generation on by two."""
    pair = Pair(generation=5)
    pair.write(item(1))
    later = Journal(pair.disk, FOLDER, generation=9, bytes_max=64 * 1024)
    later.turn()
    file = pair.disk.open(FOLDER / NAMES[1], create=True)
    file.pwrite(encode([item(2)], Place(1, 0, generation=9, number=1)), 0)
    assert pair.offsets() == [2]


def test_generations_that_recovery_does_not_need_are_not_read() -> None:
    pair = Pair()
    pair.write(item(1))
    assert pair.offsets(since=6) == []


def test_a_full_file_has_no_room_until_it_is_turned_and_keeps_some_for_log_starts() -> None:
    """A new log start has no other way to be durable."""
    pair = Pair(bytes_max=16 * 1024)
    while pair.write(item(1, bytes(1000))):
        pass
    assert pair.write(start(1))
    assert pair.journal.can_turn
    pair.journal.turn()
    assert pair.write(item(2, bytes(1000)))
    assert not pair.journal.can_turn, "the other file is needed until a checkpoint is made"
    pair.journal.release()
    assert pair.journal.can_turn


def test_an_empty_file_is_not_turned() -> None:
    pair = Pair()
    pair.journal.turn()
    assert pair.journal.generation == 5
    assert pair.journal.can_turn


def test_a_write_that_finds_no_room_leaves_nothing_that_could_be_believed() -> None:
    """Its first entries may have been written whole; their numbers are given out again."""
    pair = Pair()
    pair.write(item(1))
    items = [start(10), start(11), item(2, bytes(500))]
    place = pair.journal.reserve(items)
    assert place is not None
    pair.disk.room_bytes = 200
    with pytest.raises(OSError) as full:
        pair.journal.write(place, encode(items, place))
    assert full.value.errno == errno.ENOSPC
    pair.journal.take_back(place)
    pair.disk.room_bytes = None
    assert pair.offsets() == [1]
    pair.write(start(20))
    assert pair.offsets() == [1, 20]


def test_zeros_are_written_ahead_of_use_and_never_over_an_entry() -> None:
    pair = Pair()
    pair.write(item(1))
    while (wanted := pair.journal.fill_wanted(8192, 3000)) is not None:
        pair.journal.fill(*wanted)
        pair.write(item(2, b"y" * 700))
    assert pair.journal.filled[0] >= pair.journal.used_bytes + 8192 - 3000
    assert set(pair.offsets()) == {1, 2}
    size = pair.disk.stat(FOLDER / NAMES[0])
    assert size is not None
    assert size.size == pair.journal.filled[0]


def test_a_file_of_an_earlier_life_needs_no_zeros() -> None:
    pair = Pair(bytes_max=16 * 1024)
    pair.disk.open(FOLDER / NAMES[0], create=True).pwrite(b"\xaa" * 16 * 1024, 0)
    pair.write(item(1))
    assert pair.journal.fill_wanted(8192, 4096) is None
    assert pair.offsets() == [1]


def test_batches_come_back_that_can_be_split_again() -> None:
    one, two = records.build_batch([(b"a", b"b")]), records.build_batch([(b"c", b"d"), (None, b"e")])
    pair = Pair()
    pair.write(Item(BATCHES, TOPIC, 0, 0, 0, (one, two), len(one) + len(two)))
    ((entry,), _) = read_journal(pair.disk, FOLDER, since=0)
    assert [header.count for header, _ in records.split(entry.payload)] == [1, 2]
