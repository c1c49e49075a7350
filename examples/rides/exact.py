"""The exact answer: what must be in the topics of results, computed from the events by plain loops, and compared.

    events ─▶ expected_of ─┐
                           ├─▶ differences: none, or sentences
    topics ─▶ Results ─────┘

Nothing here knows of partitions, windows that are open, or restarts. What it learns, it learns with the apps' own
functions, but from the events in their order, in one go.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from drave.streams import Windowed
from examples.rides.city import Event
from examples.rides.locations import Latest, newest
from examples.rides.model import MINUTE_MS, Car, Fare, Forecast, Position, Quote, Rate, Request, Riders, Trip
from examples.rides.pricing import Demand, Fares, Riding, learn_demand, learn_fare, quote_for

CLOSING: Final = "closing time"
"""The zone of the events that end the day, so that every window before them is over."""

_SIZE_MS: Final = 15 * MINUTE_MS
_EVERY_MS: Final = 5 * MINUTE_MS
_SHOWN: Final = 3

Window = tuple[str, int]


@dataclass
class Expected:
    """The results, each in the order in which it has to appear for its key."""

    cars: dict[int, list[Car]] = field(default_factory=dict)
    fares: dict[str, list[Fare]] = field(default_factory=dict)
    forecasts: dict[str, list[Forecast]] = field(default_factory=dict)
    riders: dict[Window, tuple[int, int]] = field(default_factory=dict)
    """Riders and requests of each zone and window."""
    rates: dict[Window, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many records each topic must have."""
        forecasts = sum(map(len, self.forecasts.values()))
        return {
            "cars": sum(map(len, self.cars.values())),
            "fares": sum(map(len, self.fares.values())),
            "forecasts": forecasts,
            "quotes": forecasts,
            "riders": sum(requests for _, requests in self.riders.values()),
            "rates": len(self.rates),
        }


