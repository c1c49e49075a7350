"""How much was used a second, and how long it takes until that is right: Kafka's arithmetic, in time that is given."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.broker.quotas import Rate, TokenBucket, Windows

ELEVEN = Windows(count=11, ms=1000)
"""Kafka's default."""
DAY_MS = 86_400_000


def test_who_has_just_come_may_use_at_once_what_all_windows_but_one_bring():
    rate = Rate(1000, ELEVEN)
    rate.record(10_000, DAY_MS)
    assert rate.most_at_once == 10_000
    assert rate.wait_ms(DAY_MS) == 0
    assert rate.wait_ms(DAY_MS, more=1) == 1


def test_a_wait_stretches_the_time_until_the_rate_is_right():
    """As Apache Kafka 4.3.1 was seen to say: 6,000 bytes after 5,000, a tenth of a second later, at 1,000 a second."""
    rate = Rate(1000, ELEVEN)
    rate.record(5132, DAY_MS)
    rate.record(6132, DAY_MS + 130)
    assert rate.wait_ms(DAY_MS + 130) == 11_264 - 10_130


def test_what_is_asked_about_is_not_recorded():
    rate = Rate(1000, ELEVEN)
    assert rate.wait_ms(0, more=30_000) == rate.wait_ms(0, more=30_000) == 20_000
    assert rate.wait_ms(0) == 0


def test_what_was_used_counts_as_long_as_its_window_is_among_those_that_count():
    rate = Rate(1000, ELEVEN)
    rate.record(30_000, 0)
    rate.record(1, 999)
    assert not rate.is_idle(11_998)
    assert rate.is_idle(11_999)
    assert rate.wait_ms(11_999) == 0


def test_another_bound_counts_at_once_and_what_was_used_stays():
    rate = Rate(1000, ELEVEN)
    rate.record(10_000, 0)
    rate.bound = 500
    assert rate.wait_ms(0) == 10_000


def test_no_wait_is_longer_than_its_field():
    rate = Rate(1e-9, ELEVEN)
    rate.record(1e9, 0)
    assert rate.wait_ms(0) == 2**31 - 1


def test_one_window_of_the_least_length_is_a_rate_too():
    rate = Rate(1, Windows(count=1, ms=1000))
    rate.record(1, 0)
    assert 0 < rate.wait_ms(0) < 2**31
    assert rate.wait_ms(1000) == 0


@dataclass
class Use:
    """What an obedient client does next: use so much, after a pause of its own."""

    size: int
    pause_ms: int


USES = st.lists(st.builds(Use, size=st.integers(1, 40_000), pause_ms=st.integers(0, 3000)), min_size=1, max_size=60)


@given(uses=USES, bound=st.sampled_from([10, 1000, 100_000]), count=st.integers(2, 12))
def test_who_obeys_never_has_more_than_the_rate_and_one_go(uses, bound, count):
    """Over any time from any moment on: what was used but for the last time, which nobody could foresee, is no more
    than the bound allows in that time and in the windows."""
    windows = Windows(count, ms=1000)
    rate = Rate(bound, windows)
    now_ms = 0.0
    used = []
    for use in uses:
        rate.record(use.size, now_ms)
        used.append((now_ms, use.size))
        for start in range(len(used) - 1):
            in_between = sum(size for _, size in used[start:-1]) - used[start][1]
            allowed = bound * ((now_ms - used[start][0]) / 1000 + count * windows.ms / 1000)
            assert in_between <= allowed + max(size for _, size in used[start:])
        now_ms += rate.wait_ms(now_ms) + use.pause_ms


@given(sizes=st.lists(st.integers(1, 5000), min_size=50, max_size=200))
def test_who_obeys_and_never_rests_gets_about_the_rate(sizes):
    rate = Rate(1000, ELEVEN)
    now_ms = 0.0
    for size in sizes:
        rate.record(size, now_ms)
        now_ms += rate.wait_ms(now_ms)
    assert sum(sizes) >= 0.4 * 1000 * now_ms / 1000


@given(
    uses=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 1000)), max_size=60), later_ms=st.integers(0, 20_000)
)
def test_what_has_become_idle_is_as_good_as_new(uses, later_ms):
    """So it can be forgotten."""
    rate, bucket = Rate(100, ELEVEN), TokenBucket(100, ELEVEN)
    now_ms = 0
    for pause_ms, size in uses:
        now_ms += pause_ms
        rate.record(size, now_ms)
        bucket.record(size, now_ms)
    now_ms += later_ms
    if rate.is_idle(now_ms):
        assert rate.wait_ms(now_ms, more=1500) == Rate(100, ELEVEN).wait_ms(now_ms, more=1500)
    if bucket.is_idle(now_ms):
        fresh = TokenBucket(100, ELEVEN)
        for each in (bucket, fresh):
            each.record(5000, now_ms)
        assert bucket.wait_ms(now_ms) == pytest.approx(fresh.wait_ms(now_ms), abs=1)


def test_a_bucket_is_full_at_first_and_may_be_overdrawn_one_time():
    """As Apache Kafka 4.3.1 was seen to do: 3 partitions from a bucket of 1.1, and then none for 19 seconds."""
    bucket = TokenBucket(0.1, ELEVEN)
    assert bucket.wait_ms(DAY_MS) == 0
    bucket.record(3, DAY_MS)
    assert bucket.wait_ms(DAY_MS) == 19_000
    assert bucket.wait_ms(DAY_MS + 18_999) == 1
    assert bucket.wait_ms(DAY_MS + 19_000) == 0


def test_a_bucket_never_holds_more_than_its_windows_bring():
    bucket = TokenBucket(2, ELEVEN)
    bucket.record(22, 0)
    assert bucket.wait_ms(0) == 0
    bucket.record(23, DAY_MS)
    assert bucket.wait_ms(DAY_MS) == 500


@given(takes=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 5000)), min_size=1, max_size=60))
def test_who_takes_only_when_nothing_is_overdrawn_never_has_more_than_the_rate_and_one_go(takes):
    bucket = TokenBucket(3, ELEVEN)
    now_ms = 0.0
    taken = 0
    for count, pause_ms in takes:
        now_ms += bucket.wait_ms(now_ms) + pause_ms
        assert taken <= 33 + 3 * (now_ms + 1) / 1000, "a millisecond is what waits are rounded to"
        bucket.record(count, now_ms)
        taken += count
