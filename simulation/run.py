"""One run: a seed's world with its clients, and what is wrong with it.

    seed, steps, kind ─▶ World ─▶ Workload ─▶ history ─▶ judged ─▶ Report

A fault that was planted changes modules as they are loaded, so it is planted before anything of the broker is: see
`faults`.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import IO, Final
from unittest.mock import patch

from drave.broker.coordinator import partition as coordinator
from simulation.checker import judge
from simulation.workload import Workload
from simulation.world import World

STEPS: Final = 40
STEP_MS: Final = 250
"""For so long there is trouble, for each step that a client is going to take."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a run."""

    seed: int
    steps: int
    kind: str
    digest: str
    """Two runs with one digest are the same run."""
    events: int
    lives: int
    virtual_s: float
    findings: tuple[str, ...]


def run(seed: int, *, steps: int = STEPS, kind: str | None = None, out: IO[str] | None = None) -> Report:
    """Run a seed. Its cycles of objects are left lying meanwhile: when they are collected must not matter."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return _run(seed, steps, kind, out)
    finally:
        if enabled:
            gc.enable()


def _run(seed: int, steps: int, kind: str | None, out: IO[str] | None) -> Report:
    world = World(seed, steps=steps, kind=kind, out=out)
    world.spawn(Workload(world).live(), "workload")
    rewriting = world.plan.rewriting
    with patch.multiple(
        coordinator,
        COMPACT_BYTES_MIN=rewriting.bytes_min,
        COMPACT_RATIO=rewriting.ratio,
        CHUNK_RECORDS=rewriting.chunk_records,
    ):
        world.run(trouble_ms=steps * STEP_MS)
    findings = list(world.findings)
    if not findings:
        findings += [str(each) for each in judge(world.history)]
    return Report(
        seed=seed,
        steps=steps,
        kind=world.plan.kind,
        digest=world.trace.digest,
        events=world.timeline.events,
        lives=len(world.machine.lives),
        virtual_s=world.now_ms() / 1000,
        findings=tuple(findings),
    )
