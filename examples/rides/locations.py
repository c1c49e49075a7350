"""Where the cars are: the newest place of each, and for a phone the free ones around it.

positions ─▶ the newest by event time, since when it is free or taken, how fast it goes ─▶ cars (compacted)

cars ─▶ Nearby ─▶ "who is near me?"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from drave.streams import App, agg
from examples.rides.geography import Point, distance
from examples.rides.model import MINUTE_MS, PARTITIONS, Car, Position

_HOUR_MS: Final = 60 * MINUTE_MS
_CELL_MILES: Final = 0.5


class Latest(msgspec.Struct, frozen=True):
    """The state of one car; nothing before its first position."""

    car: Car | None = None


def newest(known: Latest, position: Position) -> Latest:
    """A position that comes late, behind a newer one, moves no car."""
    car = known.car
    if car is None:
        return Latest(Car(position.car, position.x, position.y, position.free, position.at, position.at))
    if position.at < car.at:
        return known
    miles = distance((car.x, car.y), (position.x, position.y))
    mph = miles * _HOUR_MS / (position.at - car.at) if position.at > car.at else car.mph
    since = car.since if position.free == car.free else position.at
    return Latest(Car(car.car, position.x, position.y, position.free, position.at, since, round(mph, 1)))


def _as_car(row: Latest) -> Car | None:
    return row.car


app = App("locations")

positions = app.topic("positions", Position, key="car", time="at", partitions=PARTITIONS)
latest = positions.by_key().agg(name="cars", latest=agg.fold(Latest(), newest, result=_as_car))
latest.changes().map(lambda row: row.latest, name="car", type=Car).to("cars")


class Neighbour(NamedTuple):
    """A free car, and how far it is as the crow flies."""

    car: Car
    miles: float


class Nearby:
    """Cars by the square of the map that they are in, so that who is near is found without asking all of them."""

    def __init__(self) -> None:
        self.cars: dict[int, Car] = {}
        self._squares: dict[tuple[int, int], set[int]] = {}

    def see(self, car: Car) -> None:
        """The car has news."""
        known = self.cars.get(car.car)
        if known is not None:
            self._squares[_square(known.x, known.y)].discard(car.car)
        self.cars[car.car] = car
        self._squares.setdefault(_square(car.x, car.y), set()).add(car.car)

    def free_around(self, here: Point, count: int) -> list[Neighbour]:
        """The `count` free cars that are nearest, nearest first; fewer when there are not so many."""
        found: list[Neighbour] = []
        free = sum(car.free for car in self.cars.values())
        for ring in range(_rings(self._squares, here)):
            for number in self._in_ring(here, ring):
                car = self.cars[number]
                if car.free:
                    found.append(Neighbour(car, distance(here, (car.x, car.y))))
            found.sort(key=lambda each: (each.miles, each.car.car))
            if len(found) == free or (len(found) >= count and found[count - 1].miles <= ring * _CELL_MILES):
                break  # whoever is in the next ring is farther away
        return found[:count]

    def _in_ring(self, here: Point, ring: int) -> Iterator[int]:
        x, y = _square(*here)
        for across in range(x - ring, x + ring + 1):
            for down in range(y - ring, y + ring + 1):
                if max(abs(across - x), abs(down - y)) == ring:
                    yield from self._squares.get((across, down), ())


def _square(x: float, y: float) -> tuple[int, int]:
    return int(x // _CELL_MILES), int(y // _CELL_MILES)


def _rings(squares: dict[tuple[int, int], set[int]], here: Point) -> int:
    """How many rings there are around `here` until no car is left."""
    x, y = _square(*here)
    return 1 + max((max(abs(across - x), abs(down - y)) for across, down in squares), default=0)
