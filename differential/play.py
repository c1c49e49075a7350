"""Playing cases on a broker, and keeping what Kafka was seen to do.

    recordings/k00_produce.json   {"kafka": version, "seen": [step, …], "cases": {name: indexes into seen}}

Most versions of a key see the same: each step is kept once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.reference import VERSION
from differential.scenario import Case
from differential.stage import Stage, Step

RECORDINGS: Final = Path(__file__).with_name("recordings")
FAILED: Final = "the scenario failed"
"""The label of the last step of a scenario that could not go on."""


class Player:
    """Plays cases on one broker, each on a stage of its own."""

    def __init__(self, port: int, *, settle_s: float = 0.0, first: int = 1) -> None:
        self._port = port
        self._settle_s = settle_s
        self._number = first - 1

    def stage(self) -> Stage:
        """A stage whose names nobody had before."""
        self._number += 1
        return Stage(self._port, self._number, settle_s=self._settle_s)

    def play(self, case: Case) -> list[Step]:
        """What was seen. A scenario that fails halfway has seen that."""
        stage = self.stage()
        try:
            case.play(stage)
        except Exception as failure:  # an answer that a scenario cannot go on with is a difference, not an end
            stage.see(FAILED, f"{type(failure).__name__}: {failure}")
        finally:
            stage.close()
        return plain(stage.steps)


def plain(steps: Sequence[Step]) -> list[Step]:
    """The steps as JSON would give them back."""
    return [(label, seen) for label, seen in json.loads(json.dumps(steps))]


def record(module: str, seen: Mapping[str, Sequence[Step]], folder: Path = RECORDINGS) -> Path:
    """Keep what was seen in each case of a module."""
    lines: dict[str, int] = {}
    cases = [
        f"{json.dumps(case)}:{json.dumps([lines.setdefault(_line(step), len(lines)) for step in steps])}"
        for case, steps in seen.items()
    ]
    content = {"kafka": json.dumps(VERSION), "seen": _lines("[]", lines), "cases": _lines("{}", cases)}
    path = folder / f"{module}.json"
    path.write_text(_lines("{}", [f'"{key}":{value}' for key, value in content.items()]) + "\n")
    return path


def _line(step: Step) -> str:
    return json.dumps(step, separators=(",", ":"), sort_keys=True)


def _lines(brackets: str, items: Iterable[str]) -> str:
    """JSON with a line for each item, so that a change shows where it is."""
    inside = ",\n".join(items)
    return f"{brackets[0]}\n{inside}\n{brackets[1]}"


def recorded(module: str, folder: Path = RECORDINGS) -> dict[str, list[Step]]:
    """What Kafka was seen to do in each case of a module; empty where it was never recorded."""
    path = folder / f"{module}.json"
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text())
    steps: list[Step] = [(label, seen) for label, seen in content["seen"]]
    return {case: [steps[index] for index in indexes] for case, indexes in content["cases"].items()}
