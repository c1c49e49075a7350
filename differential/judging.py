"""Differences are held against the reasons for them: one without a reason is a failure, and so is a reason whose
difference is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from differential.compare import Difference

ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One difference on purpose: where it shows, what both answer (ANY where that varies), and why."""

    cases: str
    place: str
    kafka: Any = ANY
    drave: Any = ANY
    why: str
    readme: str | None = None
    """How its row in README's table begins; None where no client can notice."""

    def covers(self, found: Difference) -> bool:
        return (
            fnmatchcase(found.case, self.cases)
            and fnmatchcase(found.place, self.place)
            and (self.kafka == ANY or self.kafka == found.kafka)
            and (self.drave == ANY or self.drave == found.drave)
        )


class Judge:
    """Takes every difference that is found, and tells those with a reason from those without."""

    def __init__(self, reasons: Iterable[Reason]) -> None:
        self.reasons = tuple(reasons)
        self._seen: set[int] = set()
        self._cases: list[str] = []

    def unexplained(self, case: str, found: Iterable[Difference]) -> list[Difference]:
        """What of one case's differences has no reason. Every case is to be shown, the equal ones too."""
        self._cases.append(case)
        return [difference for difference in found if not self._explains(difference)]

    def _explains(self, found: Difference) -> bool:
        number = next((number for number, reason in enumerate(self.reasons) if reason.covers(found)), None)
        if number is not None:
            self._seen.add(number)
        return number is not None

    def gone(self) -> list[Reason]:
        """Reasons whose cases were shown and did not differ."""
        return [
            reason
            for number, reason in enumerate(self.reasons)
            if number not in self._seen and any(fnmatchcase(case, reason.cases) for case in self._cases)
        ]
