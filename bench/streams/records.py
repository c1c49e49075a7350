"""The input, and what every engine must make of it: a function of the number of records, and of nothing else.

Rides of zones with a skew (a few zones have most of them), a millisecond apart in event time with some disorder. Money
is in whole cents, so that every language computes the same.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

ZONES: Final = 1_000
WINDOW_MS: Final = 10_000
FARE_ABOVE: Final = 1_000
DISORDER_MS: Final = 200
GRACE_MS: Final = 1_000
START_MS: Final = 1_700_000_000_000
CLOSING_ZONE: Final = "closing"
"""A last record, far ahead in time, ends all windows; no engine's result for it is looked at."""

JOBS: Final = ("pass", "map", "count", "join")
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Ride:
    id: int
    zone: str
    time: int
    fare: int
    note: str

    def encoded(self) -> bytes:
        return json.dumps(
            {"id": self.id, "zone": self.zone, "time": self.time, "fare": self.fare, "note": self.note}
        ).encode()


def zone_name(number: int) -> str:
    return f"zone-{number:04d}"


def base_of(zone: str) -> int:
    """The row of the table that rides are joined with."""
    return 3 + int(zone[-4:]) % 17


def rides(count: int) -> Iterator[Ride]:
    """The same ones each time, about 130 bytes each."""
    chance = random.Random(20_261_123)
    for number in range(count):
        zone = zone_name(min(int(chance.paretovariate(0.9)) - 1, ZONES - 1))
        time = START_MS + number - chance.randrange(DISORDER_MS)
        fare = 500 + chance.randrange(4_000)
        yield Ride(number, zone, max(time, START_MS), fare, f"rider-{chance.randrange(10**8):08d}-of-the-city")


@cache
def encoded(count: int) -> list[tuple[bytes, bytes, int]]:
    """Key, value and timestamp of all records, made beforehand."""
    everything = [*rides(count), closing(count)]
    return [(ride.zone.encode(), ride.encoded(), ride.time) for ride in everything]


def closing(count: int) -> Ride:
    return Ride(-1, CLOSING_ZONE, START_MS + count + 100 * WINDOW_MS, 0, "")


def reference(job: str, count: int) -> Counter[Row]:
    """What the output must hold, each row as often as it must."""
    if job == "count":
        windows: Counter[tuple[str, int]] = Counter()
        for ride in rides(count):
            windows[ride.zone, ride.time - ride.time % WINDOW_MS] += 1
        return Counter({(zone, start, number): 1 for (zone, start), number in windows.items()})
    if job == "map":
        return Counter((ride.id, ride.fare * 2) for ride in rides(count) if ride.fare > FARE_ABOVE)
    if job == "join":
        return Counter((ride.id, ride.fare * base_of(ride.zone)) for ride in rides(count))
    return Counter((ride.id, ride.fare) for ride in rides(count))


def read(job: str, values: Iterable[bytes]) -> Counter[Row]:
    """What an output holds. Of a window's results the last one counts: some engines tell each change."""
    found: Counter[Row] = Counter()
    windows: dict[tuple[str, int], int] = {}
    for data in values:
        value = json.loads(data)
        if job == "count":
            windows[value["zone"], value["start"]] = value["count"]
        elif job == "map":
            found[value["id"], value["total"]] += 1
        elif job == "join":
            found[value["id"], value["price"]] += 1
        else:
            found[value["id"], value["fare"]] += 1
    found.update((zone, start, number) for (zone, start), number in windows.items() if zone != CLOSING_ZONE)
    return Counter({row: times for row, times in found.items() if row[0] != -1})
