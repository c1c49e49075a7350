"""One partition: what an append promises, what a read gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave import records
from drave.log import LogClosed, OffsetOutOfRange, PartitionLog, StorageError
from drave.model.log_config import LogConfig
from drave.records import NewRecord
from drave.store.names import LOG, offset_of
from tests.log.still import Still, batch
from tests.log.world import finish


def heard(log: PartitionLog, end: int) -> list[int]:
    """A list that gets `end` once that is durable."""
    ends: list[int] = []
    log.when_durable(end, lambda: ends.append(end))
    return ends


# -- appending


def test_an_append_gives_offsets_at_once_and_is_durable_and_readable_after_the_commit() -> None:
    still = Still()
    log = still.log
    first = still.append(batch(b"a", b"b"))
    second = still.append(batch(b"c"))
    assert (first.base_offset, first.end, second.base_offset, second.end) == (0, 2, 2, 3)
    assert (log.start, log.high_watermark, log.last_stable, log.end) == (0, 0, 0, 3)
    told = heard(log, first.end)
    assert told == []
    assert still.read() == []
    still.commit()
    assert told == [2]
    assert log.high_watermark == log.last_stable == 3
    assert still.read() == [b"a", b"b", b"c"]


def test_with_durability_os_an_append_is_readable_at_once() -> None:
    still = Still(durability="os")
    still.append(batch(b"a"))
    assert heard(still.log, 1) == [1]
    assert still.read() == [b"a"]
    assert still.disk.syncs[-1].name != "0.journal"


def test_the_base_offset_and_the_leader_epoch_are_written_into_the_batch_that_was_sent() -> None:
    still = Still()
    still.append(batch(b"a"))
    still.kill()
    data = batch(b"b", b"c")
    still.append(data)
    still.commit()
    (part,) = still.log.read_now(1, bytes_max=1, limit=still.log.high_watermark, whole_first=True).parts  # type: ignore[union-attr]
    header = records.parse_header(part)
    assert (header.base_offset, header.leader_epoch) == (1, still.log.leader_epoch)
    assert still.log.leader_epoch > 0
    assert bytes(part[16:]) == data[16:]
    assert bytes(data[:8]) == bytes(8), "the sender's bytes are left alone"


@pytest.mark.parametrize("size", [10, 70_000, 2_000_000])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_of_any_size_is_taken_and_may_be_used_again_afterwards(kind: Any, size: int) -> None:
    still = Still()
    data = bytearray(batch(b"x" * size))
    given = kind(data)
    still.log.append(given, records.parse_header(data), now_ms=0)
    data[:] = bytes(len(data))  # a session's receive buffer
    still.commit()
    assert still.read() == [b"x" * size]


def test_offsets_of_many_partitions_are_durable_with_one_sync_of_the_journal() -> None:
    still = Still(partitions=50)
    for index in range(50):
        still.append(to=still.partition(index))
    still.disk.syncs.clear()
    still.commit()
    synced = [path.name for path in still.disk.syncs if path.suffix]
    assert synced == ["0.journal"]
    assert all(still.partition(index).high_watermark == 1 for index in range(50))


def test_those_who_wait_hear_in_the_order_of_their_offsets() -> None:
    still = Still()
    order: list[int] = []
    for _ in range(5):
        end = still.append().end
        still.log.when_durable(end, lambda end=end: order.append(end))
    still.log.when_durable(2, lambda: order.append(-2))  # a duplicate of an earlier one
    still.commit()
    assert order == [1, 2, -2, 3, 4, 5]


def test_one_listener_that_fails_does_not_keep_the_others_from_hearing(caplog: pytest.LogCaptureFixture) -> None:
    still = Still()
    still.append()
    heard_after: list[int] = []
    still.log.when_durable(1, lambda: 1 // 0)  # type: ignore[func-returns-value]
    still.log.when_durable(1, lambda: heard_after.append(1))
    still.log.on_advance = lambda log: heard_after.append(log.high_watermark)
    still.commit()
    assert heard_after == [1, 1]
    assert "ZeroDivisionError" in caplog.text


def test_a_partition_without_records_is_nothing_on_the_disk() -> None:
    still = Still(partitions=3)
    assert not [path for path in still.disk.files() if "topics" in path.parts]
    assert (still.log.start, still.log.end, still.log.size_bytes) == (0, 0, 0)
    assert finish(still.log.offset_for_time(0)) is None
    assert finish(still.log.max_timestamp()) is None


# -- refusals


def test_a_write_that_the_disk_takes_only_in_part_is_cut_back_and_leaves_no_trace() -> None:
    still = Still()
    still.append(batch(b"before"))
    size = still.log.size_bytes
    still.disk.room_bytes = 50
    with pytest.raises(StorageError, match="rides-0: the batch was not appended"):
        still.append(batch(b"refused", producer=7, epoch=0, sequence=0))
    assert (still.log.end, still.log.size_bytes, len(still.log.producers)) == (1, size, 0)
    assert [len(data) for path, data in still.disk.files().items() if path.suffix == LOG] == [size]
    still.disk.room_bytes = None
    still.append(batch(b"after"))
    still.logs.flush()
    assert still.read() == [b"before", b"after"]


def test_a_disk_that_is_full_before_the_first_batch_refuses_it_and_takes_the_next() -> None:
    still = Still()
    still.disk.room_bytes = 0
    with pytest.raises(StorageError):
        still.append()
    still.disk.room_bytes = None
    still.append(batch(b"after"))
    still.logs.flush()
    assert still.read() == [b"after"]


async def test_after_the_last_checkpoint_nothing_is_taken() -> None:
    still = Still()
    still.append()
    await still.logs.close()
    with pytest.raises(LogClosed):
        still.append()


# -- segments


def segments(still: Still) -> list[int]:
    names = [path.name for path in still.disk.files()]
    return sorted(base for name in names if (base := offset_of(name, LOG)) is not None)


def test_a_segment_is_rolled_before_it_passes_its_size() -> None:
    size = len(batch())
    still = Still(config=LogConfig(segment_bytes=3 * size))
    for _ in range(8):
        still.append()
    assert segments(still) == [0, 3, 6]
    still.commit()
    assert len(still.read()) == 8


def test_a_batch_larger_than_a_segment_has_one_of_its_own() -> None:
    still = Still(config=LogConfig(segment_bytes=200))
    still.append()
    still.append(batch(bytes(500)))
    still.append()
    assert segments(still) == [0, 1, 2]


def test_a_segment_is_rolled_when_a_record_is_so_much_later_than_its_first() -> None:
    """As in Kafka, records tell the time: replaying old data does not roll at every batch."""
    still = Still(config=LogConfig(segment_ms=1000))
    for timestamp in (5000, 5500, 4000, 6000, 6001, 6900):
        still.append(batch(timestamp=timestamp))
    assert segments(still) == [0, 4]


def test_records_without_timestamps_do_not_roll() -> None:
    still = Still(config=LogConfig(segment_ms=1000))
    for timestamp in (-1, -1, 10_000, 99_000):
        still.append(batch(timestamp=timestamp))
    assert segments(still) == [0]


def test_a_segment_is_rolled_when_its_index_is_full() -> None:
    still = Still(config=LogConfig(index_interval_bytes=10, segment_index_bytes=36))
    for _ in range(9):
        still.append()
    assert segments(still) == [0, 4, 8]


def test_a_partition_goes_on_in_its_segment_after_a_restart_and_rolls_as_if_there_had_been_none() -> None:
    still = Still(config=LogConfig(segment_ms=1000, segment_bytes=10_000))
    still.append(batch(timestamp=5000))
    finish(still.logs.close())
    still.open()
    still.append(batch(timestamp=5900))
    assert segments(still) == [0]
    still.append(batch(timestamp=6500))
    assert segments(still) == [0, 2]


def test_other_configs_count_from_the_next_batch_on() -> None:
    still = Still()
    still.append()
    still.logs.configure(still.log.topic_id, LogConfig(segment_bytes=100))
    still.append()
    assert segments(still) == [0, 1]


# -- reading


def test_a_read_from_the_middle_of_a_batch_gives_the_batch() -> None:
    """PROTOCOL, trap 5."""
    still = Still()
    still.append(batch(b"a", b"b", b"c"))
    still.commit()
    batches = still.log.read_now(1, bytes_max=1, limit=3, whole_first=True)
    assert batches is not None
    assert records.parse_header(batches.parts[0]).base_offset == 0


def test_a_first_batch_that_is_too_large_comes_only_when_it_is_asked_for() -> None:
    still = Still()
    still.append(batch(bytes(500)))
    still.append(batch())
    still.commit()
    nothing = still.log.read_now(0, bytes_max=100, limit=2, whole_first=False)
    assert nothing is not None
    assert (nothing.size, nothing.more) == (0, True)
    one = still.log.read_now(0, bytes_max=100, limit=2, whole_first=True)
    assert one is not None
    assert one.size > 500


def test_a_read_never_passes_its_limit() -> None:
    still = Still()
    for value in (b"a", b"b", b"c"):
        still.append(batch(value))
    still.commit()
    still.append(batch(b"pending"))
    for limit in range(4):
        batches = still.log.read_now(0, bytes_max=1 << 20, limit=limit, whole_first=True)
        assert batches is not None
        assert sum(part.nbytes for part in batches.parts) == limit * len(batch(b"a"))


@pytest.mark.parametrize("start", [-1, 4, 100])
def test_an_offset_outside_the_log_is_out_of_range(start: int) -> None:
    still = Still()
    for _ in range(3):
        still.append()
    still.commit()
    with pytest.raises(OffsetOutOfRange, match=f"rides-0: offset {start} is outside 0..3"):
        still.log.read_now(start, bytes_max=1, limit=3, whole_first=True)
    with pytest.raises(OffsetOutOfRange):
        finish(still.log.read(start, bytes_max=1, limit=3, whole_first=True))


def test_a_read_at_the_end_gives_nothing() -> None:
    still = Still()
    still.append()
    still.commit()
    batches = still.log.read_now(1, bytes_max=1, limit=1, whole_first=True)
    assert batches is not None
    assert (batches.size, batches.more) == (0, False)


def test_a_cold_disk_is_waited_for_only_by_read() -> None:
    still = Still(config=LogConfig(segment_bytes=200))
    for value in (b"a", b"b", b"c"):
        still.append(batch(value * 50))
    finish(still.logs.close())
    still.open()
    still.disk.cold = True
    assert still.log.read_now(0, bytes_max=1 << 20, limit=3, whole_first=True) is None
    batches = finish(still.log.read(0, bytes_max=1 << 20, limit=3, whole_first=True))
    assert records.parse_header(batches.parts[0]).base_offset == 0


def test_what_was_just_written_is_in_memory_even_where_the_platform_cannot_tell() -> None:
    """No RWF_NOWAIT: a consumer at the tail must not need a thread for each read."""
    still = Still()
    still.append()
    still.commit()
    still.disk.cold = True
    still.log.read_now(1, bytes_max=1 << 20, limit=1, whole_first=True)  # it has come to the end, and waits
    still.append()
    still.commit()
    assert still.log.read_now(1, bytes_max=1 << 20, limit=2, whole_first=True) is not None


# -- by time


def test_a_time_leads_to_the_first_record_that_is_not_older() -> None:
    still = Still(config=LogConfig(segment_bytes=400, index_interval_bytes=100))
    for timestamp in (1000, 3000, 2000, 5000, 4000, 6000):
        still.append(batch(b"x" * 60, timestamp=timestamp))
    still.commit()
    expected = {0: 0, 1000: 0, 1001: 1, 3000: 1, 3001: 3, 5000: 3, 5001: 5, 6000: 5}
    for timestamp, offset in expected.items():
        found = finish(still.log.offset_for_time(timestamp))
        assert found is not None
        assert found.offset == offset
    assert finish(still.log.offset_for_time(6001)) is None


def test_a_time_inside_a_batch_leads_to_its_record() -> None:
    still = Still()
    many = [records.NewRecord(None, b"v", timestamp=1000 + n) for n in range(5)]
    still.append(records.build_batch(many))
    still.commit()
    found = finish(still.log.offset_for_time(1003))
    assert found is not None
    assert (found.timestamp, found.offset, found.leader_epoch) == (1003, 3, 0)


def test_the_largest_timestamp_is_the_first_record_that_has_it() -> None:
    """KIP-734."""
    still = Still(config=LogConfig(segment_bytes=200))
    for timestamp in (1000, 9000, 9000, 2000):
        still.append(batch(b"x" * 60, timestamp=timestamp))
    still.commit()
    found = finish(still.log.max_timestamp())
    assert found is not None
    assert (found.timestamp, found.offset) == (9000, 1)


def test_times_are_looked_up_from_the_log_start_on() -> None:
    still = Still()
    still.append(batch(b"a", b"b", timestamp=9000))
    still.append(batch(b"c", timestamp=2000))
    still.commit()
    still.log.move_start(2)
    still.commit()
    found = finish(still.log.max_timestamp())
    assert found is not None
    assert (found.timestamp, found.offset) == (2000, 2)


def test_the_largest_timestamp_is_looked_for_behind_a_start_within_the_batch_that_had_it() -> None:
    """What is left of that batch is not the newest because the batch once was."""
    still = Still()
    still.append(batch(b"first", timestamp=500))
    still.append(records.build_batch([NewRecord(None, b"gone", 9000, ()), NewRecord(None, b"old", 1000, ())]))
    still.append(batch(b"next", timestamp=1500))
    still.append(batch(b"newest", timestamp=2000))
    still.commit()
    still.log.move_start(2)
    still.commit()
    found = finish(still.log.max_timestamp())
    assert found is not None
    assert (found.timestamp, found.offset) == (2000, 4)


@given(
    stamps=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=8),
    segment_bytes=st.sampled_from([200, 400, 10_000]),
    data=st.data(),
)
def test_of_whatever_is_left_the_first_of_the_newest_records_is_found(
    stamps: list[list[int]], segment_bytes: int, data: st.DataObject
) -> None:
    still = Still(config=LogConfig(segment_bytes=segment_bytes))
    for batch_stamps in stamps:
        still.append(records.build_batch([NewRecord(None, b"", 1000 + stamp, ()) for stamp in batch_stamps]))
    still.commit()
    times = [stamp for batch_stamps in stamps for stamp in batch_stamps]
    start = data.draw(st.integers(0, len(times) - 1))
    still.log.move_start(start)
    still.commit()
    left = times[start:]
    found = finish(still.log.max_timestamp())
    assert found is not None
    assert (found.timestamp - 1000, found.offset - start) == (max(left), left.index(max(left)))


# -- leader epochs


def test_every_crash_begins_a_new_leader_epoch_and_a_clean_stop_does_not() -> None:
    still = Still()
    for value in (b"a", b"b"):
        still.append(batch(value))
        still.commit()
    assert still.log.end_offset_for_epoch(0) == (0, 2)
    finish(still.logs.close())
    still.open()
    assert still.log.leader_epoch == 0
    still.kill()
    assert still.log.leader_epoch == 1
    assert still.log.end_offset_for_epoch(0) == (0, 2)
    assert still.log.end_offset_for_epoch(1) == (1, 2)
    still.append(batch(b"c"))
    still.commit()
    assert still.log.end_offset_for_epoch(0) == (0, 2)
    assert still.log.end_offset_for_epoch(1) == (1, 3)
    assert still.log.end_offset_for_epoch(2) == (-1, -1)
    assert [still.log.epoch_at(offset) for offset in (0, 1, 2, 3)] == [0, 0, 1, 1]
