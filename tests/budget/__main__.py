"""`python -m tests.budget`: count, and say how it compares; `--accept` writes the counts down as the budgets.

The counting happens in a process of its own whose hashes are not random, so that it is the same each time, whoever
asks: this command, or the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.budget import ledger
from tests.budget.counting import Counts, count
from tests.budget.scenarios import SCENARIOS, WARM_UPS

ROOT: Final = Path(__file__).parents[2]


def count_here() -> dict[str, Counts]:
    """Take every scenario's steps, in this process."""
    counted = {}
    for name, prepare in SCENARIOS.items():
        scene = prepare()
        for _ in range(min(WARM_UPS, 2 * scene.steps)):
            scene.step()
        counted[name] = count(scene.step, steps=scene.steps)
        scene.check()
    return counted


def count_apart() -> dict[str, Counts]:
    """Do that in a process of its own."""
    command = [sys.executable, "-m", "tests.budget", "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the counting failed:\n{done.stderr}")
    return {name: Counts(**counts) for name, counts in json.loads(done.stdout).items()}


def show(counted: dict[str, Counts]) -> None:
    """A table of what one request costs."""
    width = max(map(len, counted))
    print(f"{'':{width}}  bytecodes  allocated  in cycles  kept  calls")
    for name, counts in counted.items():
        calls = ", ".join(f"{called} {times:g}" for called, times in counts.calls.items())
        figures = f"{counts.bytecodes:9,.1f}  {counts.bytes_allocated:9,.0f}  {counts.bytes_in_cycles:9,.0f}"
        print(f"{name:{width}}  {figures}  {counts.bytes_kept:4,.0f}  {calls}")


def main(arguments: list[str]) -> int:
    if arguments == ["--json"]:
        print(json.dumps({name: asdict(counts) for name, counts in count_here().items()}))
        return 0
    if arguments not in ([], ["--accept"]):
        print(__doc__, file=sys.stderr)
        return 2
    counted = count_apart()
    budgets = ledger.load()
    show(counted)
    for name, counts in counted.items():
        if ledger.has_column(budgets.get(name, {})):
            for difference in ledger.compare(name, budgets[name], counts):
                print(difference)
    if arguments:
        ledger.save(ledger.accept(budgets, counted))
        print(f"written to {ledger.FILE.relative_to(ROOT)}, Python {ledger.PYTHON}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
