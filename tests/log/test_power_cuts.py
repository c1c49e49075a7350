"""Power cuts and kills at any moment: nothing acknowledged is lost, and nothing is there that nobody sent.

`SEEDS=5000 pytest tests/log/test_power_cuts.py` makes a long run of it. A failing seed is its own reproduction:
`run(seed)`.
"""

from __future__ import annotations

import os

import pytest
from tests.log.world import run

SEEDS = int(os.environ.get("SEEDS", "300"))
FIRST = int(os.environ.get("FIRST_SEED", "0"))
CHUNK = 50


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_what_was_acknowledged_survives(first: int) -> None:
    """STORAGE: the high watermark is the end of what is durable; recovery finds no less, and invents nothing."""
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        run(seed)
