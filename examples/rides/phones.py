"""The phones of riders and drivers: publish what happens in a city, in the city's own time or faster.

`python -m examples.rides.phones` is the city's process; the proof publishes with the same class.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import signal
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

import click
import msgspec

from drave.client.connection import Connection
from drave.client.publishing import Publisher
from drave.client.recordings import Pace
from examples.rides.city import City, Event, invented_wishes
from examples.rides.geography import invented_zones
from examples.rides.model import INPUTS, MINUTE_MS, TOPICS, Zone
from examples.rides.recorded import recorded_trips

CITY_SPEED: Final = 60.0
REPORT_S: Final = 1.0
"""A car says where it is so often, in the audience's time."""

_CARS: Final = 280
_CARS_AT_FIRST: Final = 110
_WISHES_A_MINUTE: Final = 9.0
_WAIT_S: Final = 0.1
_DAYS_AGO: Final = 7

_encode: Final = msgspec.json.Encoder().encode


class Phones:
    """A producer for each of the topics that phones write to. Nothing is sent twice, and nothing out of order."""

    def __init__(self, connection: Connection) -> None:
        with contextlib.ExitStack() as stack:
            self._publishers = {topic: stack.enter_context(Publisher(connection, topic)) for topic in INPUTS}
            self._stack = stack.pop_all()
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]  # what the interpreter hands to one, it hands to the other

    def draw(self, zones: Sequence[Zone]) -> None:
        """Publish the map."""
        for zone in zones:
            self.send("zones", zone, None)

    def publish(self, events: Iterable[Event], *, speed: float) -> None:
        """Each event when it is due, until they end or `stop` is called."""
        pace = Pace(speed)
        began = time.monotonic()
        for event in events:
            due = began + pace.due_s(event.due_ms)
            while (left := due - time.monotonic()) > 0 and not self._stop.is_set():
                self._publishers["positions"].wait(min(left, _WAIT_S))
            if self._stop.is_set():
                return
            self.send(event.topic, event.value, event.due_ms)

    def stop(self) -> None:
        """End `publish`; from any thread, or a signal."""
        self._stop.set()

    def send(
        self, topic: str, value: msgspec.Struct, timestamp_ms: int | None, *, partition: int | None = None
    ) -> None:
        """One record; by default its key decides where it lies."""
        key = str(getattr(value, TOPICS[topic].key)).encode()
        self._publishers[topic].send(key, _encode(value), timestamp_ms=timestamp_ms, partition=partition)


def living_city(seed: int, *, trips_max: int | None = None) -> City:
    """A city of its own, from a morning a week ago: its clock runs ahead, and must not come to the present soon."""
    chance = random.Random(seed)
    zones = invented_zones(random.Random(seed))
    week_ago = datetime.now(UTC) - timedelta(days=_DAYS_AGO)
    begins = round(week_ago.replace(hour=7, minute=30, second=0, microsecond=0).timestamp() * 1000)
    wishes = itertools.islice(invented_wishes(zones, chance, begins, a_minute=_WISHES_A_MINUTE), trips_max)
    return City(zones, wishes, chance, cars=_CARS, report_ms=round(REPORT_S * CITY_SPEED * 1000))


def replayed_city(path: Path, speed: float, *, trips_max: int | None = None) -> tuple[City, str]:
    """The city of a recording, and what to say of it. Raises ClientError."""
    chance = random.Random(1)
    found = recorded_trips(path, chance)
    report_ms = max(MINUTE_MS // 2, round(REPORT_S * speed * 1000))
    wishes = itertools.islice(found.wishes, trips_max)
    words = f"{len(found.wishes):,} trips between {len(found.zones)} zones"
    if found.days > 1:
        words += f"; {found.days} days replayed as one"
    if found.left_out:
        words += f"; {found.left_out} that name no zone are left out"
    return City(found.zones, wishes, chance, cars=_CARS_AT_FIRST, grows=True, report_ms=report_ms), words


@click.command()
@click.option("--bootstrap", default="localhost:9092", show_default=True, metavar="HOST:PORT")
@click.option("--speed", type=float, default=None, help="So many times as fast as life.")
@click.option("--trips", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=None)
@click.option("--seed", type=int, default=3, show_default=True)
def main(bootstrap: str, speed: float | None, trips: Path | None, seed: int) -> None:
    """Publish what happens in a city, until SIGINT or SIGTERM, or the end of the trips."""
    speed = speed or CITY_SPEED
    if trips is None:
        city = living_city(seed)
    else:
        city, words = replayed_city(trips, speed)
        click.echo(f"{trips.name}: {words}")
    with Phones(Connection(bootstrap=bootstrap)) as phones:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: phones.stop())
        phones.draw(list(city.zones.values()))
        phones.publish(city.events(), speed=speed)


if __name__ == "__main__":
    main()
