"""What an app tells Prometheus."""

from __future__ import annotations

import urllib.request

import msgspec
import pytest

from drave.streams import App, tumbling
from drave.streams.metrics import SAMPLE, Metrics, serve_metrics
from drave.streams.steps.base import Receiver
from drave.streams.steps.mapping import Merge

prometheus = pytest.importorskip("prometheus_client")


class Ride(msgspec.Struct):
    zone: str
    fare: int


class HandClock:
    def __init__(self) -> None:
        self.now_ms = 100_000

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return self.now_ms / 1000


@pytest.fixture
def app() -> App:
    app = App("city", on_error="skip")
    rides = app.topic("rides", Ride, key="zone")
    rides.map(lambda ride: 100 // ride.fare, name="share", type=int).by_key().window(tumbling("10s")).count(
        name="counted"
    ).final().to("out")
    return app


def _metrics(app: App) -> Metrics:
    """After three rides, of which one fails, read at 100 s by the clock."""
    metrics = Metrics(app.name, HandClock())
    with app.test() as driver:
        _observe(driver, metrics)
        driver.send("rides", Ride("soho", 5), Ride("soho", 0), Ride("city", 4), at=40_000)
        metrics.look(driver.engine)
    return metrics


def _observe(driver, metrics: Metrics) -> None:
    driver.crash()
    driver.observe = metrics.observe
    driver.recover()


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry().get_sample_value(name, labels)


def test_each_step_counts_what_it_was_given_and_what_it_could_not_process(app):
    metrics = _metrics(app)
    assert _value(metrics, "drave_streams_records_total", step="share") == 3
    assert _value(metrics, "drave_streams_records_total", step="counted") == 2
    assert _value(metrics, "drave_streams_skipped_total", step="share") == 1


def test_lag_event_time_and_state_are_those_of_the_tasks(app):
    metrics = _metrics(app)
    assert _value(metrics, "drave_streams_lag_records", topic="rides", partition="0") == 0
    assert _value(metrics, "drave_streams_event_time_delay_seconds", task="rides-0") == 60.0
    assert _value(metrics, "drave_streams_state_entries", task="rides-0", store="counted") == 2
    assert _value(metrics, "drave_streams_tasks", state="running") == 1
    assert _value(metrics, "drave_streams_tasks", state="copy") == 0


def test_one_record_in_so_many_is_timed():
    metrics = Metrics("city", HandClock())
    seen = []

    def receive(key: object, value: object, time: int) -> None:
        seen.append(value)

    observed: Receiver = metrics.observe(Merge(name="step"), receive)
    for number in range(2 * SAMPLE):
        observed(None, number, 0)
    assert seen == list(range(2 * SAMPLE))
    assert _value(metrics, "drave_streams_step_seconds_count", step="step") == 2
    assert _value(metrics, "drave_streams_step_seconds_bucket", step="step", le="+Inf") == 2


def test_the_engine_is_looked_at_once_a_second_at_most(app):
    clock = HandClock()
    metrics = Metrics("city", clock)
    with app.test() as driver:
        metrics.look(driver.engine)
        before = metrics.snapshot
        clock.now_ms += 900
        metrics.look(driver.engine)
        assert metrics.snapshot is before
        clock.now_ms += 200
        metrics.look(driver.engine)
        assert metrics.snapshot is not before


def test_prometheus_reads_them_over_http(app):
    metrics = _metrics(app)
    port = serve_metrics(metrics, "127.0.0.1", 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert b'drave_streams_records_total{step="share"} 3.0' in answer.read()
