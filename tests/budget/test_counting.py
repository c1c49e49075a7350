"""The counting itself: exact, and of the broker alone."""

from __future__ import annotations

import pytest

from drave.records import batch
from tests.broker.still import StillClock
from tests.budget.counting import Counts, Owner, count, owner_of
from tests.budget.scenarios import SCENARIOS, Scene


def counted(scene: Scene) -> Counts:
    for _ in range(4):
        scene.step()
    return count(scene.step, steps=4)


@pytest.mark.parametrize("scenario", ["produce, os", "heartbeat"])
def test_the_same_step_costs_the_same_instructions_each_time(scenario: str) -> None:
    first, second = (counted(SCENARIOS[scenario]()) for _ in range(2))
    assert (first.bytecodes, first.calls) == (second.bytecodes, second.calls)
    assert first.bytecodes > 0


def test_a_synced_write_is_written_twice_once_durably_and_answered_once() -> None:
    """Segment and journal; both are one call of the operating system for one small batch."""
    calls = counted(SCENARIOS["produce, fsync"]()).calls
    assert (calls["file.pwrite"], calls["file.write_durably"], calls["transport.write"]) == (1, 1, 1)
    assert "file.sync" not in calls


@pytest.mark.parametrize("scenario", ["produce, 100 partitions, fsync", "produce, 64 clients, fsync"])
def test_many_writes_share_one_sync(scenario: str) -> None:
    assert counted(SCENARIOS[scenario]()).calls["file.write_durably"] < 2


def test_what_the_harness_does_is_not_counted() -> None:
    assert owner_of(batch.place.__code__) is Owner.BROKER
    assert owner_of(StillClock.monotonic.__code__) is Owner.HARNESS
    assert owner_of(pytest.main.__code__) is Owner.OTHER
    clock = StillClock()
    counts = count(clock.monotonic, steps=3)  # type: ignore[arg-type]  # what it returns is nobody's
    assert (counts.bytecodes, counts.calls) == (0, {}), "other tests of this process leave bytes"


def test_every_request_of_a_scenario_is_answered_without_an_error() -> None:
    for prepare in SCENARIOS.values():
        scene = prepare()
        scene.step()
        scene.check()
        assert len(scene.client.frames) == 1
