"""The input, and what every engine must make of it: a function of the number of records, and of nothing else.

    columns ─▶ frames      Produce requests, encoded beforehand: loading costs the engines next to no processor time
       └─────▶ expected    each row once, with the right value

Rides of zones with a skew (a few zones have most of them), a millisecond apart in event time with some disorder. Money
is in whole cents, so that every language computes the same.
"""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any, Final, Protocol

import msgspec

from bench import frames

ZONES: Final = 1_000
WINDOW_MS: Final = 10_000
FARE_ABOVE: Final = 1_000
DISORDER_MS: Final = 200
GRACE_MS: Final = 1_000
START_MS: Final = 1_700_000_000_000
CLOSING_ZONE: Final = "closing"
"""A last record, far ahead in time, ends all windows; no engine's result for it is looked at."""
CLOSING_ID: Final = -1

JOBS: Final = ("pass", "map", "count", "join")
RESULTS: Final = {"pass": "fare", "map": "total", "join": "price"}
"""The field of a job's output that is looked at, beside the id."""

_BATCH_RECORDS: Final = 1_000
_NONE: Final = -1
"""The result of a record that has none."""


@dataclass(frozen=True, slots=True)
class Ride:
    id: int
    zone: str
    time: int
    fare: int
    rider: int

    def encoded(self) -> bytes:
        """About 130 bytes."""
        return (
            f'{{"id": {self.id}, "zone": "{self.zone}", "time": {self.time}, "fare": {self.fare}, '
            f'"note": "rider-{self.rider:08d}-of-the-city"}}'
        ).encode()

    @property
    def row(self) -> bytes:
        """The record's key."""
        return self.zone.encode()


def zone_name(number: int) -> str:
    return f"zone-{number:04d}"


def base_of(zone: int) -> int:
    """The row of the table that rides are joined with."""
    return 3 + zone % 17


@dataclass(frozen=True)
class Columns:
    """The rides, by their numbers, without an object for each."""

    zones: array[int]
    times: array[int]
    fares: array[int]
    riders: array[int]

    def __len__(self) -> int:
        return len(self.zones)

    def __iter__(self) -> Iterator[Ride]:
        every = zip(self.zones, self.times, self.fares, self.riders, strict=True)
        for number, (zone, time, fare, rider) in enumerate(every):
            yield Ride(number, zone_name(zone), time, fare, rider)


@cache
def columns(count: int) -> Columns:
    """The same ones each time."""
    chance = random.Random(20_261_123)
    found = Columns(array("h"), array("q"), array("h"), array("i"))
    for number in range(count):
        found.zones.append(min(int(chance.paretovariate(0.9)) - 1, ZONES - 1))
        found.times.append(max(START_MS + number - chance.randrange(DISORDER_MS), START_MS))
        found.fares.append(500 + chance.randrange(4_000))
        found.riders.append(chance.randrange(10**8))
    return found


def closing(count: int) -> Ride:
    """The record behind so many."""
    return after(Ride(CLOSING_ID, CLOSING_ZONE, START_MS + count, 0, 0))


def after(last: Ride) -> Ride:
    """One more, further ahead in time."""
    return replace(last, time=last.time + 100 * WINDOW_MS)


def later(count: int, last: Ride) -> Iterator[Ride]:
    """So many more, whose ids and times go on where a run of `count` has ended."""
    after_ms = after(last).time - START_MS
    for ride in columns(count):
        yield Ride(count + ride.id, ride.zone, ride.time + after_ms, ride.fare, ride.rider)


@cache
def produce_frames(count: int) -> list[bytes]:
    """All records and the closing one, a thousand in each Produce request."""

    def rides() -> Iterator[Ride]:
        yield from columns(count)
        yield closing(count)

    every = rides()
    requests: list[bytes] = []
    while portion := list(islice(every, _BATCH_RECORDS)):
        values = [ride.encoded() for ride in portion]
        batch = frames.batch(*values, timestamp_ms=portion[0].time, keys=[ride.row for ride in portion])
        requests.append(bytes(frames.produce("rides", {0: bytes(batch)})[0]))
    return requests


class Expected(Protocol):
    """What a job's output must hold."""

    outputs: int
    """Rows of the output."""

    def difference(self, values: Iterable[bytes]) -> str | None:
        """What is wrong with an output; None: nothing."""
        ...


def expected(job: str, count: int, *, updates: bool = False) -> Expected:
    """`updates`: the engine tells each change of a window, and the last one counts."""
    return Windows(count, updates=updates) if job == "count" else Rows(job, count)


class Rows:
    """Of each record that has a result exactly one."""

    def __init__(self, job: str, count: int) -> None:
        rides = columns(count)
        if job == "join":
            results = (fare * base_of(zone) for zone, fare in zip(rides.zones, rides.fares, strict=True))
        elif job == "map":
            results = (fare * 2 if fare > FARE_ABOVE else _NONE for fare in rides.fares)
        else:
            results = iter(rides.fares)
        self._results = array("i", results)
        self._row: Any = msgspec.defstruct("Row", [("id", int), ("result", int, msgspec.field(name=RESULTS[job]))])
        self.outputs = len(rides) - self._results.count(_NONE)

    def difference(self, values: Iterable[bytes]) -> str | None:
        decode = msgspec.json.Decoder(self._row).decode
        left = self._results[:]
        found = 0
        for value in values:
            row = decode(value)
            if not 0 <= row.id < len(left):
                continue  # a closing record's
            if left[row.id] != row.result:
                return f"{value!r} is wrong, or came before; right were {found:,}"
            left[row.id] = _NONE
            found += 1
        return None if found == self.outputs else f"{self.outputs - found:,} of {self.outputs:,} are missing"


class _Window(msgspec.Struct):
    zone: str
    start: int
    count: int


class Windows:
    """Of each zone's window exactly one row; from an engine that tells each change the last one counts."""

    def __init__(self, count: int, *, updates: bool) -> None:
        rides = columns(count)
        starts = (time - time % WINDOW_MS for time in rides.times)
        self._counts = Counter(zip(map(zone_name, rides.zones), starts, strict=True))
        self._updates = updates
        self.outputs = count if updates else len(self._counts)

    def difference(self, values: Iterable[bytes]) -> str | None:
        decode = msgspec.json.Decoder(_Window).decode
        found: dict[tuple[str, int], int] = {}
        for value in values:
            row = decode(value)
            if row.zone == CLOSING_ZONE:
                continue
            if not self._updates and (row.zone, row.start) in found:
                return f"{value!r} came twice"
            found[row.zone, row.start] = row.count
        wrong = [key for key, number in self._counts.items() if found.get(key) != number]
        if wrong:
            return f"{len(wrong):,} of {len(self._counts):,} windows are missing or wrong, such as {wrong[0]}"
        return None if len(found) == len(self._counts) else "there are windows of no record"
