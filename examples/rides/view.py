"""What is known of the city by somebody who reads the results from their beginning; and what of it is news.

    cars, quotes, riders, rates, zones ─▶ View ─▶ news(since=version)

The topics hold everything, so a view that was lost is made again by reading them. Each change has a version; whoever
says which one it has seen is told what came after, and whoever has seen none (0) is told everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from examples.rides.geography import distance
from examples.rides.locations import Nearby
from examples.rides.model import Car, Quote, Rate, Riders, Zone

SHOWN: Final = ("zones", "cars", "quotes", "riders", "rates")
"""The topics that a view is made of."""

RATES_KEPT: Final = 60


@dataclass(frozen=True, slots=True)
class GroupLag:
    """How far an app is behind. `lag` is None while nobody can tell."""

    group: str
    state: str
    lag: int | None


class View:
    """Not safe for several threads: the web server's loop owns it."""

    def __init__(self) -> None:
        self.version = 0
        self.now_ms = 0
        """The city's clock: the latest that a car has said."""
        self.nearby = Nearby()
        self.zones: dict[str, Zone] = {}
        self.quotes: dict[str, Quote] = {}
        self.groups: dict[str, GroupLag] = {}
        self.rates: dict[str, list[Rate]] = {}
        self._windows: dict[str, dict[int, Riders]] = {}
        self._changed: dict[tuple[str, Any], int] = {}

    # -- what comes in

    def see(self, value: object) -> None:
        """A record of one of the topics SHOWN."""
        self._takers[type(value)](self, value)

    def see_groups(self, groups: Mapping[str, GroupLag]) -> None:
        if groups != self.groups:
            self.groups = dict(groups)
            self._note("groups", "")

    def _see_zone(self, zone: Zone) -> None:
        self.zones[zone.zone] = zone
        self._note("zones", zone.zone)

    def _see_car(self, car: Car) -> None:
        self.nearby.see(car)
        self.now_ms = max(self.now_ms, car.at)
        self._note("cars", car.car)

    def _see_quote(self, quote: Quote) -> None:
        self.quotes[quote.zone] = quote
        self._note("quotes", quote.zone)

    def _see_riders(self, riders: Riders) -> None:
        windows = self._windows.setdefault(riders.zone, {})
        windows[riders.start] = riders
        for start in [start for start, window in windows.items() if window.end <= self.now_ms]:
            del windows[start]
        self._note("riders", riders.zone)

    def _see_rate(self, rate: Rate) -> None:
        rates = self.rates.setdefault(rate.kind, [])
        rates.append(rate)
        del rates[:-RATES_KEPT]
        self._note("rates", rate.kind)

    _takers: Final[dict[type, Callable[[Any, Any], None]]] = {
        Zone: _see_zone,
        Car: _see_car,
        Quote: _see_quote,
        Riders: _see_riders,
        Rate: _see_rate,
    }

    def _note(self, kind: str, key: Any) -> None:
        self.version += 1
        self._changed[kind, key] = self.version

    # -- what is asked

    def riders(self, zone: str) -> int:
        """Riders of the last ten to fifteen minutes: the fullest window that is not over."""
        windows = self._windows.get(zone, {}).values()
        return max((window.riders for window in windows if window.end > self.now_ms), default=0)

    def zone_at(self, x: float, y: float) -> Zone | None:
        """The zone whose centre is nearest."""
        return min(self.zones.values(), key=lambda zone: distance((x, y), (zone.x, zone.y)), default=None)

    def news(self, since: int) -> dict[str, Any]:
        """What has changed after version `since`, in few words, for it is sent several times a second."""
        news: dict[str, Any] = {"version": self.version, "now": self.now_ms}
        for (kind, key), version in self._changed.items():
            if version > since:
                news.setdefault(kind, []).append(_WORDS[kind](self, key))
        return news

    def offer(self, x: float, y: float, count: int = 6) -> dict[str, Any]:
        """For a phone at a place: the free cars around it, and what a ride costs."""
        zone = self.zone_at(x, y)
        quote = self.quotes.get(zone.zone) if zone else None
        return {
            "zone": zone and zone.zone,
            "cents": quote and quote.cents,
            "cars": [
                {"car": each.car.car, "x": each.car.x, "y": each.car.y, "miles": round(each.miles, 2)}
                for each in self.nearby.free_around((x, y), count)
            ],
        }


def _zone_words(view: View, name: str) -> list[Any]:
    zone = view.zones[name]
    return [name, zone.x, zone.y, zone.outline]


def _car_words(view: View, number: int) -> list[Any]:
    car = view.nearby.cars[number]
    return [number, car.x, car.y, car.free]


def _quote_words(view: View, zone: str) -> list[Any]:
    quote = view.quotes[zone]
    return [zone, quote.cents, quote.surge, round(quote.expected, 1)]


_WORDS: Final[dict[str, Callable[[View, Any], Any]]] = {
    "zones": _zone_words,
    "cars": _car_words,
    "quotes": _quote_words,
    "riders": lambda view, zone: [zone, view.riders(zone)],
    "rates": lambda view, kind: [kind, [rate.events for rate in view.rates[kind]]],
    "groups": lambda view, _: [asdict(group) for group in view.groups.values()],
}
