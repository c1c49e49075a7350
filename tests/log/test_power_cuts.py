"""Power cuts and kills at any moment: nothing acknowledged is lost, and nothing is there that nobody sent.

`SEEDS=5000 FIRST_SEED=500 pytest tests/log/test_power_cuts.py` makes a long run of it. A failing seed is its own
reproduction: `run(seed)`.
"""

from __future__ import annotations

import os

import pytest

from drave.log import producer_snapshots
from drave.testing.disk import PowerCut
from tests.log.world import World, recover, run

SEEDS = int(os.environ.get("SEEDS", "500"))
FIRST = int(os.environ.get("FIRST_SEED", "0"))
CHUNK = 50

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_what_was_acknowledged_survives(first: int) -> None:
    """Several lives, each ended somewhere, and recoveries that are interrupted too."""
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        run(seed)


def test_what_was_acknowledged_survives_where_snapshots_of_producers_are_drafted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In slices of one, as of a hundred thousand they are in slices of a thousand."""
    monkeypatch.setattr(producer_snapshots, "SLICE", 1)
    for seed in range(FIRST, FIRST + CHUNK):
        run(seed)


@pytest.mark.parametrize("kill", [False, True], ids=["power cut", "kill"])
@pytest.mark.parametrize("seed", [4, 11])
def test_a_crash_at_every_single_write_sync_and_rename_is_survived(seed: int, kill: bool) -> None:
    """One life, ended in the middle of its first call, its second, its third, …"""
    call = 0
    crashed = True
    while crashed:
        call += 1
        world = World(seed, durability="fsync")
        world.disk.cut_at = call
        crashed = False
        try:
            world.open()
            for _ in range(150):
                world.step()
        except PowerCut:
            crashed = True
        world.crash(kill=kill)
        recover(world, kill=kill)
    assert call > 100, "the life was long enough to mean something"
