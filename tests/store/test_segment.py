"""A segment finds and reads whole batches, with its indexes or without them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drave import records
from drave.store.disk import WouldBlock, write_whole
from drave.store.errors import StorageError
from drave.store.index import TIME_ENTRY
from drave.store.segment import FilePool, Segment, peek, walk
from drave.testing.disk import SimulatedDisk

FOLDER = Path("/d")
BASE = 1000


def batch(base: int, count: int, size: int, timestamp: int = 5) -> bytes:
    data = bytearray(records.build_batch([(None, bytes(size))] * count, timestamp_ms=timestamp))
    records.place(data, base, 0)
    return bytes(data)


class Written:
    """A segment with some batches in it, and the batches."""

    def __init__(self, shapes: list[tuple[int, int]], *, interval: int = 300) -> None:
        self.disk = SimulatedDisk()
        self.disk.make_folder(FOLDER)
        self.pool = FilePool(self.disk, 10)
        self.segment = Segment(self.disk, FOLDER, BASE)
        self.file = self.pool.open(self.segment, create=True)
        self.segment.begin()
        self.batches: list[tuple[int, int, bytes]] = []
        self.end = BASE
        for count, size in shapes:
            self.append(count, size, interval)

    def append(self, count: int, size: int, interval: int = 300, timestamp: int = 5) -> None:
        data = batch(self.end, count, size, timestamp)
        self.file.pwrite(data, self.segment.size)
        self.batches.append((self.end, self.segment.size, data))
        self.end += count
        self.segment.appended(len(data), self.end - 1, timestamp, interval)

    def expected(self, start: int, bytes_max: int, *, whole_first: bool) -> bytes:
        """What a read should give, the slow way."""
        found = b""
        for base, _, data in self.batches:
            if base + records.parse_header(data).count <= start:
                continue
            if len(found) + len(data) > bytes_max and (found or not whole_first):
                break
            found += data
        return found


shapes = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 200)), min_size=1, max_size=40)


@settings(deadline=None)
@given(shapes=shapes, flushed=st.booleans(), data=st.data())
def test_a_read_gives_the_whole_batches_that_fit(
    shapes: list[tuple[int, int]], flushed: bool, data: st.DataObject
) -> None:
    written = Written(shapes)
    segment = written.segment
    if flushed:
        segment.close_for_writing()
    for _ in range(5):
        start = data.draw(st.integers(BASE, written.end - 1))
        bytes_max = data.draw(st.integers(61, 3000))
        whole_first = data.draw(st.booleans())
        at = segment.locate(written.file, start, now=True)
        read = segment.read(written.file, at, segment.size, bytes_max, whole_first=whole_first, now=True)
        assert bytes(read) == written.expected(start, bytes_max, whole_first=whole_first)


@given(shapes=shapes)
def test_every_offset_leads_to_the_batch_that_holds_it(shapes: list[tuple[int, int]]) -> None:
    written = Written(shapes)
    for base, position, data in written.batches:
        for offset in range(base, base + records.parse_header(data).count):
            assert written.segment.locate(written.file, offset, now=True) == position
    assert written.segment.locate(written.file, written.end, now=True) == written.segment.size


def test_an_offset_that_compaction_took_leads_to_the_next_batch() -> None:
    written = Written([(1, 10)])
    written.end += 50
    written.append(1, 10)
    assert written.segment.locate(written.file, BASE + 20, now=True) == written.batches[1][1]


def test_many_small_batches_are_read_up_to_the_last_whole_one() -> None:
    """The index says where to begin to look for it."""
    written = Written([(1, 0)] * 2000, interval=4096)
    segment = written.segment
    for start, bytes_max in ((BASE, 68 * 1500 + 30), (BASE + 700, 68 * 900), (BASE + 1, 68 * 300 - 1)):
        at = segment.locate(written.file, start, now=True)
        read = segment.read(written.file, at, segment.size, bytes_max, whole_first=False, now=True)
        assert bytes(read) == written.expected(start, bytes_max, whole_first=False)
        following = start + len(read) // 68
        assert segment.hints[following] == at + len(read), "whoever read this will go on there"


def test_a_damaged_index_is_noticed_and_built_anew() -> None:
    """The .log alone is the truth."""
    written = Written([(2, 100)] * 30)
    segment = written.segment
    segment.close_for_writing()
    good = written.disk.files()[segment.index.path]
    written.disk.open(segment.index.path).pwrite(bytes(len(good) - 8) + b"\xff" * 8, 0)
    base, position, _ = written.batches[20]
    with pytest.raises(WouldBlock):
        segment.locate(written.file, base, now=True)
    assert segment.locate(written.file, base, now=False) == position
    assert segment.locate(written.file, base, now=True) == position
    assert len(segment.index) > 0


def test_without_any_index_offsets_are_found_all_the_same() -> None:
    written = Written([(2, 100)] * 30)
    found = Segment(written.disk, FOLDER, BASE, written.segment.size)
    for base, position, _ in written.batches:
        assert found.locate(written.file, base, now=True) == position


def test_the_largest_timestamp_is_known_after_the_index_was_lost() -> None:
    written = Written([])
    for timestamp in (5, 900, 20):
        written.append(1, 100, timestamp=timestamp)
    assert written.segment.largest_timestamp() == (900, BASE + 1)
    found = Segment(written.disk, FOLDER, BASE, written.segment.size)
    assert found.largest_timestamp() == (900, BASE + 1)


@pytest.mark.parametrize("left", [bytes(12), TIME_ENTRY.pack(901, 1), TIME_ENTRY.pack(900, 7)])
def test_a_time_index_that_tells_of_no_batch_is_built_anew(left: bytes) -> None:
    """A crash may leave a file its length, and nothing of its content."""
    written = Written([])
    for timestamp in (5, 900, 20):
        written.append(1, 100, timestamp=timestamp)
    found = Segment(written.disk, FOLDER, BASE, written.segment.size)
    write_whole(written.disk, found.time_index.path, left)
    assert found.largest_timestamp() == (900, BASE + 1)


def test_a_new_segment_does_not_believe_what_lies_under_its_name() -> None:
    written = Written([(1, 100)] * 10)
    written.segment.close_for_writing()
    again = Segment(written.disk, FOLDER, BASE)
    FilePool(written.disk, 1).open(again)
    again.begin()
    assert written.disk.files()[again.path] == b""
    assert len(again.index) == len(again.time_index) == 0


def test_garbage_where_a_batch_should_be_is_an_error_and_no_loop() -> None:
    written = Written([(1, 100)] * 3, interval=10_000)
    written.file.pwrite(b"\xff" * 61, written.batches[1][1])
    with pytest.raises(StorageError, match="not the batch"):
        written.segment.locate(written.file, BASE + 2, now=False)


def test_walking_ends_at_the_first_batch_that_is_not_intact() -> None:
    written = Written([(1, 50)] * 5)
    end = written.segment.size
    assert [at for at, _, _ in walk(written.file, 0, end)] == [at for _, at, _ in written.batches]
    written.file.pwrite(b"!", written.batches[3][1] + 70)
    assert len(list(walk(written.file, 0, end))) == 3
    assert len(list(walk(written.file, 0, written.batches[2][1] + 30))) == 2, "nor is one that is cut"


def test_walking_and_peeking_cross_what_is_read_at_once() -> None:
    written = Written([(1, 300_000)] * 5 + [(1, 10)] * 300)
    positions = [at for _, at, _ in written.batches]
    assert [at for at, _, _ in walk(written.file, 0, written.segment.size)] == positions
    assert [at for at, _ in peek(written.file, 0, written.segment.size)] == positions


def test_the_pool_keeps_open_what_is_in_use_and_no_more() -> None:
    disk = SimulatedDisk()
    disk.make_folder(FOLDER)
    pool = FilePool(disk, 3)
    segments = [Segment(disk, FOLDER, base) for base in range(10)]
    for segment in segments:
        pool.open(segment, create=True)
        segments[0].recent = True  # somebody reads it all the time
    still_open = [segment.base for segment in segments if segment.file is not None]
    assert len(still_open) == 3
    assert 0 in still_open
    assert 9 in still_open
