"""What the tests of streams send: rides, and an app that reads them."""

from __future__ import annotations

from typing import Any

import msgspec

from drave.streams import App, Stream, Windowed


class Ride(msgspec.Struct):
    id: str
    zone: str
    fare: int
    time: int


class Zone(msgspec.Struct):
    id: str
    base: int


def ride(time: int, zone: str = "soho", fare: int = 1, id: str | None = None) -> Ride:  # noqa: A002
    return Ride(id or f"r{time}", zone, fare, time)


def rides_app(**settings: Any) -> tuple[App, Stream[Ride]]:
    """An app, and its topic of rides, which is keyed by the zone."""
    app = App("app", **settings)
    return app, app.topic("rides", Ride, key="zone", time="time")


def span(result: Windowed[Any]) -> tuple[int, int, Any]:
    return result.start, result.end, result.value
