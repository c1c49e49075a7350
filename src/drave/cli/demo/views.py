"""What each group makes of the rides. A view is fed by its group's thread and looked at by the screen's."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from typing import Final

from drave.cli.demo.city import Ride

_HALF_LIFE_MS: Final = 60 * 60_000
_DEMAND_MIN: Final = 0.25
_BASE_PRICE: Final = 2.5
_SURGE_MIN, _SURGE_MAX = 0.8, 3.0

Row = tuple[str, float, str]
"""A name, a share of the widest bar from 0 to 1, and what to write beside it."""


class View(ABC):
    """One group's work. `rides` counts every record that the group was given."""

    name: str
    title: str
    wide_label = False
    """Whether a row's label needs the room, rather than its name."""

    def __init__(self) -> None:
        self.rides = 0

    def see(self, ride: Ride) -> None:
        self.rides += 1
        self.take(ride)

    @abstractmethod
    def take(self, ride: Ride) -> None: ...

    @abstractmethod
    def rows(self, count: int) -> list[Row]:
        """The most telling `count` lines as they are now."""


class Prices(View):
    """Demand per zone fades with a half-life of an hour; a ride costs more where it is above the mean of the zones
    that anybody asks for now."""

    name = "prices"
    title = "by demand"

    def __init__(self) -> None:
        super().__init__()
        self._demand: dict[str, tuple[float, int]] = {}
        self._now_ms = 0

    def take(self, ride: Ride) -> None:
        self._now_ms = max(self._now_ms, ride.pickup_ms)
        self._demand[ride.pickup_zone] = self._faded(ride.pickup_zone) + 1, self._now_ms

    def _faded(self, zone: str) -> float:
        demand, at_ms = self._demand.get(zone, (0.0, self._now_ms))
        return demand * math.exp2((at_ms - self._now_ms) / _HALF_LIFE_MS)

    def rows(self, count: int) -> list[Row]:
        demands = {zone: self._faded(zone) for zone in list(self._demand)}
        asked_for = [demand for demand in demands.values() if demand > _DEMAND_MIN]
        mean = sum(asked_for) / len(asked_for) if asked_for else 1.0
        prices = {
            zone: _BASE_PRICE * min(_SURGE_MAX, max(_SURGE_MIN, demand / mean)) for zone, demand in demands.items()
        }
        top = sorted(prices.items(), key=lambda item: (-item[1], item[0]))[:count]
        return [(zone, price / (_BASE_PRICE * _SURGE_MAX), f"${price:.2f}") for zone, price in top]


class Cars(View):
    """Where each car is, or is going."""

    name = "cars"
    title = "where they are"
    wide_label = True

    def __init__(self) -> None:
        super().__init__()
        self._latest: dict[int, Ride] = {}
        self._now_ms = 0

    def take(self, ride: Ride) -> None:
        self._now_ms = max(self._now_ms, ride.pickup_ms)
        known = self._latest.pop(ride.car, None)  # so that the cars that moved last stand last
        self._latest[ride.car] = ride if known is None or known.pickup_ms <= ride.pickup_ms else known

    def rows(self, count: int) -> list[Row]:
        cars = list(self._latest.values())
        return [(f"car {ride.car}", self._progress(ride), self._where(ride)) for ride in reversed(cars[-count:])]

    def _progress(self, ride: Ride) -> float:
        length_ms = max(1, ride.dropoff_ms - ride.pickup_ms)
        return min(1.0, (self._now_ms - ride.pickup_ms) / length_ms)

    def _where(self, ride: Ride) -> str:
        there = ride.dropoff_ms <= self._now_ms
        return f"in {ride.dropoff_zone}" if there else f"to {ride.dropoff_zone}"


class Riders(View):
    """How many people rode from each zone."""

    name = "riders"
    title = "per zone"

    def __init__(self) -> None:
        super().__init__()
        self._riders: Counter[str] = Counter()

    def take(self, ride: Ride) -> None:
        self._riders[ride.pickup_zone] += ride.riders

    def rows(self, count: int) -> list[Row]:
        top = self._riders.most_common(count)
        most = max((riders for _, riders in top), default=0) or 1
        return [(zone, riders / most, f"{riders:,}") for zone, riders in top]


def all_views() -> tuple[View, ...]:
    return Prices(), Cars(), Riders()
