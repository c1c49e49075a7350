"""The file of budgets, and the judgement of what was counted.

    budgets.json    scenario ─▶ calls, the same everywhere
                             └▶ Python version ─▶ bytecodes, bytes allocated, in cycles, kept

A count may not rise, and may not fall far without being written down: the file says what is true. Bytes may rise by a
little, for the size of an object is another one on another platform.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.budget.counting import Counts

FILE: Final = Path(__file__).with_name("budgets.json")
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
COMMAND: Final = "python -m tests.budget --accept"

RISE: Final = {"bytecodes": 0.0, "bytes allocated": 0.02, "bytes in cycles": 0.02, "bytes kept": 0.02}
"""How much a count may rise before it is a change."""
FALL: Final = 0.03
"""How much it may fall."""
BYTES_LITTLE: Final = 16
"""A difference in bytes that is none."""

Budget = dict[str, Any]
Budgets = dict[str, Budget]


@dataclass(frozen=True, slots=True)
class Difference:
    """One count that is not what the file says."""

    scenario: str
    what: str
    budget: float
    counted: float

    def __str__(self) -> str:
        way = "rose" if self.counted > self.budget else "fell"
        share = f" ({self.counted / self.budget - 1:+.1%})" if self.budget else ""
        return f"{self.scenario}: {self.what} {way} from {self.budget:,g} to {self.counted:,g} a request{share}"


def load() -> Budgets:
    """All budgets."""
    found: Budgets = json.loads(FILE.read_text()) if FILE.exists() else {}
    return found


def save(budgets: Mapping[str, Budget]) -> None:
    """Write the file so that a change of one count is a change of one line."""
    scenarios = []
    for name, budget in budgets.items():
        lines = ",\n".join(f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(budget.items()))
        scenarios.append(f"  {json.dumps(name)}: {{\n{lines}\n  }}")
    FILE.write_text("{\n" + ",\n".join(scenarios) + "\n}\n")


def accept(budgets: Budgets, counted: Mapping[str, Counts]) -> Budgets:
    """The budgets with what was counted, in the column of this Python; scenarios that are no more are left out."""
    return {
        name: budgets.get(name, {}) | {"calls": counts.calls, PYTHON: column(counts)}
        for name, counts in counted.items()
    }


def column(counts: Counts) -> dict[str, float]:
    """What depends on the version of Python."""
    return {
        "bytecodes": counts.bytecodes,
        "bytes allocated": counts.bytes_allocated,
        "bytes in cycles": counts.bytes_in_cycles,
        "bytes kept": counts.bytes_kept,
    }


def has_column(budget: Budget) -> bool:
    """Whether this version of Python has been counted before."""
    return PYTHON in budget


def compare(scenario: str, budget: Budget, counts: Counts) -> Iterator[Difference]:
    """Every count that is not what it should be."""
    for name in sorted(budget["calls"] | counts.calls):
        allowed, called = budget["calls"].get(name, 0.0), counts.calls.get(name, 0.0)
        if allowed != called:
            yield Difference(scenario, f"calls of {name}", allowed, called)
    for name, count in column(counts).items():
        allowed = budget[PYTHON][name]
        little = BYTES_LITTLE if name.startswith("bytes") else 0
        if not allowed * (1 - FALL) - little <= count <= allowed * (1 + RISE[name]) + little:
            yield Difference(scenario, name, allowed, count)
