"""Where rides come from: a city that is made up as it goes, or a file of real trips."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from drave.client.errors import ClientError
from drave.client.recordings import open_recording
from drave.client.times import parse_time_ms

_ZONES: Final = (
    "Vieux-Port", "Le Plateau", "Mile End", "Griffintown", "Rosemont", "Outremont",
    "Verdun", "Hochelaga", "Villeray", "Saint-Henri", "Ahuntsic", "Lachine",
)  # fmt: skip

_RIDES_PER_MINUTE: Final = 15.0
_WAVE_MINUTES: Final = 45.0
_RIDERS: Final = (1, 1, 1, 1, 2, 2, 3, 4)
_MINUTE_MS: Final = 60_000
_UNKNOWN: Final = "unknown"
_TRIP_COLUMNS: Final = ("pickup", "dropoff", "passengers", "pickup_zone", "dropoff_zone")


class Ride(msgspec.Struct, frozen=True, gc=False):
    """What is published, as JSON; its key is the pickup zone. Times are milliseconds since 1970."""

    ride: int
    car: int
    pickup_zone: str
    dropoff_zone: str
    pickup_ms: int
    dropoff_ms: int
    riders: int


class Fleet:
    """Gives each ride the car that has been free for longest; when none is free, a new one."""

    def __init__(self) -> None:
        self._free_at: list[tuple[int, int]] = []
        self.size = 0

    def car_for(self, pickup_ms: int, dropoff_ms: int) -> int:
        if self._free_at and self._free_at[0][0] <= pickup_ms:
            _, car = heapq.heappop(self._free_at)
        else:
            self.size += 1
            car = self.size
        heapq.heappush(self._free_at, (dropoff_ms, car))
        return car


def invented_rides(chance: random.Random, begins_ms: int) -> Iterator[Ride]:
    """A city without end, from that time on. Demand wanders through its zones in waves of the day."""
    fleet = Fleet()
    now_ms = float(begins_ms)
    number = 0
    while True:
        number += 1
        now_ms += chance.expovariate(_RIDES_PER_MINUTE) * _MINUTE_MS
        (origin,) = chance.choices(range(len(_ZONES)), [_demand(zone, now_ms) for zone in range(len(_ZONES))])
        target = (origin + chance.randrange(1, len(_ZONES))) % len(_ZONES)
        minutes = 2 + abs(origin - target) + chance.expovariate(0.5)
        pickup_ms, dropoff_ms = int(now_ms), int(now_ms + minutes * _MINUTE_MS)
        yield Ride(
            number,
            fleet.car_for(pickup_ms, dropoff_ms),
            _ZONES[origin],
            _ZONES[target],
            pickup_ms,
            dropoff_ms,
            chance.choice(_RIDERS),
        )


def _demand(zone: int, now_ms: float) -> float:
    phase = now_ms / (_WAVE_MINUTES * _MINUTE_MS) - zone / len(_ZONES)
    return 0.15 + math.sin(math.pi * phase) ** 8


def recorded_rides(path: Path) -> Iterator[Ride]:
    """The trips of a CSV or JSONL file, in the order of their pickups. Raises ClientError.

    Empty zones become "unknown", for real input has holes. The file names no cars: a fleet takes the rides.
    """
    fleet = Fleet()
    for number, row in enumerate(open_recording(path, time="pickup").rows(), 1):
        trip: dict[str, Any] = msgspec.json.decode(row.value)
        missing = [column for column in _TRIP_COLUMNS if column not in trip]
        if missing:
            raise ClientError(f"{path} is no file of trips: it has no column {', '.join(missing)}")
        pickup_ms = row.time_ms or 0
        try:
            dropoff_ms = parse_time_ms(str(trip["dropoff"])) if trip["dropoff"] else pickup_ms
            riders = int(float(trip["passengers"] or 0))
        except ValueError as error:
            raise ClientError(f"{path}, the trip that began {trip['pickup']}: {error}") from None
        yield Ride(
            number,
            fleet.car_for(pickup_ms, dropoff_ms),
            trip["pickup_zone"] or _UNKNOWN,
            trip["dropoff_zone"] or _UNKNOWN,
            pickup_ms,
            dropoff_ms,
            riders,
        )
