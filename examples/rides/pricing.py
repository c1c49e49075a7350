"""What a ride will cost: two things learned with river, one record at a time, and a quote made of both.

    requests ─▶ riders per zone and window ─▶ forecasts: how many the next window will have ─┐
    trips ────▶ fares: what a short ride from the zone costs ────────────────────────────────┴─▶ quotes

A model is state like any other: a fold whose state holds it as bytes. So it is restored, moves with its partition, and
has learned from each record once, whatever crashes; after the same records it is the same model to the last bit.
"""

from __future__ import annotations

import pickle
from typing import Any, Final

import msgspec
from river.linear_model import BayesianLinearRegression, LinearRegression
from river.optim import SGD
from river.preprocessing import StandardScaler
from river.stats import EWMean

from drave.streams import App, Windowed, agg, hopping
from examples.rides.model import MINUTE_MS, PARTITIONS, Fare, Forecast, Quote, Request, Trip

EVERY_MS: Final = 5 * MINUTE_MS
SHORT_RIDE: Final = {"base": 1.0, "miles": 2.0, "minutes": 9.0}

_GAP_MAX: Final = 12
_CUT_OFF: Final = 2
"""Windows at the beginning that most of the first riders came too late for."""
_SURGE_MIN, _SURGE_MAX = 0.8, 2.5
_FIRST_GUESS_CENTS: Final = 900.0
_RAMP: Final = 4.0
"""Riders that are added to what is expected and what is usual, so that one rider in a quiet zone is no crowd."""


class Demand(msgspec.Struct, frozen=True):
    """Of a zone: the model as it is, and what it was told last. `model` is a pickle that only this app writes."""

    model: bytes = b""
    windows: int = 0
    end: int = 0
    riders: int = 0
    before: int = 0
    forecast: Forecast | None = None


class Fares(msgspec.Struct, frozen=True):
    """Of a zone: the model as it is, and what it says."""

    model: bytes = b""
    trips: int = 0
    fare: Fare | None = None


class Riding(msgspec.Struct, frozen=True):
    """What is counted of a zone in a window."""

    riders: int


def learn_demand(known: Demand, window: Windowed[Riding]) -> Demand:
    """Learn what the window had, having known those before it; say what the next one will have.

    A zone has no windows without riders, so what lies between two was empty, and is learned too.
    """
    model, usual = pickle.loads(known.model) if known.model else _new_demand_model()
    last, before = known.riders, known.before
    between = range(known.end + EVERY_MS, window.end, EVERY_MS)[-_GAP_MAX:] if known.windows else ()
    for riders in (*(0 for _ in between), window.value.riders):
        if known.windows >= _CUT_OFF:
            model.learn_one(_features(last, before), riders - last)
            usual.update(riders)
        last, before = riders, last
    expected = max(0.0, last + model.predict_one(_features(last, before)))
    normal = usual.get() if known.windows >= _CUT_OFF else expected
    forecast = Forecast(window.key, window.start, window.end, last, round(expected, 3), round(normal, 3))
    return Demand(pickle.dumps((model, usual)), known.windows + 1, window.end, last, before, forecast)


def learn_fare(known: Fares, trip: Trip) -> Fares:
    """Learn what was paid for so many miles and minutes; say what a short ride costs."""
    model = pickle.loads(known.model) if known.model else _new_fare_model()
    model.learn_one({"base": 1.0, "miles": trip.miles, "minutes": trip.minutes}, trip.cents / 100)
    cents = 100 * float(model.predict_one(SHORT_RIDE))
    trips = known.trips + 1
    return Fares(pickle.dumps(model), trips, Fare(trip.zone, trips, round(cents, 2)))


def quote_for(forecast: Forecast, fare: Fare | None) -> Quote:
    """A short ride's fare, dearer where more riders are expected than usual."""
    surge = (forecast.expected + _RAMP) / (forecast.usual + _RAMP)
    surge = round(min(_SURGE_MAX, max(_SURGE_MIN, surge)), 2)
    cents = _FIRST_GUESS_CENTS if fare is None else max(300.0, fare.cents)
    trips = 0 if fare is None else fare.trips
    return Quote(forecast.zone, forecast.end, round(cents * surge), surge, forecast.expected, trips)


def _new_demand_model() -> tuple[Any, EWMean]:
    """How many riders more or fewer the next window has, and how many are usual."""
    return StandardScaler() | LinearRegression(optimizer=SGD(0.01)), EWMean(fading_factor=0.08)


def _features(last: int, before: int) -> dict[str, float]:
    return {"last": last, "rise": last - before}


def _new_fare_model() -> BayesianLinearRegression:
    """Some dollars, and so many more for each mile and each minute. It is good after three trips."""
    return BayesianLinearRegression(alpha=0.05)


app = App("pricing", idle="30s")

requests = app.topic("requests", Request, key="request", time="at", partitions=PARTITIONS)
trips = app.topic("trips", Trip, key="zone", time="at", partitions=PARTITIONS)

demand = (
    requests.group_by("zone")
    .window(hopping("15m", every="5m", grace="2m"))
    .agg(Riding, riders=agg.sum("riders"))
    .final()
    .by_key()
    .agg(name="demand", learned=agg.fold(Demand(), learn_demand))
)
forecasts = demand.changes().map(lambda zone: zone.learned.forecast, name="forecast", type=Forecast)
fares = trips.by_key().agg(name="fares", learned=agg.fold(Fares(), learn_fare))

forecasts.to("forecasts")
fares.changes().map(lambda zone: zone.learned.fare, name="fare", type=Fare).to("fares")


@app.stream(forecasts.left_join(fares), to="quotes")
def quote(forecast: Forecast, zone: Any) -> Quote:
    return quote_for(forecast, zone and zone.learned.fare)
