"""Random interleavings of several transactional producers: see `differential/interleaving.py`."""

from __future__ import annotations

from differential.interleaving import drawn, play
from differential.scenario import scenario
from differential.stage import Stage


@scenario(seed=range(40))
def several_producers_in_any_order(stage: Stage, seed: int) -> None:
    play(stage, drawn(seed))
