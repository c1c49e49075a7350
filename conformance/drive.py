"""The loop of a driver that is written in Python: what it is told, and what it prints."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from conformance.contract import SCENARIOS

DEADLINE_S: Final = 100.0
"""How long anything may take before it counts as not happening."""


class Lacks(Exception):
    """The client has no way to do it; the message says what is missing."""


Scenario = Callable[[], str | None]
"""Does it, and returns what a reader of the table should know. Raises Lacks, or anything where it went wrong."""


def table_of(scenarios: object, special: Mapping[str, Scenario]) -> Mapping[str, Scenario]:
    """Every scenario of the contract: as `special` has it, or else the method that bears its name."""
    return {
        name: special[name] if name in special else getattr(scenarios, name.replace("-", "_")) for name in SCENARIOS
    }


def drive(version: str, scenarios: Mapping[str, Scenario], wanted: Sequence[str]) -> None:
    """Say the client's version, then run what is wanted, one line of JSON each."""
    print(json.dumps({"version": version}), flush=True)
    for name in wanted:
        ok: bool | None
        try:
            ok, detail = True, scenarios[name]() or ""
        except Lacks as lacks:
            ok, detail = None, str(lacks)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            ok, detail = False, f"{type(error).__name__}: {error}"
        print(json.dumps({"scenario": name, "ok": ok, "detail": detail}), flush=True)


def until(holds: Callable[[], bool], what: str) -> None:
    """Ask until it holds. What is asked takes its own time: a poll, a request, a process."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {DEADLINE_S:.0f} s")


def same(got: object, wanted: object, what: str) -> None:
    """Raises AssertionError, which asserts do not under `python -O`."""
    if got != wanted:
        raise AssertionError(f"{what}: {str(got)[:300]} instead of {str(wanted)[:300]}")
