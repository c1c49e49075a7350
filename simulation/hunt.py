"""The hunt for planted faults: for each, seeds are run until a law is broken; `docs/simulation.md` tells how many.

fault ─▶ a fresh process ─▶ seed 0, 1, 2 … ─▶ the first that finds something, and what it broke ─▶ a row of the page

The page is written after each fault, and is all that is kept: a hunt that was broken off goes on where the page ends.
"""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import Final, NamedTuple

from simulation import faults

HEAD: Final = """# What the simulator finds

`python -m simulation SEED` runs a whole broker on a virtual clock, network and disk, with clients and troubles drawn
from the seed, and holds what the clients saw to the laws in `simulation/laws/`. To show that the laws have teeth,
faults are planted in the product's own source, one at a time (`simulation/faults.py`), and seeds are run from 0 on
until one finds it. Half of the crashes are aimed (`simulation/aim.py`): they come when some client has just asked for
something, or has just been told of it, whatever that is.

`make simulate-faults` writes this page; `make simulate-faults ARGS=--missing` goes on with one that is not complete.

"""
TABLE: Final = """| planted fault | where | seeds until found | what was found |
| --- | --- | ---: | --- |
"""
FEW: Final = 16
"""So many seeds take some ten seconds."""
_ROW: Final = re.compile(r"^\| ([^|]+) \| `[^|]+` \| (not in )?(\d+) \| ([^|]*) \|$", re.MULTILINE)
_WHEN: Final = re.compile(r"^at \d+ ms: ")


class Catch(NamedTuple):
    """How a fault was found, if it was."""

    fault: str
    is_found: bool
    seeds: int
    """So many were run."""
    finding: str = ""

    def __str__(self) -> str:
        return f"{self.fault}: {f'seed {self.seeds - 1}: {self.finding}' if self.is_found else 'NOT FOUND'}"

    @property
    def row(self) -> str:
        count = self.seeds if self.is_found else f"not in {self.seeds}"
        return f"| {self.fault} | `{faults.FAULTS[self.fault].module}` | {count} | {self.finding.replace('|', '/')} |\n"


def hunt(fault: str, seeds: int, steps: int) -> Catch:
    """The first seed that finds the fault. In a process that has loaded nothing of the product."""
    faults.plant(fault)
    from simulation.run import run  # only now: the fault changes modules as they are loaded

    for seed in range(seeds):
        findings = run(seed, steps=steps).findings
        if findings:
            return Catch(fault, True, seed + 1, _what(findings))
    return Catch(fault, False, seeds)


def _what(findings: Sequence[str]) -> str:
    """The laws that were broken, or the first words of what else went wrong."""
    return ", ".join(dict.fromkeys(_WHEN.sub("", finding).split(":", 1)[0] for finding in findings))


def hunts(names: Sequence[str], *, seeds: int, steps: int, jobs: int) -> Iterator[Catch]:
    """One after another, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=1) as processes:
        yield from processes.map(hunt, names, repeat(seeds), repeat(steps))


def page(catches: Iterable[Catch]) -> str:
    """What `docs/simulation.md` says, in the order in which the faults stand in `faults`."""
    by_fault = {each.fault: each for each in catches}
    known = [by_fault[name] for name in faults.FAULTS if name in by_fault]
    notes = "".join(f"- **{each.fault}**: {note}\n" for each in known if (note := faults.FAULTS[each.fault].note))
    others = "".join(f"- {name}\n" for name in faults.FAULTS if name not in by_fault)
    return (
        HEAD
        + _sum(known)
        + TABLE
        + "".join(each.row for each in known)
        + (notes and f"\n{notes}")
        + (others and f"\nNot hunted for since the simulator has changed:\n\n{others}")
    )


def _sum(catches: Sequence[Catch]) -> str:
    found = sorted(each.seeds for each in catches if each.is_found)
    few = sum(seeds <= FEW for seeds in found)
    missed = sorted({each.seeds for each in catches if not each.is_found})
    most = f"; the others not in {' or '.join(map(str, missed))}" if missed else ""
    return f"Of {len(catches)} faults, {len(found)} were found, {few} of them within {FEW} seeds{most}.\n\n"


def read(text: str) -> list[Catch]:
    """What a page says, of the faults that there still are."""
    rows = (Catch(name, not missed, int(seeds), what) for name, missed, seeds, what in _ROW.findall(text))
    return [each for each in rows if each.fault in faults.FAULTS]
