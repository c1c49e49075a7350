"""The world itself: a seed is a run, in every process; time is virtual; what hangs or spins is found."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest

from simulation.loop import Loop, Stuck, Timeline
from simulation.run import STEPS, run
from simulation.world import patience_s


def loop_on(timeline: Timeline) -> Loop:
    return Loop(timeline, delay=lambda: 0.25, on_error=_raise)  # type: ignore[abstract]  # as in the simulator


def _raise(context: dict[str, Any]) -> None:
    raise AssertionError(context)


def finish(timeline: Timeline, task: asyncio.Task[Any], deadline_s: float = 100_000.0) -> Any:
    timeline.run_until(task.done, deadline=timeline.now + deadline_s)
    return task.result()


@pytest.mark.parametrize("seed", [1, 3])
def test_a_seed_is_the_same_run_whatever_the_hashes_of_the_process(seed: int) -> None:
    told = [_told(seed, hash_seed) for hash_seed in ("1", "2")]
    assert told[0] == told[1]
    assert "digest" in told[0]


def _told(seed: int, hash_seed: str) -> str:
    command = [sys.executable, "-m", "simulation", str(seed), "--steps", "10"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.stdout.splitlines()[0]


def test_a_seed_is_the_same_run_after_others_in_the_same_process() -> None:
    first = run(5, steps=8)
    run(6, steps=8)
    assert run(5, steps=8) == first
    assert run(6, steps=8).digest != first.digest


def test_time_goes_on_to_the_next_timer_at_once() -> None:
    timeline = Timeline()
    loop = loop_on(timeline)

    async def sleep() -> float:
        began = loop.time()
        await asyncio.sleep(86_400)
        return loop.time() - began

    assert finish(timeline, loop.create_task(sleep())) == 86_400


def test_what_a_thread_does_happens_at_a_moment_of_its_own_and_is_heard_of_later() -> None:
    timeline = Timeline()
    loop = loop_on(timeline)

    async def work() -> tuple[float, float]:
        began = loop.time()
        at = await loop.run_in_executor(None, loop.time)
        return at - began, loop.time() - began

    assert finish(timeline, loop.create_task(work())) == (0.25, 0.5)


def test_nothing_happens_in_a_loop_that_has_died() -> None:
    timeline = Timeline()
    living, dying = loop_on(timeline), loop_on(timeline)
    happened: list[str] = []
    dying.call_later(2.0, happened.append, "dead")
    living.call_later(3.0, happened.append, "alive")
    living.call_later(1.0, dying.die)
    timeline.run_until(lambda: "alive" in happened, deadline=timeline.now + 10)
    assert happened == ["alive"]


def test_a_longer_run_has_longer_to_end() -> None:
    """A reader of what has nothing new waits three seconds in each of its steps, and more for lives of the broker."""
    assert patience_s(STEPS) == patience_s(1) == 600
    assert patience_s(300) >= 300 * 3 + 600


def test_a_deadlock_is_found() -> None:
    timeline = Timeline()
    loop = loop_on(timeline)
    task = loop.create_task(_wait_for_ever(loop))
    with pytest.raises(Stuck, match="nothing is left"):
        finish(timeline, task)
    loop.bury()


def test_what_takes_for_ever_is_found() -> None:
    timeline = Timeline()
    loop = loop_on(timeline)

    def again() -> None:
        loop.call_later(1.0, again)

    again()
    with pytest.raises(Stuck, match="not done after"):
        timeline.run_until(lambda: False, deadline=timeline.now + 60)


def test_what_spins_is_found() -> None:
    timeline = Timeline()
    loop = loop_on(timeline)

    def again() -> None:
        loop.call_soon(again)

    again()
    with pytest.raises(Stuck, match="without a step of time"):
        timeline.run_until(lambda: False, deadline=timeline.now + 60)


async def _wait_for_ever(loop: Loop) -> None:
    await loop.create_future()
