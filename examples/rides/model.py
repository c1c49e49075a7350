"""The events of the service, and the topics that they lie in. Everything is JSON; times are milliseconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

APPS: Final = ("pricing", "locations", "dashboard")
"""The stream apps, and so the consumer groups."""

PARTITIONS: Final = 3
MINUTE_MS: Final = 60_000


class Zone(msgspec.Struct, frozen=True):
    """A part of the city. Places are in miles, from the map's upper left corner."""

    zone: str
    x: float
    y: float
    outline: tuple[tuple[float, float], ...]


class Request(msgspec.Struct, frozen=True):
    """A phone asks for a car."""

    request: str
    zone: str
    to: str
    riders: int
    at: int


class Position(msgspec.Struct, frozen=True):
    """A car says where it is."""

    car: int
    x: float
    y: float
    free: bool
    at: int


class Trip(msgspec.Struct, frozen=True):
    """A ride is over and paid. `zone` is where it began."""

    request: str
    car: int
    zone: str
    to: str
    riders: int
    miles: float
    minutes: float
    cents: int
    at: int


class Forecast(msgspec.Struct, frozen=True):
    """How many riders a zone had in a window, and how many its next one is expected to have."""

    zone: str
    start: int
    end: int
    riders: int
    expected: float
    usual: float
    """The mean of the windows so far, the newest weighing most."""


class Fare(msgspec.Struct, frozen=True):
    """What a short ride from a zone costs, as learned from so many trips."""

    zone: str
    trips: int
    cents: float


class Quote(msgspec.Struct, frozen=True):
    """What a phone in a zone is offered, and what of: the forecast of a window, and the fare after so many trips."""

    zone: str
    at: int
    cents: int
    surge: float
    expected: float
    trips: int


class Car(msgspec.Struct, frozen=True):
    """Where a car was last, and since when it has been free or taken. `mph` is its speed over the last stretch."""

    car: int
    x: float
    y: float
    free: bool
    at: int
    since: int
    mph: float = 0.0


class Riders(msgspec.Struct, frozen=True):
    """Riders of a zone in a window; it grows until the window is over."""

    zone: str
    start: int
    end: int
    riders: int
    requests: int


class Rate(msgspec.Struct, frozen=True):
    """How many events of a kind there were in a window."""

    kind: str
    start: int
    end: int
    events: int


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """How a topic is made. `kind` is what lies in it, `key` the field that it is keyed by."""

    kind: type[msgspec.Struct]
    key: str
    configs: Mapping[str, str] = field(default_factory=lambda: {"retention.ms": "-1"})


_COMPACTED: Final = {"cleanup.policy": "compact"}

INPUTS: Final = {
    "zones": TopicPlan(Zone, "zone", _COMPACTED),
    "requests": TopicPlan(Request, "request"),
    "positions": TopicPlan(Position, "car"),
    "trips": TopicPlan(Trip, "zone"),
}
RESULTS: Final = {
    "forecasts": TopicPlan(Forecast, "zone"),
    "fares": TopicPlan(Fare, "zone"),
    "quotes": TopicPlan(Quote, "zone"),
    "cars": TopicPlan(Car, "car", _COMPACTED),
    "riders": TopicPlan(Riders, "zone"),
    "rates": TopicPlan(Rate, "kind"),
}
TOPICS: Final = INPUTS | RESULTS
