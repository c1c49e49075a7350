"""What every driver does, writes and prints.

    topic       {name}-{scenario}, three partitions, retention.ms=-1 (the records are from 2023)
    partition   record 0, 1, … 99, each a function of the topic, the partition and its number

    number    0       1       2       3       4       5       6       7       …   99, in `records`
    key       null    k1      k2      k3      k4      null    k6      k0          k1
    value     t/p/0   t/p/1…  t/p/2…  t/p/3…  empty   t/p/5…  t/p/6…  null        t/p/99 and 900,000 dots
    headers   two                     two                     two                 two

A driver in another language repeats these lines, and the witness holds it to them.

What the workers of `share-groups` say to a record, by the last digit of its number:

    1   release it; it comes once more, as its second delivery, and is accepted
    2   reject it
    3   renew it, where the client can, then accept it
        accept any other
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

SCENARIOS: Final = (
    "topics",
    "records",
    "gzip",
    "snappy",
    "lz4",
    "zstd",
    "acks",
    "idempotent",
    "time",
    "group",
    "rebalance",
    "cooperative",
    "static",
    "new-groups",
    "share-groups",
    "groups",
    "offsets",
    "partitions",
    "configs",
    "delete-records",
    "log-dirs",
)
"""In the order of the table's columns."""

CODECS: Final = ("gzip", "snappy", "lz4", "zstd")
PARTITIONS: Final = 3
RECORDS: Final = 100
"""In each partition."""
HALF: Final = 50
"""Where a group is interrupted."""
CUT: Final = 40
"""Where records are deleted before."""
FIRST_TIMESTAMP: Final = 1_700_000_000_000
STEP_MS: Final = 1_000
LARGE_BYTES: Final = 900_000

Headers = tuple[tuple[str, bytes], ...]


class Written(NamedTuple):
    """One record of the contract."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int


def key(number: int) -> bytes | None:
    return None if number % 5 == 0 else b"k%d" % (number % 7)


def value(topic: str, partition: int, number: int, *, large: bool = False) -> bytes | None:
    """`large` makes the last one of a partition so."""
    if number % 10 == 7:
        return None
    if number % 10 == 4:
        return b""
    dots = LARGE_BYTES if large and number == RECORDS - 1 else number * 37 % 400
    return f"{topic}/{partition}/{number}".encode() + b"." * dots


def headers(number: int) -> Headers:
    return (("number", b"%d" % number), ("empty", b"")) if number % 3 == 0 else ()


def record(topic: str, partition: int, number: int, *, large: bool = False) -> Written:
    """One record as the contract has it."""
    return Written(
        key(number),
        value(topic, partition, number, large=large),
        headers(number),
        FIRST_TIMESTAMP + number * STEP_MS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What of that a client can write. Command-line tools cannot write all of it."""

    partitions: int = PARTITIONS
    nulls: bool = True
    """Null and empty keys and values; without them a key is `k` and a number, a value never null or empty."""
    headers: bool = True
    timestamps: bool = True
    otherwise: frozenset[str] = frozenset()
    """Scenarios that write other records than those of the contract, and look at them themselves."""

    def record(self, topic: str, partition: int, number: int, *, large: bool = False) -> Written:
        """The record of the contract that comes nearest."""
        whole = record(topic, partition, number, large=large)
        return Written(
            whole.key if self.nulls else b"k%d" % (number % 7),
            whole.value if self.nulls else whole.value or f"{topic}/{partition}/{number}".encode(),
            whole.headers if self.headers else (),
            whole.timestamp if self.timestamps else -1,
        )

    def records(
        self, topic: str, partition: int, *, start: int = 0, end: int = RECORDS, large: bool = False
    ) -> list[Written]:
        """A run of them."""
        return [self.record(topic, partition, number, large=large) for number in range(start, end)]


class Outcome(NamedTuple):
    """What became of one scenario."""

    scenario: str
    ok: bool | None
    """None where the client has no way to do it."""
    detail: str = ""


class Report(NamedTuple):
    """All that is known of one client."""

    client: str
    version: str
    outcomes: tuple[Outcome, ...]
    skipped: str = ""
    """Why it could not be run at all."""
    broken: bool = False
    """It should have been possible to run it."""

    @property
    def failed(self) -> bool:
        """Whether something that should work does not."""
        return self.broken or any(outcome.ok is False for outcome in self.outcomes)

    def outcome(self, scenario: str) -> Outcome | None:
        """What became of a scenario; None where it was not asked for."""
        return next((outcome for outcome in self.outcomes if outcome.scenario == scenario), None)


class NotTheContract(Exception):
    """A driver printed what no driver may."""


def parse(line: str) -> Outcome:
    """One line of a driver. Raises NotTheContract."""
    try:
        said = json.loads(line)
        outcome = Outcome(said["scenario"], said["ok"], said.get("detail", ""))
    except (ValueError, KeyError, TypeError) as error:
        raise NotTheContract(f"{line[:200]!r} is no outcome") from error
    if outcome.scenario not in SCENARIOS or outcome.ok not in (True, False, None):
        raise NotTheContract(f"{line[:200]!r} is no outcome")
    if outcome.ok is not True and not outcome.detail:
        raise NotTheContract(f"{outcome.scenario}: no reason given")
    return outcome


def outcomes(lines: Iterator[str]) -> Iterator[Outcome]:
    """The outcomes among the lines of a driver; others are what its client had to say."""
    for line in lines:
        if line.startswith("{"):
            yield parse(line)
