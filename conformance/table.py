"""The table of what clients were seen to do: docs/conformance.md, and its short form for the README.

    ✓    done, and every record looked at
    –    the client has no way to do it, or was not run; the note says why
    ✗    it went wrong; the note says how

The same outcomes always give the same text: nothing in it depends on the day, the machine or the broker's port.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from conformance.contract import CODECS, SCENARIOS, Outcome, Report

SIGNS: Final = {True: "✓", None: "–", False: "✗"}

SHORT: Final = {
    "topics": ("topics",),
    "produce, consume": ("records", "acks", "time"),
    "codecs": CODECS,
    "idempotent": ("idempotent",),
    "groups, offsets": ("group", "rebalance", "groups", "offsets"),
    "cooperative": ("cooperative",),
    "static": ("static",),
    "new groups": ("new-groups",),
    "share groups": ("share-groups",),
    "partitions, configs": ("partitions", "configs"),
    "delete records": ("delete-records",),
    "log dirs": ("log-dirs",),
}
"""The columns of the short form, and the scenarios that each stands for."""

HEAD: Final = """\
# What clients were seen to do

Made by `make conformance`, which runs real clients, unchanged, against `drave serve`, and holds every record they write
and read against what it has to be. What each scenario does stands in `conformance/__init__.py`.

✓ done · – the client has no way to do it, or was not run · ✗ went wrong
"""


class _Notes:
    """Notes in the order of their first use; the same words are the same note."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, words: str) -> str:
        return f"[^{self._numbers.setdefault(words, len(self._numbers) + 1)}]"

    def __str__(self) -> str:
        return "".join(f"[^{number}]: {words}\n" for words, number in self._numbers.items())


def _one_line(words: str) -> str:
    """A note without what differs from run to run: ports and the names of a run."""
    words = re.sub(r"\bc\d+-\d+-", "…-", words)
    words = re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1:…", " ".join(words.split()))
    return words.replace("|", "\\|").replace("<", "&lt;")


def _cell(outcome: Outcome | None, report: Report, notes: _Notes) -> str:
    if outcome is None:
        return "–" + notes.mark(_one_line(f"{report.client}: {report.skipped or 'not asked for'}"))
    return SIGNS[outcome.ok] + (notes.mark(_one_line(outcome.detail)) if outcome.detail else "")


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", "---", *(":-:" for _ in head[2:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def full(reports: Sequence[Report]) -> str:
    """The whole page."""
    notes = _Notes()
    rows = [
        [report.client, report.version or "–", *(_cell(report.outcome(each), report, notes) for each in SCENARIOS)]
        for report in reports
    ]
    return f"{HEAD}\n{_rows(['client', 'version', *SCENARIOS], rows)}\n{notes}"


def short(reports: Sequence[Report]) -> str:
    """One column for several scenarios: ✓ for all, – for none that the client has, else what is missing."""
    rows = [
        [report.client, report.version or "–", *(_sum(report, each) for each in SHORT.values())] for report in reports
    ]
    return _rows(["client", "version", *SHORT], rows)


def _sum(report: Report, scenarios: Sequence[str]) -> str:
    outcomes = [report.outcome(each) for each in scenarios]
    oks = [outcome.ok if outcome else None for outcome in outcomes]
    if False in oks:
        return SIGNS[False]
    missing = [scenario for scenario, ok in zip(scenarios, oks, strict=True) if ok is None]
    if not missing:
        return SIGNS[True]
    return SIGNS[None] if len(missing) == len(scenarios) else f"✓ but for {', '.join(missing)}"
