"""Which segments may go, as Kafka counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.log.retention import Kept, new_start
from drave.model.log_config import LogConfig

NOW = 1_000_000


def kept(*segments: tuple[int, int, int]) -> list[Kept]:
    return [Kept(base, size, lambda timestamp=timestamp: timestamp) for base, size, timestamp in segments]


def by_time(ms: int) -> LogConfig:
    return LogConfig(retention_ms=ms, retention_bytes=-1)


def by_size(size: int) -> LogConfig:
    return LogConfig(retention_ms=-1, retention_bytes=size)


SEGMENTS = ((0, 100, NOW - 900), (10, 100, NOW - 500), (20, 100, NOW - 100))


@pytest.mark.parametrize(
    ("ms", "start"), [(1000, None), (900, None), (899, 10), (500, 10), (499, 20), (50, 30), (-1, None)]
)
def test_what_is_older_than_its_time_goes(ms: int, start: int | None) -> None:
    assert new_start(kept(*SEGMENTS), 30, 30, by_time(ms), NOW) == start


def test_a_young_segment_keeps_the_older_ones_behind_it() -> None:
    segments = ((0, 100, NOW - 100), (10, 100, NOW - 900), (20, 100, NOW - 900))
    assert new_start(kept(*segments), 30, 30, by_time(500), NOW) is None


@pytest.mark.parametrize(
    ("size", "start"), [(301, None), (300, None), (201, None), (200, 10), (100, 20), (0, 20), (-1, None)]
)
def test_what_is_more_than_its_size_goes_from_the_oldest_on(size: int, start: int | None) -> None:
    """As long as what is left is at least `retention.bytes`; the active segment stays."""
    assert new_start(kept(*SEGMENTS), 30, 30, by_size(size), NOW) == start


def test_only_what_is_durable_may_go() -> None:
    assert new_start(kept(*SEGMENTS), 30, 25, by_time(1), NOW) == 20
    assert new_start(kept(*SEGMENTS), 30, 15, by_time(1), NOW) == 10
    assert new_start(kept(*SEGMENTS), 30, 5, by_time(1), NOW) is None


def test_an_empty_active_segment_is_not_rolled_again() -> None:
    segments = (*SEGMENTS, (30, 0, -1))
    assert new_start(kept(*segments), 30, 30, by_time(1), NOW) == 30
    assert new_start(kept((30, 0, -1)), 30, 30, by_time(1), NOW) is None


def test_a_compacted_topic_forgets_nothing_this_way() -> None:
    config = LogConfig(cleanup_compact=True, cleanup_delete=False, retention_ms=1, retention_bytes=1)
    assert new_start(kept(*SEGMENTS), 30, 30, config, NOW) is None


@given(
    sizes=st.lists(st.integers(0, 50), min_size=1, max_size=8),
    ages=st.lists(st.integers(0, 1000), min_size=8, max_size=8),
    ms=st.integers(-1, 1000),
    size=st.integers(-1, 300),
    durable=st.integers(0, 80),
)
def test_a_new_start_is_always_where_a_segment_begins_or_the_end(
    sizes: list[int], ages: list[int], ms: int, size: int, durable: int
) -> None:
    segments = kept(*[(number * 10, each, NOW - ages[number]) for number, each in enumerate(sizes)])
    end = len(sizes) * 10
    start = new_start(segments, end, durable, LogConfig(retention_ms=ms, retention_bytes=size), NOW)
    assert start is None or (start in {segment.base for segment in segments[1:]} | {end} and start <= durable)
