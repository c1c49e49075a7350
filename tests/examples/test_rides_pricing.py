"""The pricing app: what it learns, when it quotes, and that nothing is learned twice."""

from __future__ import annotations

import itertools
import random

import pytest

pytest.importorskip("river", reason="examples/rides needs its own libraries: make demo brings them")

from drave.streams import Windowed
from drave.streams.testing import TestDriver
from examples.rides.model import MINUTE_MS, Fare, Forecast, Request, Trip
from examples.rides.pricing import Demand, Fares, Riding, app, learn_demand, learn_fare, quote_for, requests, trips

NAMES = (f"r{number}" for number in itertools.count())


def asked(zone: str, minute: float, riders: int = 1) -> Request:
    return Request(next(NAMES), zone, "elsewhere", riders, round(minute * MINUTE_MS))


def paid(zone: str, minute: float, miles: float = 2.0, cents: int = 900) -> Trip:
    return Trip(next(NAMES), 1, zone, "elsewhere", 1, miles, 4.5 * miles, cents, round(minute * MINUTE_MS))


def it_is(t: TestDriver, minute: float) -> None:
    """Something happens everywhere else, so that every partition knows how late it is."""
    t.send(requests, *(asked(f"zone {number}", minute) for number in range(30)))
    t.send(trips, *(paid(f"zone {number}", minute) for number in range(30)))


def window(minute: int, riders: int) -> Windowed[Riding]:
    return Windowed("soho", minute * MINUTE_MS, (minute + 15) * MINUTE_MS, Riding(riders))


def learned(*counts: int, every: int = 5) -> Demand:
    known = Demand()
    for number, riders in enumerate(counts):
        known = learn_demand(known, window(number * every, riders))
    return known


def test_a_zone_is_quoted_when_a_window_is_over_and_not_before():
    with app.test() as t:
        t.send(requests, asked("soho", 1), asked("soho", 14))
        it_is(t, 16.9)
        assert t.read("quotes") == []
        it_is(t, 17)
        quotes = t.read("quotes")
        assert {(quote.zone, quote.at // MINUTE_MS) for quote in quotes} == {("soho", 15)}


def test_a_request_that_comes_late_within_two_minutes_still_counts():
    with app.test() as t:
        t.send(requests, asked("soho", 10), asked("soho", 16.5), asked("soho", 14.9, riders=3))
        it_is(t, 60)
        riders = {(each.zone, each.start // MINUTE_MS): each.riders for each in t.read("forecasts")}
        assert riders["soho", 0] == 4


def test_more_riders_than_usual_make_it_dearer_and_fewer_cheaper():
    fare = Fare("soho", 40, 1000.0)
    busy = quote_for(Forecast("soho", 0, 1, 30, expected=30.0, usual=10.0), fare)
    calm = quote_for(Forecast("soho", 0, 1, 2, expected=8.0, usual=10.0), fare)
    dead = quote_for(Forecast("soho", 0, 1, 0, expected=0.0, usual=99.0), fare)
    assert busy.cents > 1000 > calm.cents > dead.cents
    assert (busy.surge, dead.surge) == (2.43, 0.8)


def test_a_steady_zone_costs_what_its_trips_cost():
    known = learned(*[12] * 40)
    assert known.forecast is not None
    assert known.forecast.expected == pytest.approx(12, abs=0.5)
    assert quote_for(known.forecast, Fare("soho", 9, 1100.0)).cents == pytest.approx(1100, rel=0.05)


def test_a_demand_that_rises_and_falls_is_learned():
    """A rise is followed by half a rise: the model's error falls below that of repeating the last count."""
    chance = random.Random(1)
    counts, rise = [20.0], 0.0
    for _ in range(400):
        rise = 0.6 * rise + chance.gauss(0, 4) + 0.2 * (20 - counts[-1])
        counts.append(max(0.0, counts[-1] + rise))
    known, errors, naive = Demand(), 0.0, 0.0
    for number, riders in enumerate(map(round, counts)):
        if number > 100 and known.forecast is not None:
            errors += abs(known.forecast.expected - riders)
            naive += abs(known.riders - riders)
        known = learn_demand(known, window(number * 5, riders))
    assert errors < naive * 0.95


def test_windows_without_riders_are_learned_as_empty():
    """A zone has no window where nobody asked; skipping them would make a quiet zone look busy."""
    with_gaps = learn_demand(learned(9, 9, 9), window(30, 9))
    told = learned(9, 9, 9, 0, 0, 0, 9)
    assert with_gaps.forecast == told.forecast


def test_the_fare_of_a_short_ride_is_learned_from_few_trips():
    known = Fares()
    for miles in (1.0, 5.0, 3.0, 2.5, 8.0, 0.5):
        known = learn_fare(known, paid("soho", 1, miles=miles, cents=round(300 + 250 * miles)))
    assert known.fare is not None
    assert known.trips == 6
    assert known.fare.cents == pytest.approx(800, rel=0.1)


def test_learning_goes_on_from_bytes_as_if_it_had_never_stopped():
    """The state is the model: what was learned from it is a value, and the value before stays what it was."""
    before = learned(3, 8, 5, 9)
    once, again = (learn_demand(before, window(20, 7)) for _ in range(2))
    assert once.forecast == again.forecast


@pytest.mark.parametrize("lost", [False, True], ids=["with its state", "with its state lost"])
def test_a_crash_changes_no_forecast_no_fare_and_no_price(lost: bool):
    day = [(asked("soho", minute / 3), paid("soho", minute / 3)) for minute in range(120)]

    def results(crash_at: int | None) -> list[object]:
        with app.test(partitions=2) as t:
            for number, (request, trip) in enumerate(day):
                t.publish(requests, request)
                t.publish(trips, trip)
                if number % 7 == 0:
                    t.run()
                if number == crash_at:
                    t.crash()
                    if lost:
                        t.lose_state()
                    t.recover()
            t.run()
            return [t.read("forecasts"), t.read("fares"), t.read("quotes")]

    undisturbed = results(None)
    assert all(undisturbed)
    assert results(65) == undisturbed
