"""Compaction: for each key the last record stays; see test_compaction_power_cuts.py for crashes."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave import records
from drave.log.compaction_map import NOT_THERE, OffsetMap
from drave.log.compaction_plan import Closed, section
from drave.log.housekeeping import keep_house, look_for_compaction
from drave.model.config import LONG_MAX
from drave.model.log_config import LogConfig
from drave.records import Codec, ControlKind, NewRecord
from tests.log.still import Still

NOW = 1_000_000
COMPACT = LogConfig(cleanup_compact=True, cleanup_delete=False, segment_bytes=300, delete_retention_ms=1000)


def compacting(config: LogConfig = COMPACT, **settings: object) -> Still:
    return Still(config=config, **settings)


def put(still: Still, *pairs: tuple[bytes, bytes | None], **more: object) -> None:
    """One batch."""
    data = records.build_batch(pairs, timestamp_ms=still.clock.now_ms, **more)  # type: ignore[arg-type]
    still.log.append(data, records.parse_header(data), now_ms=still.clock.now_ms)


def compact(still: Still) -> None:
    """Close what is written, and do all that is due."""
    if still.log._active is not None and still.log._active.size:
        still.log.roll()
    still.checkpoint()
    look_for_compaction(still.log, still.logs._shared, still.clock.now_ms)
    still.logs.flush()


def content(still: Still) -> dict[int, tuple[bytes | None, bytes | None]]:
    """Offset, key and value of every record."""
    return {
        record.offset: (record.key, record.value)
        for header, data in batches(still)
        for record in records.read_records(data, header)
    }


def batches(still: Still) -> list[tuple[records.BatchHeader, memoryview]]:
    found: list[tuple[records.BatchHeader, memoryview]] = []
    log, at = still.log, still.log.start
    while at < log.high_watermark:
        read = log.read_now(at, bytes_max=1 << 20, limit=log.high_watermark, whole_first=True)
        assert read is not None
        for part in read.parts:
            found += records.split(part)
        at = found[-1][0].last_offset + 1
    return found


@pytest.mark.parametrize("codec", list(Codec))
def test_the_last_record_of_each_key_stays_at_its_offset(codec: Codec) -> None:
    still = compacting()
    put(still, (b"a", b"1"), (b"b", b"1"), codec=codec)
    put(still, (b"a", b"2"), (b"c", b"1"), (b"a", b"3"), codec=codec)
    compact(still)
    assert content(still) == {1: (b"b", b"1"), 3: (b"c", b"1"), 4: (b"a", b"3")}
    headers = [header for header, _ in batches(still)]
    assert [(header.base_offset, header.last_offset_delta) for header in headers] == [(0, 1), (2, 2)]
    assert {header.codec for header in headers} == {codec}
    for header, data in batches(still):
        records.check_intact(header, data)


def test_what_is_written_to_is_not_touched() -> None:
    still = compacting()
    put(still, (b"a", b"1"))
    still.checkpoint()
    look_for_compaction(still.log, still.logs._shared, still.clock.now_ms)
    put(still, (b"a", b"2"))
    still.logs.flush()
    assert content(still) == {0: (b"a", b"1"), 1: (b"a", b"2")}


def test_a_tombstone_stays_until_its_horizon_and_then_the_key_is_gone() -> None:
    still = compacting()
    put(still, (b"a", b"1"), (b"b", b"1"))
    put(still, (b"a", None))
    compact(still)
    assert content(still) == {1: (b"b", b"1"), 2: (b"a", None)}
    (horizon,) = [found for header, _ in batches(still) if (found := records.delete_horizon(header)) is not None]
    assert horizon == still.clock.now_ms + 1000
    still.clock.now_ms += 1001
    put(still, (b"c", b"1" * 400))
    compact(still)
    assert content(still) == {1: (b"b", b"1"), 3: (b"c", b"1" * 400)}


def test_timestamps_stay_when_the_base_becomes_the_horizon() -> None:
    still = compacting()
    data = records.build_batch([NewRecord(b"a", None, 5), NewRecord(b"b", b"1", 900_000)], timestamp_ms=5)
    still.append(data)
    compact(still)
    ((header, found),) = batches(still)
    assert [record.timestamp for record in records.read_records(found, header)] == [5, 900_000]
    assert header.max_timestamp == 900_000


def test_a_producers_last_batch_stays_as_its_header() -> None:
    still = compacting()
    put(still, (b"a", b"1"), producer_id=7, producer_epoch=0, base_sequence=0)
    put(still, (b"a", b"2"))
    put(still, (b"b", b"2"))
    compact(still)
    first = batches(still)[0][0]
    assert (first.producer_id, first.base_sequence, first.count) == (7, 0, 0)
    assert content(still) == {1: (b"a", b"2"), 2: (b"b", b"2")}


def test_readers_of_an_old_segment_read_on() -> None:
    still = compacting()
    for number in range(5):
        put(still, (b"a", b"%d" % number * 100))
    still.commit()
    log = still.log
    plan = log._plan(0, log.high_watermark, committed=False)
    assert plan is not None
    compact(still)
    assert plan.segment not in log.files.segments  # type: ignore[union-attr]
    assert len(plan.segment.read(plan.file, 0, plan.segment.size, 1 << 20, whole_first=True, now=True))
    assert plan.segment.locate(plan.file, 1, now=False) > 0


def test_a_full_map_takes_several_rounds() -> None:
    still = compacting(cleaner_map_bytes=64)
    for number in range(40):
        put(still, (b"key %d" % (number % 20), b"%d" % number))
    compact(still)
    assert content(still) == {number: (b"key %d" % (number % 20), b"%d" % number) for number in range(20, 40)}


def test_how_far_it_came_outlives_a_restart() -> None:
    still = compacting()
    put(still, (b"a", b"1"), (b"a", b"2"))
    compact(still)
    still.checkpoint()
    assert still.log.compacted == 2
    still.power_cut()
    assert still.log.compacted == 2
    assert content(still) == {1: (b"a", b"2")}


def test_a_record_that_nobody_may_keep_waiting_closes_its_segment() -> None:
    still = compacting(LogConfig(cleanup_compact=True, max_compaction_lag_ms=1000, min_cleanable_dirty_ratio=1.0))
    put(still, (b"a", b"1"), (b"a", b"2"))
    still.checkpoint()
    still.clock.now_ms += 1001
    look_for_compaction(still.log, still.logs._shared, still.clock.now_ms)
    still.logs.flush()
    assert content(still) == {1: (b"a", b"2")}


def test_what_is_compacted_and_deleted_has_the_last_record_of_each_key_and_nothing_too_old() -> None:
    """`cleanup.policy=compact,delete`: a key goes with its segment, though nothing newer was said of it."""
    still = compacting(dataclasses.replace(COMPACT, cleanup_delete=True, retention_ms=10_000))
    put(still, (b"a", b"1"), (b"b", b"x" * 200))
    still.log.roll()
    still.clock.now_ms += 8_000
    put(still, (b"a", b"2" * 200))
    compact(still)
    assert content(still) == {1: (b"b", b"x" * 200), 2: (b"a", b"2" * 200)}
    still.clock.now_ms += 2_001
    keep_house(still.log, still.logs._shared, still.clock.now_ms)
    still.logs.flush()
    assert content(still) == {2: (b"a", b"2" * 200)}


def test_a_damaged_segment_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    still = compacting()
    put(still, (b"a", b"1"), (b"a", b"2"))
    still.log.roll()
    still.checkpoint()
    segment = still.log.files.segments[0]  # type: ignore[union-attr]
    still.disk.open(segment.path).pwrite(b"?", 70)
    compact(still)
    compact(still)
    assert caplog.text.count("is not compacted any more") == 1
    assert segment in still.log.files.segments  # type: ignore[union-attr]


def test_an_aborted_transactions_records_go_and_its_marker_waits_for_its_horizon() -> None:
    still = compacting()
    put(still, (b"a", b"1"), transactional=True, producer_id=3, producer_epoch=0, base_sequence=0)
    put(still, (b"b", b"1"))
    end_transaction(still, ControlKind.ABORT, 3)
    put(still, (b"c", b"1"))
    compact(still)
    assert [record[0] for record in content(still).values() if record[0] in (b"a", b"b", b"c")] == [b"b", b"c"]
    assert [header.base_offset for header, _ in batches(still) if header.is_control] == [2]


def end_transaction(still: Still, kind: ControlKind, producer_id: int) -> None:
    still.log.append_marker(kind, producer_id, 0, 0, now_ms=still.clock.now_ms, transaction_version=1)


def test_readers_are_told_of_an_aborted_transaction_as_long_as_its_marker_is_there() -> None:
    still = compacting()
    put(still, (b"a", b"1"), transactional=True, producer_id=3, producer_epoch=0, base_sequence=0)
    end_transaction(still, ControlKind.ABORT, 3)
    told = []
    for _ in range(3):
        put(still, (b"c", b"1" * 300))
        compact(still)
        still.checkpoint()
        still.power_cut()
        log = still.log
        read = log.read_now(0, bytes_max=1 << 20, limit=log.last_stable, whole_first=True, committed=True)
        assert read is not None
        told.append([(each.producer_id, each.last_offset) for each in read.aborted])
        still.clock.now_ms += 600
    assert told == [[(3, 1)], [(3, 1)], [(3, 1)]]


# -- the plan


def closed(*segments: tuple[int, int, int]) -> list[Closed]:
    return [Closed(end, size, lambda t=t: t, lambda t=t: t) for end, size, t in segments]  # type: ignore[misc]


def test_dirty_is_what_came_since_up_to_the_last_stable_offset() -> None:
    found = section(closed((10, 100, NOW), (20, 60, NOW), (30, 40, NOW)), 10, 25, LogConfig(), NOW)
    assert (found.end, found.clean_bytes, found.dirty_bytes) == (20, 100, 60)


@pytest.mark.parametrize(("ratio", "due"), [(0.4, True), (0.5, False), (0.6, False)])
def test_it_is_due_beyond_the_dirty_ratio(ratio: float, due: bool) -> None:
    config = LogConfig(min_cleanable_dirty_ratio=ratio)
    assert section(closed((10, 100, NOW), (20, 100, NOW)), 10, 20, config, NOW).is_due(config) is due


def test_the_young_wait_and_the_old_are_overdue() -> None:
    segments = closed((10, 100, NOW - 500), (20, 100, NOW - 50))
    lazy = LogConfig(min_compaction_lag_ms=100)
    assert section(segments, 0, 20, lazy, NOW).end == 10
    late = LogConfig(max_compaction_lag_ms=400, min_cleanable_dirty_ratio=1.0)
    assert section(segments, 0, 20, late, NOW).is_due(late)
    assert not section(segments, 10, 20, late, NOW).is_due(late)
    assert LogConfig().max_compaction_lag_ms == LONG_MAX


# -- the map


@given(st.lists(st.binary(max_size=3), max_size=60), st.integers(64, 1200))
def test_the_map_is_a_dict_until_it_is_full(keys: list[bytes], size: int) -> None:
    offsets, model = OffsetMap(100, len(keys), size), {}
    for number, key in enumerate(keys, start=100):
        if not offsets.put(key, number):
            assert key not in model
            break
        model[key] = number
    assert {key: offsets.newest(key) for key in keys} == {key: model.get(key, NOT_THERE) for key in keys}
