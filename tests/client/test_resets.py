"""Where a group goes when it is reset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.client.resets import Reset, Target, Toward, plan_resets
from drave.client.topics import Bounds, TopicPartitionId

RIDES = TopicPartitionId("rides", 0)
targets = st.builds(Target, st.sampled_from(Toward), st.integers(-(1 << 40), 1 << 40))


def planned(target: Target, committed: int | None, bounds: Bounds, since: int | None = None) -> int:
    (reset,) = plan_resets(
        target,
        {} if committed is None else {RIDES: committed},
        {RIDES: bounds},
        {} if since is None else {RIDES: since},
    )
    assert reset == Reset(RIDES, committed, reset.offset, bounds)
    return reset.offset


@pytest.mark.parametrize(
    ("target", "offset"),
    [
        (Target(Toward.EARLIEST), 10),
        (Target(Toward.LATEST), 100),
        (Target(Toward.OFFSET, 33), 33),
        (Target(Toward.OFFSET, 3), 10),
        (Target(Toward.OFFSET, 1000), 100),
        (Target(Toward.SHIFT, 5), 55),
        (Target(Toward.SHIFT, -5), 45),
        (Target(Toward.SHIFT, -1000), 10),
        (Target(Toward.SHIFT, 1000), 100),
        (Target(Toward.TIME, 1_553_372_469_000), 70),
    ],
)
def test_a_target_is_aimed_at_within_what_is_there(target: Target, offset: int) -> None:
    assert planned(target, 50, Bounds(10, 100), since=70) == offset


def test_a_shift_without_a_commit_starts_from_the_first_record() -> None:
    assert planned(Target(Toward.SHIFT, 5), None, Bounds(10, 100)) == 15


def test_a_time_after_the_last_record_is_the_end() -> None:
    assert planned(Target(Toward.TIME, 1), 50, Bounds(10, 100)) == 100


@given(targets, st.none() | st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(0, 1 << 20))
def test_no_target_leads_outside_the_partition(target: Target, committed: int | None, start: int, size: int) -> None:
    assert start <= planned(target, committed, Bounds(start, start + size)) <= start + size


def test_a_plan_is_in_the_order_of_partitions() -> None:
    bounds = {TopicPartitionId(topic, partition): Bounds(0, 1) for topic in "ba" for partition in (2, 0)}
    plan = plan_resets(Target(Toward.LATEST), {}, bounds, {})
    assert [str(reset.partition) for reset in plan] == ["a-0", "a-2", "b-0", "b-2"]
