"""A city: riders wish to go somewhere, the nearest free car takes them, and all their phones tell.

    wish ─▶ request ─▶ a free car comes ─▶ it rides ─▶ trip          each car, now and then ─▶ position

It is a simulation on its own clock, the same for the same seed. Some phones are without a signal for a moment, so a few
events come later than they happened, and out of order, as they do in life.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from examples.rides.geography import Point, distance
from examples.rides.model import MINUTE_MS, Position, Request, Trip, Zone

WITHOUT_SIGNAL_MS: Final = 90_000
"""For how long at most an event is held up."""

_APPROACH_MILES_A_MINUTE: Final = 0.4
_APPROACH_MS: Final = 3 * MINUTE_MS
_LOST_SHARE: Final = 0.02
_STREET_ANGLE: Final = math.radians(-24)
_BLOCK_MILES: Final = 0.16


class Event(NamedTuple):
    """What is published, where, and when."""

    due_ms: int
    topic: str
    value: msgspec.Struct


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody wants to ride, or, where the trip is a recorded one, has ridden. `at` is the pickup."""

    at: int
    zone: str
    to: str
    riders: int
    minutes: float | None = None
    miles: float | None = None
    cents: int | None = None


class Stretch(NamedTuple):
    """A straight way, and when a car is on it."""

    begins: int
    ends: int
    start: Point
    end: Point

    def place(self, now: int) -> Point:
        share = min(1.0, max(0.0, (now - self.begins) / max(1, self.ends - self.begins)))
        return (
            self.start[0] + share * (self.end[0] - self.start[0]),
            self.start[1] + share * (self.end[1] - self.start[1]),
        )


@dataclass(slots=True)
class Cab:
    """A car as the city moves it."""

    number: int
    way: list[Stretch] = field(default_factory=list)
    free: bool = True

    def place(self, now: int) -> Point:
        for stretch in self.way:
            if now < stretch.ends:
                return stretch.place(now)
        return self.way[-1].end

    def drive(self, start: Point, corner: Point, end: Point, begins: int, ends: int) -> None:
        """Along two streets, at an even speed."""
        first, second = distance(start, corner), distance(corner, end)
        turn = begins + round((ends - begins) * first / max(first + second, 1e-9))
        self.way = [Stretch(begins, turn, start, corner), Stretch(turn, ends, corner, end)]


