"""Real trips: a CSV or JSONL file with pickup, dropoff, pickup_zone, dropoff_zone; passengers, distance and total if
it has them.

Real input has holes: a trip that names no zone cannot be put on a map and is left out; what else is missing is taken to
be ordinary. And it is a sample: where there is less than one trip a minute, all days are replayed as one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, Final

import msgspec

from drave.client.errors import ClientError
from drave.client.recordings import open_recording
from drave.client.times import parse_time_ms
from examples.rides.city import Wish
from examples.rides.geography import zones_from_trips
from examples.rides.model import MINUTE_MS, Zone

_COLUMNS: Final = ("pickup", "dropoff", "pickup_zone", "dropoff_zone")
_MILES_A_MINUTE: Final = 0.2
_HOUR_MS: Final = 60 * MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS
_MORNING_MS: Final = 6 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class RecordedTrips:
    """The trips of a file, in the order of their pickups, and their zones on a map."""

    wishes: list[Wish]
    zones: list[Zone]
    left_out: int
    """Trips that name no zone."""
    days: int = 1
    """How many days were made one."""


def recorded_trips(path: Path, chance: random.Random) -> RecordedTrips:
    """Raises ClientError for a file that cannot be read, or that is none of trips."""
    wishes: list[Wish] = []
    left_out = 0
    for row in open_recording(path, time="pickup").rows():
        trip: dict[str, Any] = msgspec.json.decode(row.value)
        missing = [column for column in _COLUMNS if column not in trip]
        if missing:
            raise ClientError(f"{path} is no file of trips: it has no column {', '.join(missing)}")
        if not (trip["pickup_zone"] and trip["dropoff_zone"]):
            left_out += 1
            continue
        try:
            wishes.append(_wish(row.time_ms or 0, trip))
        except ValueError as error:
            raise ClientError(f"{path}, the trip that began {trip['pickup']}: {error}") from None
    if not wishes:
        raise ClientError(f"{path} has no trips with zones")
    days = 1 + (wishes[-1].at - wishes[0].at) // _DAY_MS
    if len(wishes) * MINUTE_MS < wishes[-1].at - wishes[0].at:
        wishes = _as_one_day(wishes)
    else:
        days = 1
    return RecordedTrips(wishes, zones_from_trips(_mean_miles(wishes), chance), left_out, days)


def _as_one_day(wishes: list[Wish]) -> list[Wish]:
    """Each at its own time of the day, from the first morning on."""
    morning = wishes[0].at // _DAY_MS * _DAY_MS + _MORNING_MS
    return sorted(
        (replace(wish, at=morning + (wish.at - morning) % _DAY_MS) for wish in wishes), key=lambda wish: wish.at
    )


def _wish(pickup_ms: int, trip: dict[str, Any]) -> Wish:
    dropoff_ms = parse_time_ms(str(trip["dropoff"])) if trip["dropoff"] else pickup_ms
    minutes = max(1.0, min(dropoff_ms - pickup_ms, 3 * _HOUR_MS) / MINUTE_MS)
    miles = float(trip.get("distance") or 0) or minutes * _MILES_A_MINUTE
    dollars = float(trip.get("total") or 0) or 3 + 3 * miles
    riders = max(1, int(float(trip.get("passengers") or 1)))
    return Wish(
        pickup_ms, trip["pickup_zone"], trip["dropoff_zone"], riders, round(minutes, 1), miles, round(dollars * 100)
    )


def _mean_miles(wishes: list[Wish]) -> dict[tuple[str, str], float]:
    lengths: dict[tuple[str, str], list[float]] = {}
    for wish in wishes:
        lengths.setdefault((wish.zone, wish.to), []).append(wish.miles or 0.0)
    return {pair: mean(found) for pair, found in lengths.items()}
