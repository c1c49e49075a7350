"""What the page shows of the city as a whole.

requests ─▶ riders per zone in windows, growing as they come ─▶ riders
requests, positions, trips ─▶ events of each kind a minute ───▶ rates
"""

from __future__ import annotations

import msgspec

from drave.streams import App, Windowed, agg, count, hopping, tumbling
from examples.rides.model import PARTITIONS, Position, Rate, Request, Riders, Trip


class Asked(msgspec.Struct, frozen=True):
    """What is counted of a zone in a window."""

    riders: int
    requests: int


class Beat(msgspec.Struct, frozen=True):
    """Something of a kind happened."""

    kind: str


app = App("dashboard", idle="30s")

requests = app.topic("requests", Request, key="request", time="at", partitions=PARTITIONS)
positions = app.topic("positions", Position, key="car", time="at", partitions=PARTITIONS)
trips = app.topic("trips", Trip, key="zone", time="at", partitions=PARTITIONS)

zones = (
    requests.group_by("zone")
    .window(hopping("15m", every="5m", grace="2m"))
    .agg(Asked, riders=agg.sum("riders"), requests=count())
)


@app.stream(zones.changes(), to="riders")
def riders_of(zone: Windowed[Asked]) -> Riders:
    return Riders(zone.key, zone.start, zone.end, zone.value.riders, zone.value.requests)


def a_request(_: Request) -> Beat:
    return Beat("requests")


def a_position(_: Position) -> Beat:
    return Beat("positions")


def a_trip(_: Trip) -> Beat:
    return Beat("trips")


beats = requests.map(a_request).merge(positions.map(a_position), trips.map(a_trip), name="beats")


@app.stream(beats.group_by("kind").window(tumbling("1m", grace="2m")).count().final(), to="rates")
def rate_of(kind: Windowed[int]) -> Rate:
    return Rate(kind.key, kind.start, kind.end, kind.value)
