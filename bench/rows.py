"""What is measured, and in which order.

Every broker of a comparison is started once and kept for the whole run, so all of them are warm and none pays for the
other's start; within a round each row is taken from every broker before the next row, and the order turns around from
round to round. Before each measurement the machine's dirty pages are written out, so nobody pays for its predecessor.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bench import bulk, latency, small
from bench.brokers import BrokerProcess
from bench.topics import fresh

PARTITIONS: Final = 16
"""Partitions that small requests go to: more than Kafka's eight I/O threads, so none waits for a neighbour's sync."""

READINGS: Final = 3
"""Reading is so much quicker than writing that it is measured over several passes."""

WARM_UPS_MAX: Final = 12

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the table."""

    name: str
    unit: str
    more_is_better: bool
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a round takes."""

    seconds: float = 1.5
    bulk_bytes: int = 150_000_000

    def records(self, value_bytes: int) -> int:
        """Small records cost the client more, so there are fewer bytes of them."""
        wanted = self.bulk_bytes // value_bytes if value_bytes >= 1000 else self.bulk_bytes // 3 // value_bytes
        return wanted // bulk.CHUNK * bulk.CHUNK


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement, which may fill several lines."""

    metrics: tuple[Metric, ...]
    measure: Callable[[BrokerProcess, Effort], Figures]


def _small(clients: int, *, idempotent: bool) -> Row:
    kind = "idempotent requests" if idempotent else "small requests"
    rate = Metric(f"{kind}, {clients} client{'s' * (clients > 1)}", "1/s", more_is_better=True)
    cpu = Metric(
        f"broker CPU, {kind}, {clients} client{'s' * (clients > 1)}", "s/100k", more_is_better=False, decimals=1
    )
    busy = f"generator busy, {kind}, {clients}"

    def measure(broker: BrokerProcess, effort: Effort) -> Figures:
        with fresh(broker.bootstrap, partitions=PARTITIONS) as topic:
            before = broker.cpu_seconds()
            run = small.run(
                broker.port,
                topic,
                clients=clients,
                partitions=PARTITIONS,
                seconds=effort.seconds,
                idempotent=idempotent,
            )
            used = broker.cpu_seconds() - before
        return {rate.name: run.rate, cpu.name: used / run.requests * 100_000, busy: run.generator_busy}

    return Row((rate, cpu), measure)


def _bulk(value_bytes: int) -> Row:
    size = "1 kB" if value_bytes == 1000 else f"{value_bytes} B"
    produce = Metric(f"bulk produce, {size} records", "MB/s", more_is_better=True)
    consume = Metric(f"bulk consume, {size} records", "MB/s", more_is_better=True)
    produce_cpu = Metric(f"broker CPU, bulk produce, {size}", "s/GB", more_is_better=False, decimals=2)
    consume_cpu = Metric(f"broker CPU, bulk consume, {size}", "s/GB", more_is_better=False, decimals=2)

    def measure(broker: BrokerProcess, effort: Effort) -> Figures:
        records = effort.records(value_bytes)
        size = records * value_bytes
        with fresh(broker.bootstrap, partitions=1) as topic:
            start = broker.cpu_seconds()
            produced = bulk.produce(broker.bootstrap, topic, records=records, value_bytes=value_bytes)
            middle = broker.cpu_seconds()
            consumed = sum(bulk.consume(broker.bootstrap, topic, records=records) for _ in range(READINGS))
            end = broker.cpu_seconds()
        return {
            produce.name: size / 1e6 / produced,
            consume.name: READINGS * size / 1e6 / consumed,
            produce_cpu.name: (middle - start) / (size / 1e9),
            consume_cpu.name: (end - middle) / (READINGS * size / 1e9),
        }

    return Row((produce, consume, produce_cpu, consume_cpu), measure)


def _latency(title: str, linger_ms: float | None) -> Row:
    p50 = Metric(f"produce to consume, {title}, p50", "ms", more_is_better=False, decimals=2)
    p99 = Metric(f"produce to consume, {title}, p99", "ms", more_is_better=False, decimals=2)

    def measure(broker: BrokerProcess, effort: Effort) -> Figures:
        with fresh(broker.bootstrap, partitions=1) as topic:
            run = latency.run(broker.bootstrap, topic, seconds=effort.seconds, linger_ms=linger_ms)
        return {p50.name: run.p50_ms, p99.name: run.p99_ms}

    return Row((p50, p99), measure)


ROWS: Final = (
    *(_small(clients, idempotent=False) for clients in (1, 16, 64)),
    *(_small(clients, idempotent=True) for clients in (1, 16, 64)),
    _bulk(1000),
    _bulk(100),
    _latency("defaults", None),
    _latency("linger 0", 0),
)

START: Final = Metric("start, first answered request", "s", more_is_better=False, decimals=2)
IDLE: Final = Metric("memory, idle", "MB", more_is_better=False)
LOADED: Final = Metric("memory, after load", "MB", more_is_better=False)


def metrics() -> list[Metric]:
    """Every line of the table, rates first, then what they cost."""
    lines = [metric for row in ROWS for metric in row.metrics]
    cost = [metric for metric in lines if metric.name.startswith("broker CPU")]
    return [metric for metric in lines if metric not in cost] + [START, IDLE, LOADED] + cost


def warm(broker: BrokerProcess) -> Iterator[str]:
    """Load a broker until it does not get faster: a virtual machine that has just started is half as fast."""
    best, since_best = 0.0, 0
    for run in range(WARM_UPS_MAX):
        with fresh(broker.bootstrap, partitions=PARTITIONS) as topic:
            idempotent = run % 2 == 1
            warmth = small.run(
                broker.port, topic, clients=64, partitions=PARTITIONS, seconds=2, idempotent=idempotent
            ).rate
        yield f"{warmth:,.0f} requests/s"
        since_best = 0 if warmth > best * 1.05 else since_best + 1
        best = max(best, warmth)
        if run >= broker.warm_ups and since_best >= 2:
            break
    for value_bytes in (1000, 100):
        records = Effort().records(value_bytes)
        with fresh(broker.bootstrap, partitions=1) as topic:
            bulk.produce(broker.bootstrap, topic, records=records, value_bytes=value_bytes)
            bulk.consume(broker.bootstrap, topic, records=records)
        yield f"bulk, {value_bytes} B"


def settle() -> None:
    """Write out what the run before left dirty."""
    os.sync()