class City:
    """`wishes` come in the order of time. With `grows` a wish that finds no free car brings one; else nobody comes.

    A car says where it is every `report_ms`.
    """

    def __init__(
        self,
        zones: Sequence[Zone],
        wishes: Iterator[Wish],
        chance: random.Random,
        *,
        cars: int,
        grows: bool = False,
        report_ms: int = MINUTE_MS,
    ) -> None:
        self.zones = {zone.zone: zone for zone in zones}
        self.cabs: list[Cab] = []
        self.requests = 0
        self._wishes = wishes
        self._chance = chance
        self._cars = cars
        self._grows = grows
        self._report_ms = report_ms
        self._spread = {zone.zone: _room(zone) for zone in zones}
        self._agenda: list[tuple[int, int, Callable[[int], Iterator[Event]]]] = []
        self._order = itertools.count()
        self._to_come = 0
        """Trips under way, and events without a signal."""

    def events(self) -> Iterator[Event]:
        """Everything that the phones publish, in the order in which it arrives. It ends with the last trip."""
        wish = next(self._wishes, None)
        if wish is None:
            return
        begins = self._asked_at(wish)
        for _ in range(self._cars):
            self._new_cab(self._somewhere(self._chance.choice(list(self.zones))), begins)
        while wish is not None or self._to_come:
            if wish is not None and (not self._agenda or self._asked_at(wish) <= self._agenda[0][0]):
                now, happens = self._asked_at(wish), self._asks(wish)
                wish = next(self._wishes, None)
            else:
                now, _, act = heapq.heappop(self._agenda)
                happens = act(now)
            yield from happens

    # -- what happens

    def _asks(self, wish: Wish) -> Iterator[Event]:
        now = self._asked_at(wish)
        self.requests += 1
        name = f"r{self.requests:06}"
        start, end = self._somewhere(wish.zone), self._somewhere(wish.to)
        yield from self._sends(Event(now, "requests", Request(name, wish.zone, wish.to, wish.riders, now)))
        free = [cab for cab in self.cabs if cab.free]
        if free:
            cab = min(free, key=lambda each: distance(each.place(now), start))
        elif self._grows:
            cab = self._new_cab(self._somewhere(wish.zone), now)
        else:
            return  # they walk
        miles = wish.miles if wish.miles is not None else max(0.3, distance(start, end) * 1.25)
        minutes = wish.minutes if wish.minutes is not None else miles / 0.3 * _traffic(now)
        here = cab.place(now)
        if wish.minutes is not None:
            pickup = wish.at
        else:
            pickup = now + round(distance(here, start) / _APPROACH_MILES_A_MINUTE * MINUTE_MS)
        done = pickup + round(minutes * MINUTE_MS)
        cab.free = False
        cab.drive(here, self._corner(here, start), start, now, pickup)
        fare = wish.cents if wish.cents is not None else self._fare(wish.zone, miles, minutes)
        trip = Trip(name, cab.number, wish.zone, wish.to, wish.riders, round(miles, 2), round(minutes, 1), fare, done)
        self._to_come += 1
        self._at(pickup, lambda at: self._picks_up(cab, start, end, at, done))
        self._at(done, lambda at: self._pays(cab, trip))
        yield from self._tells(cab, now)

    def _picks_up(self, cab: Cab, start: Point, end: Point, now: int, done: int) -> Iterator[Event]:
        cab.drive(start, self._corner(start, end), end, now, done)
        return self._tells(cab, now)

    def _pays(self, cab: Cab, trip: Trip) -> Iterator[Event]:
        cab.free = True
        self._to_come -= 1
        self._at(trip.at + self._chance.randrange(2, 9) * MINUTE_MS, lambda at: self._wanders(cab, at))
        yield Event(trip.at, "trips", trip)
        yield from self._tells(cab, trip.at)

    def _wanders(self, cab: Cab, now: int) -> Iterator[Event]:
        """Whoever waits for long tries it in another street."""
        if cab.free and cab.way[-1].ends <= now:
            here = cab.place(now)
            nearest = sorted(self.zones.values(), key=lambda zone: distance((zone.x, zone.y), here))[:5]
            there = self._somewhere(self._chance.choice(nearest).zone)
            cab.drive(here, self._corner(here, there), there, now, now + round(distance(here, there) / 0.2 * MINUTE_MS))
            self._at(cab.way[-1].ends + self._chance.randrange(3, 12) * MINUTE_MS, lambda at: self._wanders(cab, at))
        return iter(())

    def _reports(self, cab: Cab, now: int) -> Iterator[Event]:
        self._at(now + self._report_ms, lambda at: self._reports(cab, at))
        return self._tells(cab, now)

    # -- how

    def _tells(self, cab: Cab, now: int) -> Iterator[Event]:
        x, y = cab.place(now)
        position = Position(cab.number, round(x, 4), round(y, 4), cab.free, now)
        return self._sends(Event(now, "positions", position))

    def _sends(self, event: Event) -> Iterator[Event]:
        """At once, or when the phone is out of its tunnel."""
        if self._chance.random() >= _LOST_SHARE:
            yield event
            return
        self._to_come += 1
        self._at(event.due_ms + self._chance.randrange(WITHOUT_SIGNAL_MS), lambda at: self._arrives(event, at))

    def _arrives(self, event: Event, now: int) -> Iterator[Event]:
        self._to_come -= 1
        yield event._replace(due_ms=now)

    def _asked_at(self, wish: Wish) -> int:
        return wish.at if wish.minutes is None else wish.at - _APPROACH_MS

    def _at(self, when: int, act: Callable[[int], Iterator[Event]]) -> None:
        heapq.heappush(self._agenda, (when, next(self._order), act))

    def _new_cab(self, place: Point, now: int) -> Cab:
        cab = Cab(len(self.cabs) + 1, [Stretch(now, now, place, place)])
        self.cabs.append(cab)
        self._at(now + self._chance.randrange(self._report_ms), lambda at: self._reports(cab, at))
        self._at(now + self._chance.randrange(10) * MINUTE_MS, lambda at: self._wanders(cab, at))
        return cab

    def _somewhere(self, name: str) -> Point:
        zone, room = self.zones[name], self._spread[name]
        angle, far = self._chance.uniform(0, math.tau), room * math.sqrt(self._chance.random())
        return _at_a_street((zone.x + far * math.cos(angle), zone.y + far * math.sin(angle)))

    def _corner(self, start: Point, end: Point) -> Point:
        """Where a car turns from a street into an avenue, or from an avenue into a street: rather not in the water."""
        (along_start, across_start), (along_end, across_end) = (_turned(each, -_STREET_ANGLE) for each in (start, end))
        corners = (_turned((along_end, across_start), _STREET_ANGLE), _turned((along_start, across_end), _STREET_ANGLE))
        return min(corners, key=lambda corner: min(distance(corner, (zone.x, zone.y)) for zone in self.zones.values()))

    def _fare(self, zone: str, miles: float, minutes: float) -> int:
        habit = 0.85 + 0.3 * (list(self.zones).index(zone) % 5) / 4
        return round((300 + 180 * miles + 40 * minutes) * habit * self._chance.gauss(1.0, 0.05))


