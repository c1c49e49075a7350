"""Compaction under power cuts and kills at any moment: see `compacting.py` for the law.

`SEEDS=5000 FIRST_SEED=500 pytest tests/log/test_compaction_power_cuts.py` makes a long run of it; `run(seed,
kind=CompactingWorld)` repeats one.
"""

from __future__ import annotations

import os

import pytest

from drave.testing.disk import PowerCut
from tests.log.compacting import CompactingWorld
from tests.log.world import recover, run

SEEDS = int(os.environ.get("SEEDS", "200"))
FIRST = int(os.environ.get("FIRST_SEED", "0"))
CHUNK = 50

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_the_last_record_of_every_key_survives(first: int) -> None:
    """Several lives, each ended somewhere, and recoveries that are interrupted too."""
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        run(seed, steps=120, kind=CompactingWorld)


@pytest.mark.parametrize("seed", [1116, 1999], ids=["a start within a batch", "an index without its content"])
def test_worlds_in_which_times_once_led_astray(seed: int) -> None:
    run(seed, steps=120, kind=CompactingWorld)


@pytest.mark.parametrize("kill", [False, True], ids=["power cut", "kill"])
@pytest.mark.parametrize("seed", [3])
def test_a_crash_at_every_single_call_of_a_compaction_is_survived(seed: int, kill: bool) -> None:
    """One life that ends with a compaction, cut in the middle of that one's first call, its second, its third, …"""
    call, crashed, swaps = 0, True, 0
    while crashed:
        call += 1
        world = CompactingWorld(seed, durability="fsync")
        world.open()
        for _ in range(30):
            world.append()
            world.end_transaction()
        for key in world.histories:
            while world.histories[key].transactions(world.log(key).end)[0]:
                world.end_transaction()
        world.settle()
        assert world.logs is not None
        for key in world.histories:
            world.logs.flusher.begin_checkpoint_for(world.log(key))
        world.settle()
        world.clock.now_ms += 100_000
        world.disk.cut_at = call
        crashed = False
        try:
            for _ in range(2):
                for key in world.histories:
                    world.logs.flusher.compact(world.log(key))
                world.settle()
                world.clock.now_ms += 100_000
                swaps += sum(world.log(key).compacted > 0 for key in world.histories)
        except PowerCut:
            crashed = True
        world.crash(kill=kill)
        recover(world, kill=kill)
    assert swaps, "something was compacted"
    assert call > 40, "the compaction was long enough to mean something"
