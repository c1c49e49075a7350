"""docs/interop.md: what programs that were written for Kafka were seen to do on Drave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from interop.stage import Outcome

if TYPE_CHECKING:
    from interop.plays import Play  # which imports the programs; this imports none

SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Report:
    """One program's outcome, or why there is none."""

    play: Play
    outcome: Outcome | None
    skipped: str = ""

    @property
    def failed(self) -> bool:
        return self.outcome is not None and bool(self.outcome.violations)


def line(report: Report) -> str:
    """For the terminal."""
    if report.outcome is None:
        return f"– {report.play.title}: {report.skipped}"
    facts = "; ".join(report.outcome.facts)
    if not report.failed:
        return f"✓ {report.play.title} {report.outcome.version}: {facts}"
    violations = "".join(f"\n    {each}" for each in report.outcome.violations[:SHOWN_MAX])
    return f"✗ {report.play.title}: {len(report.outcome.violations)} violations; {facts}{violations}"


def full(reports: Sequence[Report]) -> str:
    return ""
