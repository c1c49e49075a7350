"""Holds a history to every law.

    History ─▶ Facts ─▶ law, law, law … ─▶ Verdicts: which law, and the events that show it

A law that is not broken says nothing. Of one that is, the first few offences are enough.
"""

from __future__ import annotations

import itertools
from typing import Final

from simulation.history import History
from simulation.laws import groups, letters, progress, records, shares, streams, transactions, watermarks
from simulation.laws.facts import Facts
from simulation.laws.law import LAWS, Law, Verdict

OFFENCES_SHOWN: Final = 3

__all__ = ["LAWS", "Law", "Verdict", "judge"]

_ROOMS: Final = (groups, letters, progress, records, shares, streams, transactions, watermarks)
"""Importing them has filled `LAWS`."""


def judge(history: History) -> list[Verdict]:
    """Every law that was broken, and what shows it."""
    facts = Facts(history)
    return [
        Verdict(law.name, what) for law in LAWS.values() for what in itertools.islice(law.test(facts), OFFENCES_SHOWN)
    ]
