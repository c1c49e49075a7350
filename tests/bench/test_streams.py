"""The bench of stream engines: its input is what it says, and an output that is wrong does not count."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.streams import latency, loading, records, report
from bench.streams.records import Ride
from drave.testing import Broker

COUNT = 2_500


def result_of(job: str, ride: Ride) -> int | None:
    zone = int(ride.zone[-4:])
    return {
        "pass": ride.fare,
        "map": ride.fare * 2 if ride.fare > records.FARE_ABOVE else None,
        "join": ride.fare * records.base_of(zone),
    }[job]


def right_output(job: str) -> list[bytes]:
    """Made of the records one by one, and with what engines make of the closing record."""
    rides = list(records.columns(COUNT))
    if job == "count":
        windows: dict[tuple[str, int], int] = {}
        for ride in rides:
            window = ride.zone, ride.time - ride.time % records.WINDOW_MS
            windows[window] = windows.get(window, 0) + 1
        rows = [{"zone": zone, "start": start, "count": number} for (zone, start), number in windows.items()]
        return [json.dumps(row).encode() for row in [*rows, {"zone": "closing", "start": 0, "count": 1}]]
    results = [(ride.id, result_of(job, ride)) for ride in [*rides, records.closing(COUNT)] if ride.id >= 0]
    field = records.RESULTS[job]
    found = [json.dumps({"id": number, field: result}).encode() for number, result in results if result is not None]
    return [*found, json.dumps({"id": -1, field: 0}).encode()]


@pytest.mark.parametrize("job", records.JOBS)
def test_the_right_output_counts(job: str) -> None:
    assert records.expected(job, COUNT).difference(right_output(job)) is None


@pytest.mark.parametrize("job", records.JOBS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda output: output[1:],
        lambda output: [output[0], *output],
        lambda output: [output[0][:-2] + b"7" + output[0][-1:], *output[1:]],
    ],
    ids=["a row is missing", "a row came twice", "a row is wrong"],
)
def test_another_output_does_not_count(job: str, spoil: Callable[[list[bytes]], list[bytes]]) -> None:
    assert records.expected(job, COUNT).difference(spoil(right_output(job))) is not None


def test_of_an_engine_that_tells_each_change_the_last_one_counts() -> None:
    output = right_output("count")
    first = json.loads(output[0])
    changes = [json.dumps(first | {"count": number}).encode() for number in range(1, first["count"] + 1)]
    assert records.expected("count", COUNT, updates=True).difference([*changes, *output[1:]]) is None
    assert records.expected("count", COUNT, updates=True).difference([*reversed(changes), *output[1:]]) is not None


def test_what_is_loaded_is_what_a_client_reads() -> None:
    expected = [(ride.row, ride.encoded()) for ride in [*records.columns(COUNT), records.closing(COUNT)]]
    with Broker() as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        for made in admin.create_topics([NewTopic("rides", 1, 1, config={"retention.ms": "-1"})]).values():
            made.result()
        loading.load(broker.port, "rides", records.produce_frames(COUNT))
        reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "enable.auto.commit": False})
        reader.assign([TopicPartition("rides", 0, 0)])
        found: list[tuple[Any, Any]] = []
        while len(found) < len(expected):
            found += [(message.key(), message.value()) for message in reader.consume(1_000, 1.0)]
        reader.close()
    assert found == expected


def test_records_that_come_later_have_ids_and_times_behind_all_others() -> None:
    last = records.after(records.closing(COUNT))
    later = list(records.later(COUNT, last))
    assert [ride.id for ride in later] == list(range(COUNT, 2 * COUNT))
    assert min(ride.time for ride in later) > last.time


def test_a_windows_result_is_awaited_from_the_record_that_ends_it() -> None:
    results = latency.results_of("count", updates=False)
    for number, time in enumerate((5, records.WINDOW_MS, records.WINDOW_MS + records.GRACE_MS)):
        results.sent(Ride(number, "soho", time, 1, 1), float(number))
    assert results.awaited == {("soho", 0): 2.0}
    assert results.named({"zone": "soho", "start": 0, "count": 1}) in results.awaited


def test_a_result_becomes_tables_and_a_picture(tmp_path: Path) -> None:
    found: report.Report = {
        "broker": "drave", "rounds": 3, "machine": {"cores": 2, "python": "3.12"},
        "engines": {"One": "1", "Other": "2"},
        "rows": [
            {"job": "pass", "guarantee": "at_least_once", "engines": [
                {"engine": "One", "records": 10, "rate": 319_456, "rates": [319_456], "cpu_s_per_million": 3.36,
                 "latency_ms_p50": 12.3, "latency_ms_p99": 1_234.5},
                {"engine": "Other", "failed": "its output is not the reference's: 3 of 10 are missing"},
            ]},
        ],
    }  # fmt: skip
    assert "| pass on | at least once | 319,000; 3.4 s | – |" in report.markdown(found)
    assert "| pass on | at least once | 12; 1,234 ms | – |" in report.markdown(found)
    report.publish(found, tmp_path)
    assert json.loads((tmp_path / "bench-streams.json").read_text()) == found
    picture = ElementTree.parse(tmp_path / "bench-streams.svg").getroot()
    texts = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"319,456", "One"} <= set(texts)
    assert "Other" not in texts
