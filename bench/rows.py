"""What is measured, and in which order.

Every broker of a comparison is started once and kept for the whole run, so all of them are warm and none pays for the
other's start; within a round each row is taken from every broker before the next row, and the order turns around from
round to round. Before each measurement the machine's dirty pages are written out, so nobody pays for its predecessor.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Final

from bench import bulk, catchup, connections, latency, many, rebalance, recovery, small, stream, tail, transactions
from bench.brokers import BrokerProcess
from bench.meter import Meter
from bench.row import Effort, Figures, Metric, Row, Section
from bench.topics import fresh

PARTITIONS: Final = 16
"""Partitions that small requests go to: more than Kafka's eight I/O threads, so none waits for a neighbour's sync."""

READINGS: Final = 3
"""Reading is so much quicker than writing that it is measured over several passes."""

WARM_UPS_MAX: Final = 12
MANY: Final = 1_000
MEMBERS: Final = 50
CROWD: Final = 64
"""Clients of the rows at an even rate."""
EVEN_RATE: Final = 5_000
"""Requests a second that every arm can answer."""


def _small(clients: int, *, idempotent: bool) -> Row:
    kind = "idempotent requests" if idempotent else "small requests"
    title = f"{kind}, {clients:,} client{'s' * (clients > 1)}"
    rate = Metric(title, "1/s", Section.SMALL, more_is_better=True)
    cpu = Metric(
        f"broker CPU, {title}", "s/100k", Section.COST, more_is_better=False, decimals=1, pictured=not idempotent
    )

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        with fresh(broker.bootstrap, partitions=PARTITIONS) as topic, meter.span(rate.name) as span:
            run = small.run(
                broker.port,
                topic,
                clients=clients,
                partitions=PARTITIONS,
                seconds=effort.seconds,
                idempotent=idempotent,
            )
        return {rate.name: run.rate, cpu.name: span.broker_s / run.requests * 100_000}

    return Row((rate, cpu), measure)


def _transactions(clients: int, records: int) -> Row:
    title = f"transactions of {records:,} record{'s' * (records > 1)}, {clients:,} producer{'s' * (clients > 1)}"
    rate = Metric(title, "1/s", Section.TRANSACTIONS, more_is_better=True)
    cpu = Metric(f"broker CPU, {title}", "s/10k", Section.COST, more_is_better=False, decimals=1, pictured=False)

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        with fresh(broker.bootstrap, partitions=clients) as topic, meter.span(rate.name) as span:
            run = transactions.run(broker.port, topic, clients=clients, records=records, seconds=effort.seconds)
        return {rate.name: run.rate, cpu.name: span.broker_s / run.transactions * 10_000}

    return Row((rate, cpu), measure)


def _many() -> Row:
    took = Metric(f"{MANY:,} partitions written at once", "ms", Section.SMALL, more_is_better=False, decimals=1)

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        with fresh(broker.bootstrap, partitions=MANY) as topic, meter.span(took.name):
            run = many.run(broker.port, topic, partitions=MANY, seconds=effort.seconds)
        return {took.name: run.p50_ms}

    return Row((took,), measure)


def _connections() -> Row:
    took = Metric(f"{MANY:,} connections opened and answered", "ms", Section.LIFE, more_is_better=False)

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        with meter.span(took.name):
            run = connections.run(broker, connections=MANY)
        return {took.name: run.seconds * 1000}

    return Row((took,), measure)


def _bulk(value_bytes: int) -> Row:
    size = "1 kB" if value_bytes == 1000 else f"{value_bytes} B"
    produce = Metric(f"bulk produce, {size} records", "MB/s", Section.BULK, more_is_better=True)
    consume = Metric(f"bulk consume, {size} records", "MB/s", Section.BULK, more_is_better=True)
    costs = _costs(produce, consume)

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        records = effort.records(value_bytes)
        size = records * value_bytes
        with fresh(broker.bootstrap, partitions=1) as topic:
            with meter.span(produce.name) as producing:
                produced = bulk.produce(broker.bootstrap, topic, records=records, value_bytes=value_bytes)
            with meter.span(consume.name) as consuming:
                consumed = sum(bulk.consume(broker.bootstrap, topic, records=records) for _ in range(READINGS))
        return {
            produce.name: size / 1e6 / produced,
            consume.name: READINGS * size / 1e6 / consumed,
            costs[0].name: producing.broker_s / (size / 1e9),
            costs[1].name: consuming.broker_s / (READINGS * size / 1e9),
        }

    return Row((produce, consume, *costs), measure)


def _stream(value_bytes: int) -> Row:
    size = "1 kB" if value_bytes == 1000 else f"{value_bytes} B"
    produce = Metric(f"bulk produce, {size}, encoded beforehand", "MB/s", Section.BULK, more_is_better=True)
    consume = Metric(f"bulk consume, {size}, not looked into", "MB/s", Section.BULK, more_is_better=True)
    costs = _costs(produce, consume)

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        with fresh(broker.bootstrap, partitions=1) as topic:
            with meter.span(produce.name) as producing:
                written = stream.write(broker.port, topic, size=effort.bulk_bytes, value_bytes=value_bytes)
            with meter.span(consume.name) as consuming:
                read = stream.read(broker.port, topic, end=written.records, seconds=effort.seconds)
        return {
            produce.name: written.rate_mb,
            consume.name: read.rate_mb,
            costs[0].name: producing.broker_s / (written.bytes / 1e9),
            costs[1].name: consuming.broker_s / (read.bytes / 1e9),
        }

    return Row((produce, consume, *costs), measure)


def _costs(produce: Metric, consume: Metric) -> tuple[Metric, Metric]:
    names = (f"broker CPU, {produce.name}", f"broker CPU, {consume.name}")
    shown = "1 kB" in produce.name
    first, second = (
        Metric(name, "s/GB", Section.COST, more_is_better=False, decimals=2, pictured=shown) for name in names
    )
    return first, second


def _codec(codec: str) -> Row:
    produce = Metric(f"produce, {codec}", "MB/s", Section.CODECS, more_is_better=True)
    consume = Metric(f"consume, {codec}", "MB/s", Section.CODECS, more_is_better=True)
    beforehand = Metric(f"produce, {codec}, encoded beforehand", "MB/s", Section.CODECS, more_is_better=True)

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        records = max(bulk.CHUNK, effort.records(1000) // 2)
        with fresh(broker.bootstrap, partitions=1) as topic:
            with meter.span(produce.name):
                produced = bulk.produce(broker.bootstrap, topic, records=records, value_bytes=1000, codec=codec)
            with meter.span(consume.name):
                consumed = bulk.consume(broker.bootstrap, topic, records=records)
        with fresh(broker.bootstrap, partitions=1) as topic, meter.span(beforehand.name):
            written = stream.write(broker.port, topic, size=effort.bulk_bytes, seconds=effort.seconds, codec=codec)
        return {
            produce.name: records / 1e3 / produced,
            consume.name: records / 1e3 / consumed,
            beforehand.name: written.rate_mb,
        }

    return Row((produce, consume, beforehand), measure)


def _catch_up() -> Row:
    read = Metric("reading all while 20 MB/s are written", "MB/s", Section.BULK, more_is_better=True)
    p50 = Metric("a write while all is read, p50", "ms", Section.LATENCY, more_is_better=False, decimals=2)
    p99 = Metric("a write while all is read, p99", "ms", Section.LATENCY, more_is_better=False, decimals=2)

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        with fresh(broker.bootstrap, partitions=1) as topic, meter.span(read.name):
            run = catchup.run(broker.port, topic, size=effort.bulk_bytes, seconds=effort.seconds)
        return {read.name: run.read_mb, p50.name: run.write_p50_ms, p99.name: run.write_p99_ms}

    return Row((read, p50, p99), measure)


def _latency(title: str, linger_ms: float | None) -> Row:
    p50, p99 = (
        Metric(f"produce to consume, {title}, {rank}", "ms", Section.LATENCY, more_is_better=False, decimals=2)
        for rank in ("p50", "p99")
    )

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        with fresh(broker.bootstrap, partitions=1) as topic, meter.span(p50.name):
            run = latency.run(broker.bootstrap, topic, seconds=effort.seconds, linger_ms=linger_ms)
        return {p50.name: run.p50_ms, p99.name: run.p99_ms}

    return Row((p50, p99), measure)


def _tail_at_half_load() -> Row:
    half = Metric("requests at half load", "1/s", Section.LATENCY, more_is_better=True)
    ranks = _ranks("at half load")

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        with fresh(broker.bootstrap, partitions=PARTITIONS) as topic:
            full = small.run(broker.port, topic, clients=CROWD, partitions=PARTITIONS, seconds=effort.seconds).rate
        run = _tail(broker, effort, meter, ranks, full / 2)
        return {half.name: full / 2, **run}

    return Row((half, *ranks), measure)


def _tail_at_even_load() -> Row:
    """Half of what one can do may be more than all that the other can: this is the same for both."""
    ranks = _ranks(f"at {EVEN_RATE:,} a second")

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        return _tail(broker, effort, meter, ranks, EVEN_RATE)

    return Row(ranks, measure)


def _ranks(load: str) -> tuple[Metric, Metric, Metric]:
    first, second, third = (
        Metric(f"a small request {load}, {rank}", "ms", Section.LATENCY, more_is_better=False, decimals=2)
        for rank in ("p50", "p99", "p99.9")
    )
    return first, second, third


def _tail(
    broker: BrokerProcess, effort: Effort, meter: Meter, ranks: tuple[Metric, Metric, Metric], rate: float
) -> Figures:
    with fresh(broker.bootstrap, partitions=PARTITIONS) as topic, meter.span(ranks[0].name):
        run = tail.run(broker.port, topic, rate=rate, clients=CROWD, partitions=PARTITIONS, seconds=effort.seconds)
    return dict(zip((metric.name for metric in ranks), (run.p50_ms, run.p99_ms, run.p999_ms), strict=True))


def _rebalance() -> Row:
    join = Metric(f"one more joins a group of {MEMBERS - 1}", "ms", Section.GROUPS, more_is_better=False, decimals=1)
    leave = Metric(f"one leaves a group of {MEMBERS}", "ms", Section.GROUPS, more_is_better=False, decimals=1)

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        group = f"group-{os.urandom(4).hex()}"
        with meter.span(join.name):
            run = rebalance.run(broker.port, group, members=MEMBERS, seconds=effort.seconds)
        return {join.name: run.join_ms, leave.name: run.leave_ms}

    return Row((join, leave), measure)


def _start() -> Row:
    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        return {START.name: broker.start()}

    return Row((START,), measure, alone=True)


def _recovery() -> Row:
    answer = Metric("start after kill -9, first answer", "s", Section.LIFE, more_is_better=False, decimals=2)
    record = Metric("start after kill -9, last record read", "s", Section.LIFE, more_is_better=False, decimals=2)

    def measure(broker: BrokerProcess, effort: Effort, meter: Meter) -> Figures:
        broker.start()
        run = recovery.run(broker, size=effort.recovery_bytes)
        return {answer.name: run.answer_s, record.name: run.record_s}

    return Row((answer, record), measure, alone=True, rounds_max=1)


START: Final = Metric("start, first answered request", "s", Section.LIFE, more_is_better=False, decimals=2)
IDLE: Final = Metric("memory, idle", "MB", Section.LIFE, more_is_better=False)
LOADED: Final = Metric("memory, after load", "MB", Section.LIFE, more_is_better=False)

ROWS: Final = (
    *(_small(clients, idempotent=False) for clients in (1, 16, 64, 1000)),
    *(_small(clients, idempotent=True) for clients in (1, 16, 64)),
    _many(),
    *(_transactions(clients, records) for clients in (1, 16) for records in (1, 100)),
    _bulk(1000),
    _bulk(100),
    _stream(1000),
    _stream(100),
    _catch_up(),
    *(_codec(codec) for codec in ("gzip", "snappy", "lz4", "zstd")),
    _latency("defaults", None),
    _latency("linger 0", 0),
    _tail_at_half_load(),
    _tail_at_even_load(),
    _rebalance(),
    _connections(),
    _start(),
    _recovery(),
)


def metrics() -> list[Metric]:
    """Every line of the table, by section."""
    lines = [metric for row in ROWS for metric in row.metrics] + [IDLE, LOADED]
    return [metric for section in Section for metric in lines if metric.section is section]


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


def settle(free_bytes: int = 0) -> None:
    """Write out what the run before left dirty, and touch the memory that the next one will need.

    A virtual machine gets memory from its host only when it first touches it, at some seconds of processor time per
    GB. Whoever comes first would pay for that; here nobody does.
    """
    os.sync()
    with tempfile.TemporaryFile() as file:
        for _ in range(0, free_bytes, len(_MEGABYTE)):
            file.write(_MEGABYTE)


_MEGABYTE: Final = bytes(1_000_000)