def invented_wishes(zones: Sequence[Zone], chance: random.Random, begins: int, *, a_minute: float) -> Iterator[Wish]:
    """Without end. Demand wanders through the zones in waves, and now and then a hall empties."""
    names = [zone.zone for zone in zones]
    now = float(begins)
    while True:
        now += chance.expovariate(a_minute) * MINUTE_MS
        wants = [_demand(number, len(names), now) for number in range(len(names))]
        zone, to = chance.choices(names, wants)[0], chance.choice(names)
        yield Wish(int(now), zone, to, chance.choice((1, 1, 1, 1, 2, 2, 3, 4)))


def _demand(number: int, zones: int, now: float) -> float:
    wave = 0.25 + math.sin(math.pi * (now / (150 * MINUTE_MS) - number / zones)) ** 8
    hall, minute = divmod(now / MINUTE_MS, 45)
    empties = 5.0 if int(hall) * 7 % zones == number and minute < 20 else 0.0
    return wave + empties


def _traffic(now: int) -> float:
    """How much longer everything takes: most at half past eight and at half past five."""
    hour = now / (60 * MINUTE_MS) % 24
    return 1.0 + 0.5 * (math.exp(-((hour - 8.5) ** 2)) + math.exp(-((hour - 17.5) ** 2) / 2))


def _room(zone: Zone) -> float:
    """How far from its centre one is surely in it."""
    centre = (zone.x, zone.y)
    edges = zip(zone.outline, (*zone.outline[1:], *zone.outline[:1]), strict=True)
    return min((_off_line(centre, a, b) for a, b in edges), default=0.1) * 0.95


def _off_line(point: Point, a: Point, b: Point) -> float:
    area = abs((b[0] - a[0]) * (a[1] - point[1]) - (a[0] - point[0]) * (b[1] - a[1]))
    return area / max(distance(a, b), 1e-9)


def _turned(point: Point, angle: float) -> Point:
    cos, sin = math.cos(angle), math.sin(angle)
    return point[0] * cos - point[1] * sin, point[0] * sin + point[1] * cos


def _at_a_street(point: Point) -> Point:
    """The nearest crossing of the street grid."""
    along, across = _turned(point, -_STREET_ANGLE)
    along, across = round(along / _BLOCK_MILES) * _BLOCK_MILES, round(across / _BLOCK_MILES) * _BLOCK_MILES
    return _turned((along, across), _STREET_ANGLE)
