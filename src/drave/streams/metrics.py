"""What an app is doing, for Prometheus.

    drave_streams_records_total{step}               records that a step was given
    drave_streams_step_seconds{step}                time in a step and in everything after it; a sample of its records
    drave_streams_skipped_total{step}               records that it could not process
    drave_streams_lag_records{topic,partition}      records that are still to be read
    drave_streams_event_time_delay_seconds{task}    how far event time is behind the clock
    drave_streams_state_entries{task,store}         entries of a store in memory
    drave_streams_tasks{state}                      tasks that run, that are being restored, and standby copies
    drave_streams_commits_total

Counting costs a tenth of a microsecond for each record and step, so it is done only where somebody asked for metrics.
The engine's thread writes down what it has, once a second; a scrape reads that, and waits for nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from drave.model.clock import Clock
from drave.model.system import SystemClock
from drave.streams.engine import Engine
from drave.streams.errors import StreamsError
from drave.streams.steps.base import ALWAYS, Receiver, Step
from drave.streams.transport import Place

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

SAMPLE: Final = 64
"""One record in so many is timed."""

BUCKETS_S: Final = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
_LOOK_S: Final = 1.0


@dataclass(slots=True)
class StepMeter:
    """What one step has been given, in all tasks of this process."""

    records: int = 0
    seconds: float = 0.0
    timed: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    """Timed records by bucket; the last is for what took longer than all."""

    def note(self, seconds: float) -> None:
        self.seconds += seconds
        for number, bound in enumerate(BUCKETS_S):
            if seconds <= bound:
                self.timed[number] += 1
                return
        self.timed[-1] += 1


@dataclass(slots=True)
class Snapshot:
    """What the engine's thread wrote down last."""

    lag: dict[Place, int] = field(default_factory=dict)
    delay_s: dict[str, float] = field(default_factory=dict)
    entries: dict[tuple[str, str], int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    running: int = 0
    restoring: int = 0
    copies: int = 0
    commits: int = 0


class Metrics:
    """Give `observe` and `look` to a Runner, and `collect` (or the object itself) to Prometheus's registry."""

    def __init__(self, app: str, clock: Clock | None = None) -> None:
        self.app = app
        self.steps: dict[str, StepMeter] = {}
        self.snapshot = Snapshot()
        self._clock = clock or SystemClock()
        self._look_at = 0.0

    def observe(self, step: Step, receive: Receiver) -> Receiver:
        """Count what a step is given, and time some of it."""
        meter = self.steps.setdefault(step.name, StepMeter())

        def counted(key: Any, value: Any, time: int) -> None:
            meter.records += 1
            if meter.records % SAMPLE:
                receive(key, value, time)
                return
            began = perf_counter()
            receive(key, value, time)
            meter.note(perf_counter() - began)

        return counted

    def look(self, engine: Engine) -> None:
        """Write down what there is, if the last time was long enough ago. On the engine's thread."""
        now = self._clock.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_S
        found = Snapshot(
            skipped=engine.skipped,
            running=len(engine.tasks),
            restoring=len(engine.restoring),
            copies=len(engine.standbys.copies),
            commits=engine.commits,
            lag=engine.lag(),
        )
        for task in engine.tasks.values():
            if task.clock.watermark > ALWAYS:
                found.delay_s[str(task.id)] = (self._clock.wall_ms() - task.clock.watermark) / 1000
            for store in task.stores:
                found.entries[str(task.id), store.spec.name] = len(store)
        self.snapshot = found

    # -- for the scraper, on any thread

    def registry(self) -> CollectorRegistry:
        """A registry with these metrics only. Raises StreamsError where prometheus-client is missing."""
        try:
            from prometheus_client import CollectorRegistry
        except ImportError:
            raise StreamsError("metrics need prometheus-client: pip install 'drave[metrics]'") from None
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def collect(self) -> Iterator[Metric]:
        """Prometheus's protocol of a collector."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        records = CounterMetricFamily("drave_streams_records", "Records that a step was given", labels=["step"])
        timed = HistogramMetricFamily(
            "drave_streams_step_seconds",
            "Time in a step and in everything after it; a sample of its records",
            labels=["step"],
        )
        for name, meter in list(self.steps.items()):
            records.add_metric([name], meter.records)
            timed.add_metric([name], _cumulative(meter.timed), meter.seconds)
        yield records
        yield timed
        now = self.snapshot
        skipped = CounterMetricFamily("drave_streams_skipped", "Records that a step could not process", labels=["step"])
        for name, number in now.skipped.items():
            skipped.add_metric([name], number)
        yield skipped
        lag = GaugeMetricFamily(
            "drave_streams_lag_records", "Records that are still to be read", labels=["topic", "partition"]
        )
        for (topic, partition), number in now.lag.items():
            lag.add_metric([topic, str(partition)], number)
        yield lag
        delay = GaugeMetricFamily(
            "drave_streams_event_time_delay_seconds", "How far event time is behind the clock", labels=["task"]
        )
        for task, seconds in now.delay_s.items():
            delay.add_metric([task], seconds)
        yield delay
        entries = GaugeMetricFamily(
            "drave_streams_state_entries", "Entries of a store in memory", labels=["task", "store"]
        )
        for (task, store), number in now.entries.items():
            entries.add_metric([task, store], number)
        yield entries
        tasks = GaugeMetricFamily("drave_streams_tasks", "Tasks of this process", labels=["state"])
        tasks.add_metric(["running"], now.running)
        tasks.add_metric(["restoring"], now.restoring)
        tasks.add_metric(["copy"], now.copies)
        yield tasks
        yield CounterMetricFamily("drave_streams_commits", "Commits since the start", value=now.commits)


def serve_metrics(metrics: Metrics, host: str, port: int) -> int:
    """Answer scrapes at http://host:port/metrics, on a thread of its own. The port that it got. Raises StreamsError."""
    registry = metrics.registry()
    from prometheus_client import start_http_server

    try:
        server, _ = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise StreamsError(f"metrics cannot be served at {host}:{port}: {error.strerror or error}") from None
    return int(server.server_port)


def _cumulative(timed: list[int]) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in BUCKETS_S), "+Inf"]
    total = 0
    found: list[tuple[str, float]] = []
    for bound, number in zip(bounds, timed, strict=True):
        total += number
        found.append((bound, total))
    return found
