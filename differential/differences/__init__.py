"""Where Drave differs on purpose, and why: a module for each area.

Each reason names the cases and the places that it speaks of, as patterns in which `*` is anything. What is found and is
not here is a failure; what is here and is not found is one too.
"""

from __future__ import annotations

from typing import Final

from differential.differences import cluster, groups, queues, records, transactions
from differential.judging import Reason

ON_PURPOSE: Final[tuple[Reason, ...]] = (
    *records.REASONS,
    *transactions.REASONS,
    *groups.REASONS,
    *queues.REASONS,
    *cluster.REASONS,
)