def expected_of(events: Iterable[Event]) -> Expected:
    """What the three apps must make of `events`, which are in the order in which they were published."""
    cars: dict[int, list[Car]] = defaultdict(list)
    fares: dict[str, Fares] = {}
    expected = Expected()
    riders: Counter[Window] = Counter()
    requests: Counter[Window] = Counter()
    rates: Counter[Window] = Counter()
    for _, topic, event in events:
        match event:
            case Position():
                known = Latest(cars[event.car][-1]) if cars[event.car] else Latest()
                cars[event.car].append(_present(newest(known, event).car))
            case Trip():
                fares[event.zone] = learn_fare(fares.get(event.zone, Fares()), event)
                expected.fares.setdefault(event.zone, []).append(_present(fares[event.zone].fare))
            case Request():
                for start in _windows(event.at):
                    riders[event.zone, start] += event.riders
                    requests[event.zone, start] += 1
        rates[topic, event.at // MINUTE_MS * MINUTE_MS] += 1  # type: ignore[attr-defined]  # all events have a time
    expected.cars = dict(cars)
    expected.riders = {window: (riders[window], requests[window]) for window in riders}
    expected.rates = dict(rates)
    expected.forecasts = _forecasts(riders)
    return expected


def _windows(at: int) -> range:
    last = at // _EVERY_MS * _EVERY_MS
    return range(last - _SIZE_MS + _EVERY_MS, last + 1, _EVERY_MS)


def _forecasts(riders: Mapping[Window, int]) -> dict[str, list[Forecast]]:
    found: dict[str, list[Forecast]] = {}
    known: dict[str, Demand] = {}
    for zone, start in sorted(riders):
        window = Windowed(zone, start, start + _SIZE_MS, Riding(riders[zone, start]))
        known[zone] = learn_demand(known.get(zone, Demand()), window)
        found.setdefault(zone, []).append(_present(known[zone].forecast))
    return found


def _present(value: Any) -> Any:
    assert value is not None, "a record has been learned from"
    return value


class Results:
    """What was read from the topics of results, by key, in the order of each partition."""

    def __init__(self) -> None:
        self.records: dict[str, list[Any]] = defaultdict(list)

    def add(self, topic: str, value: Any) -> None:
        if getattr(value, "zone", None) != CLOSING and getattr(value, "car", None) != 0:
            self.records[topic].append(value)

    @property
    def counts(self) -> dict[str, int]:
        return {topic: len(found) for topic, found in self.records.items()}

    def by(self, topic: str, key: str) -> dict[Any, list[Any]]:
        found: dict[Any, list[Any]] = {}
        for value in self.records[topic]:
            found.setdefault(getattr(value, key), []).append(value)
        return found


def differences(expected: Expected, results: Results) -> dict[str, list[str]]:
    """For each topic the sentences that say what is wrong with it; none if it is exact."""
    return {
        "cars": _in_order(expected.cars, results.by("cars", "car"), "car"),
        "fares": _in_order(expected.fares, results.by("fares", "zone"), "zone"),
        "forecasts": _in_order(expected.forecasts, results.by("forecasts", "zone"), "zone"),
        "quotes": list(_quotes(expected, results.by("quotes", "zone"))),
        "riders": list(_riders(expected, results.records["riders"])),
        "rates": list(_rates(expected, results.records["rates"])),
    }


def _in_order(expected: Mapping[Any, Sequence[Any]], found: Mapping[Any, Sequence[Any]], what: str) -> list[str]:
    """The same records for each key, to the last bit and in the same order."""
    wrong = []
    for key in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get(key, ()), found.get(key, ())
        if list(wanted) != list(there):
            at = next((i for i, (a, b) in enumerate(zip(wanted, there, strict=False)) if a != b), None)
            where = "" if at is None else f"; number {at + 1} should be {wanted[at]} and is {there[at]}"
            wrong.append(f"{what} {key}: {len(there)} records instead of {len(wanted)}{where}")
    return wrong


def _quotes(expected: Expected, found: Mapping[str, Sequence[Quote]]) -> Iterator[str]:
    """One for each forecast, made of it and of a fare that had been learned; and what was learned stays learned."""
    for zone in sorted(expected.forecasts.keys() | found.keys()):
        forecasts, quotes = expected.forecasts.get(zone, []), found.get(zone, ())
        if len(forecasts) != len(quotes):
            yield f"zone {zone}: {len(quotes)} quotes instead of {len(forecasts)}"
            continue
        fares = [None, *expected.fares.get(zone, [])]
        trips = 0
        for forecast, quote in zip(forecasts, quotes, strict=True):
            if not trips <= quote.trips < len(fares) or quote != quote_for(forecast, fares[quote.trips]):
                yield f"zone {zone}: {quote} follows from no fare that was learned and {forecast}"
            trips = quote.trips


def _riders(expected: Expected, found: Sequence[Riders]) -> Iterator[str]:
    """Each request was counted once: the counts of a window are 1, 2, 3 …, and the last has all riders."""
    windows: dict[Window, list[Riders]] = {}
    for each in found:
        windows.setdefault((each.zone, each.start), []).append(each)
    for window in sorted(expected.riders.keys() | windows.keys()):
        riders, requests = expected.riders.get(window, (0, 0))
        there = windows.get(window, [])
        if [each.requests for each in there] != list(range(1, requests + 1)) or (there and there[-1].riders != riders):
            last = there[-1].riders if there else 0
            counted = f"{last} riders in {len(there)} steps, not {riders} in {requests}"
            yield f"zone {window[0]}, window {window[1]}: {counted}"


def _rates(expected: Expected, found: Sequence[Rate]) -> Iterator[str]:
    counted = Counter((rate.kind, rate.start) for rate in found)
    events = {(rate.kind, rate.start): rate.events for rate in found}
    for window in sorted(expected.rates.keys() | counted.keys()):
        if counted[window] != 1 or events[window] != expected.rates.get(window):
            yield (
                f"{window[0]} in the minute {window[1]}: told {counted[window]} times, at last {events.get(window, 0)} "
                f"instead of {expected.rates.get(window, 0)}"
            )


def told(wrong: Mapping[str, Sequence[str]]) -> list[str]:
    """The first few of each topic."""
    lines = []
    for topic, sentences in wrong.items():
        lines += [f"{topic}: {sentence}" for sentence in sentences[:_SHOWN]]
        if len(sentences) > _SHOWN:
            lines.append(f"{topic}: and {len(sentences) - _SHOWN} more")
    return lines
