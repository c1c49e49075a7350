"""Where commits run, and how long they wait for company."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from drave.log.pace import PATIENCE, Pace

QUICK_US = 300
SYNC_S = 100e-6


def test_before_anything_was_measured_the_disk_is_taken_for_quick_and_nobody_waits() -> None:
    pace = Pace(QUICK_US)
    assert pace.is_quick
    assert pace.patience_s == 0.0


def test_where_nothing_may_run_on_the_loop_the_disk_is_never_quick() -> None:
    assert not Pace(0).is_quick


def test_a_commit_waits_no_longer_than_makes_its_sync_a_small_part() -> None:
    pace = Pace(QUICK_US)
    for _ in range(100):
        pace.note(SYNC_S, on_loop=True)
    assert pace.is_quick
    assert abs(pace.patience_s - PATIENCE * SYNC_S) < 1e-6


def test_one_long_sync_on_the_loop_is_enough_to_leave_it_and_then_nobody_waits() -> None:
    pace = Pace(QUICK_US)
    pace.note(20 * SYNC_S, on_loop=True)
    assert not pace.is_quick
    assert pace.patience_s == 0.0


def test_the_loop_is_taken_again_soon_after_the_disk_has_become_quick() -> None:
    pace = Pace(QUICK_US)
    pace.note(20 * SYNC_S, on_loop=True)
    for _ in range(10):
        pace.note(SYNC_S, on_loop=False)
    assert pace.is_quick


def test_the_wait_for_a_busy_interpreter_does_not_keep_commits_from_the_loop() -> None:
    """On the thread a sync seems to take as long as the loop holds the interpreter: often far too long."""
    chance = random.Random(1)
    pace = Pace(QUICK_US)
    pace.note(20 * SYNC_S, on_loop=True)
    for _ in range(100):
        pace.note(SYNC_S * chance.choice((1.5, 2, 4, 5, 6, 6)), on_loop=False)
    assert pace.is_quick


@given(st.lists(st.floats(QUICK_US / 1e6 * 1.5, 1.0), min_size=1), st.booleans())
def test_a_disk_that_is_never_quick_is_never_taken_for_one(seconds: list[float], on_loop: bool) -> None:
    pace = Pace(QUICK_US)
    pace.note(1.0, on_loop=True)
    for each in seconds:
        pace.note(each, on_loop=on_loop)
        assert not pace.is_quick
