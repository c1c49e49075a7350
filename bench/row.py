"""What a row is: lines of the table, and what measures them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bench import bulk

if TYPE_CHECKING:
    from bench.brokers import BrokerProcess
    from bench.meter import Meter

Figures = Mapping[str, float]


class Section(Enum):
    """What lines of the table are about, in their order."""

    SMALL = "small requests"
    TRANSACTIONS = "transactions"
    BULK = "bulk"
    CODECS = "codecs"
    LATENCY = "latency"
    GROUPS = "groups"
    LIFE = "start, recovery, memory"
    COST = "processor time of the broker"


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the table."""

    name: str
    unit: str
    section: Section
    more_is_better: bool
    decimals: int = 0
    pictured: bool = True
    """Whether the picture shows it, too."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a round takes."""

    seconds: float = 1.5
    bulk_bytes: int = 150_000_000
    recovery_bytes: int = 500_000_000

    def records(self, value_bytes: int) -> int:
        """Small records cost the client more, so there are fewer bytes of them."""
        wanted = self.bulk_bytes // value_bytes if value_bytes >= 1000 else self.bulk_bytes // 3 // value_bytes
        return max(bulk.CHUNK, wanted // bulk.CHUNK * bulk.CHUNK)


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement, which may fill several lines."""

    metrics: tuple[Metric, ...]
    measure: Callable[[BrokerProcess, Effort, Meter], Figures]
    alone: bool = False
    """It takes a broker of its own, new and cold, which it may kill."""
    rounds_max: int | None = None
    """So many rounds are enough of what takes long."""
