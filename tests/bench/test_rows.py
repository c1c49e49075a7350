"""Every kind of row against Drave, shortly: it comes to a figure, and it notices what is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import (
    bulk,
    catchup,
    connections,
    frames,
    many,
    picture,
    rebalance,
    recovery,
    report,
    rows,
    stream,
    tail,
    transactions,
)
from bench.brokers import Drave
from bench.meter import Meter, Span
from bench.topics import fresh
from bench.wire import Wrong
from drave.testing import Broker


class Here:
    """A broker of this process, as far as a row asks for it."""

    def __init__(self, broker: Broker) -> None:
        self.port = broker.port
        self.bootstrap = broker.bootstrap

    @staticmethod
    def cpu_seconds() -> float:
        return sum(os.times()[:2])

    @staticmethod
    def resident_bytes() -> int:
        return 0


@pytest.fixture(scope="module")
def broker() -> Iterator[Here]:
    with Broker(auto_create_topics=False) as running:
        yield Here(running)


def test_many_partitions_are_written_at_once(broker: Here) -> None:
    with fresh(broker.bootstrap, partitions=200) as topic:
        run = many.run(broker.port, topic, partitions=200, seconds=0)
    assert run.rounds == many.ROUNDS_MIN
    assert run.p50_ms > 0


def test_a_partition_that_is_not_there_is_noticed(broker: Here) -> None:
    with fresh(broker.bootstrap, partitions=2) as topic, pytest.raises(Wrong, match=r"wrong ones: .*2, 3, -1"):
        many.run(broker.port, topic, partitions=3, seconds=0)


@pytest.mark.parametrize("records", [1, 100])
def test_producers_commit_one_transaction_after_the_other(broker: Here, records: int) -> None:
    with fresh(broker.bootstrap, partitions=3) as topic:
        run = transactions.run(broker.port, topic, clients=3, records=records, seconds=0.05)
    assert run.transactions >= 3
    assert run.rate > 0


def test_a_transaction_that_does_not_begin_where_it_should_is_noticed(broker: Here) -> None:
    with fresh(broker.bootstrap, partitions=1) as topic:
        stream.write(broker.port, topic, size=1)
        with pytest.raises(Wrong, match="begins at 900, 0 was expected"):
            transactions.run(broker.port, topic, clients=1, records=1, seconds=0)


def test_a_producer_that_is_told_to_wait_asks_again(broker: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = frames.parse_transactional_produce
    answers = [(transactions.CONCURRENT_TRANSACTIONS, -1)] * 3

    def refused(frame: bytes, topic: str) -> tuple[int, int]:
        return answers.pop() if answers else whole(frame, topic)

    monkeypatch.setattr(frames, "parse_transactional_produce", refused)
    with fresh(broker.bootstrap, partitions=1) as topic:
        run = transactions.run(broker.port, topic, clients=1, records=1, seconds=0)
    assert (run.refusals, run.transactions) == (3, 1)


def test_many_connections_are_answered(broker: Here) -> None:
    assert connections.run(broker, connections=50).seconds > 0  # type: ignore[arg-type]  # what it asks of one


def test_what_was_streamed_is_read_again(broker: Here) -> None:
    with fresh(broker.bootstrap, partitions=1) as topic:
        written = stream.write(broker.port, topic, size=3_000_000)
        read = stream.read(broker.port, topic, end=written.records)
    assert written.records == written.bytes // stream.RECORD_BYTES
    assert read.records >= stream.READERS * written.records
    assert read.bytes > stream.READERS * written.bytes


def test_a_writer_that_is_not_alone_is_noticed(broker: Here) -> None:
    with fresh(broker.bootstrap, partitions=1) as topic:
        stream.write(broker.port, topic, size=1)
        with pytest.raises(Wrong, match="offset 900"):
            stream.write(broker.port, topic, size=1)


def test_a_reader_catches_up_while_writes_go_on(broker: Here) -> None:
    with fresh(broker.bootstrap, partitions=1) as topic:
        run = catchup.run(broker.port, topic, size=2_000_000, seconds=0.05)
    assert run.read_mb > 0
    assert 0 < run.write_p50_ms <= run.write_p99_ms


def test_waits_at_an_even_rate_have_a_middle_and_a_tail(broker: Here) -> None:
    with fresh(broker.bootstrap, partitions=4) as topic:
        run = tail.run(broker.port, topic, rate=1000, clients=8, partitions=4, seconds=0.1)
    assert 0 < run.p50_ms <= run.p99_ms <= run.p999_ms


def test_a_group_settles_whenever_its_last_member_joins_or_leaves(broker: Here) -> None:
    run = rebalance.run(broker.port, "crowd", members=8, seconds=0)
    assert run.join_ms > 0
    assert run.leave_ms > 0


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_records_are_compressed_by_the_client_and_read_again(broker: Here, codec: str) -> None:
    with fresh(broker.bootstrap, partitions=1) as topic:
        bulk.produce(broker.bootstrap, topic, records=bulk.CHUNK, value_bytes=200, codec=codec)
        assert bulk.consume(broker.bootstrap, topic, records=bulk.CHUNK) > 0


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_batches_compressed_beforehand_are_taken_and_read_again(broker: Here, codec: str) -> None:
    with fresh(broker.bootstrap, partitions=1) as topic:
        written = stream.write(broker.port, topic, size=1, codec=codec)
        assert bulk.consume(broker.bootstrap, topic, records=written.records) > 0


def test_values_for_a_codec_are_alike_and_not_the_same() -> None:
    values = bulk.values(500, "gzip")
    assert {len(value) for value in values} == {500}
    assert len(set(values)) == bulk.CHUNK
    for _, compress in frames.CODECS.values():
        assert len(compress(b"".join(values))) <= 500 * bulk.CHUNK


def test_a_killed_broker_has_its_last_record_again(tmp_path: Path) -> None:
    killed = Drave(tmp_path, settings={"durability": "os"})
    try:
        killed.start()
        run = recovery.run(killed, size=2_000_000)
    finally:
        killed.kill()
    assert 0 < run.answer_s <= run.record_s


def test_a_meter_tells_the_bench_from_the_broker(broker: Here) -> None:
    meter = Meter(broker)  # type: ignore[arg-type]  # what it asks of one
    with meter.span("small requests, 1 client") as span:
        sum(range(100_000))
    assert span.seconds > 0
    assert meter.spans == {"small requests, 1 client": span}


def test_every_line_of_the_table_has_a_name_of_its_own() -> None:
    names = [metric.name for metric in rows.metrics()]
    assert len(names) == len(set(names)) == sum(len(row.metrics) for row in rows.ROWS) + 2


def some_results() -> report.Results:
    """Drave is twice as good where more is better, and half as good elsewhere."""
    results = report.Results()
    for metric in rows.metrics():
        for arm in ("Drave fsync", "Drave os"):
            results.add(arm, {metric.name: 200.0})
        for arm in ("Kafka fsync", "Kafka os"):
            results.add(arm, {metric.name: 100.0})
    results.add_spans("Drave fsync", {"small requests, 1 client": Span(2.0, 1.0, 0.5)})
    return results


ARMS = ["Drave fsync", "Kafka fsync", "Drave os", "Kafka os"]


def test_a_ratio_above_one_says_that_drave_is_ahead() -> None:
    results = some_results()
    by_name = {metric.name: metric for metric in rows.metrics()}
    ratio = {name: results.ratio(metric, "Drave fsync", "Kafka fsync") for name, metric in by_name.items()}
    assert ratio["small requests, 1 client"] == 2.0
    assert ratio["memory, idle"] == 0.5


def test_the_picture_shows_every_line_with_its_three_ratios(tmp_path: Path) -> None:
    kept = tmp_path / "result.json"
    kept.write_text(json.dumps(report.document(some_results(), ARMS, "abc1234")))
    picture.publish(kept, tmp_path / "docs")
    drawn = ElementTree.parse(tmp_path / "docs" / "bench.svg").getroot()
    svg = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in drawn.iter(f"{svg}text")]
    shown = [metric for metric in rows.metrics() if metric.pictured]
    assert {metric.name.removeprefix("broker CPU, ") for metric in shown} <= set(texts)
    dots = [dot for dot in drawn.iter(f"{svg}circle") if dot.find(f"{svg}title") is not None]
    assert len(dots) == 3 * len(shown)
    assert json.loads((tmp_path / "docs" / "bench.json").read_text())["commit"] == "abc1234"


def test_a_line_that_was_not_measured_is_not_drawn() -> None:
    results = report.Results()
    results.add("Drave fsync", {"small requests, 1 client": 2.0})
    results.add("Kafka fsync", {"small requests, 1 client": 1.0})
    drawn = picture.draw(json.loads(json.dumps(report.document(results, ARMS[:2], "abc1234"))))
    assert drawn.count("<title>") == 1
    assert "memory" not in drawn
