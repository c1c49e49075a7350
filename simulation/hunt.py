"""The hunt for planted faults: for each, seeds are run until a law is broken; `docs/simulation.md` tells how many.

fault ─▶ a fresh process ─▶ seed 0, 1, 2 … ─▶ the first that finds something, and which law it broke
"""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import Final, NamedTuple

from simulation import faults

HEAD: Final = """# What the simulator finds

`python -m simulation SEED` runs a whole broker on a virtual clock, network and disk, with clients and troubles drawn
from the seed, and holds what the clients saw to the laws in `simulation/laws/`. To show that the laws have teeth,
faults are planted in the product's own source, one at a time (`simulation/faults.py`), and seeds are run from 0 on
until one finds it. `make simulate-faults` writes this page.

| planted fault | where | seeds until found | what was found |
| --- | --- | ---: | --- |
"""


_WHEN: Final = re.compile(r"^at \d+ ms: ")


class Catch(NamedTuple):
    """How a fault was found, if it was."""

    fault: str
    seed: int | None
    finding: str


def hunt(fault: str, seeds: int, steps: int) -> Catch:
    """The first seed that finds the fault. In a process that has loaded nothing of the product."""
    faults.plant(fault)
    from simulation.run import run  # only now: the fault changes modules as they are loaded

    for seed in range(seeds):
        findings = run(seed, steps=steps).findings
        if findings:
            return Catch(fault, seed, _what(findings))
    return Catch(fault, None, "")


def _what(findings: Sequence[str]) -> str:
    """The laws that were broken, or the first words of what else went wrong."""
    return ", ".join(dict.fromkeys(_WHEN.sub("", finding).split(":", 1)[0] for finding in findings))


def hunts(names: Sequence[str], *, seeds: int, steps: int, jobs: int) -> Iterator[Catch]:
    """One after another, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=1) as processes:
        yield from processes.map(hunt, names, repeat(seeds), repeat(steps))


def page(catches: Sequence[Catch], seeds: int) -> str:
    """What `docs/simulation.md` says of a hunt with so many seeds for each fault."""
    rows = [
        f"| {each.fault} | `{faults.FAULTS[each.fault].module}` | "
        f"{f'not in {seeds}' if each.seed is None else each.seed + 1} | {each.finding.replace('|', '/')} |"
        for each in catches
    ]
    return HEAD + "\n".join(rows) + "\n"
