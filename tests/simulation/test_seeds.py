"""Some seeds of the simulator, short ones of every kind, in which nothing is found. `make torture` runs thousands."""

from __future__ import annotations

import pytest

from simulation.plan import KINDS
from simulation.run import run

SEEDS = 5
STEPS = 12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_nothing_is_found(seed: int, kind: str) -> None:
    """`python -m simulation SEED --steps 12 --kind KIND` repeats it."""
    assert run(seed, steps=STEPS, kind=kind).findings == ()
