"""A partition folder written by Apache Kafka opens in Drave."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer

from bench import reference
from bench.brokers import Kafka
from drave.testing import Broker
from interop.transactions import MAIN, rows
from tests.clients.adapters import ConfluentKafka, Got, Send

pytestmark = pytest.mark.slow

READ_BY_PRICING = 700
WAIT_S = 60
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class Written:
    """What Apache Kafka left on the disk, and what a consumer had read from it."""

    def __init__(self, data: Path, records: list[Got]) -> None:
        self.data = data
        self.records = records


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    try:
        reference.library()
    except reference.Missing as missing:
        pytest.skip(str(missing))
    with Kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        client = ConfluentKafka(kafka.bootstrap)
        client.create("rides", segment_bytes="1048576")
        for codec in CODECS:
            sent = [Send(b"%s %d " % (codec.encode(), n) * 300, b"key", (("h", b"x"),)) for n in range(400)]
            client.produce("rides", sent, codec=codec, idempotent=codec == "lz4")
        records = client.consume("rides", 400 * len(CODECS))
        client.consume_in_group("rides", READ_BY_PRICING, group="pricing")
        client.create("hanging")
        client.produce("hanging", [Send(b"before")])
        producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": "hanging", "log_level": 0})
        producer.init_transactions(WAIT_S)
        producer.begin_transaction()
        producer.produce("hanging", b"never decided")
        assert producer.flush(WAIT_S) == 0
        del producer
    return Written(kafka.data, records)


def adopt(topic: str, data: Path) -> None:
    command = [sys.executable, "-m", "drave", "topic", "adopt", topic, "--data", str(data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["topic"] == topic


def test_a_folder_that_the_catalog_does_not_know_is_left_alone(written: Written, tmp_path: Path) -> None:
    """It may be all that is left of somebody's data."""
    folder = tmp_path / "topics" / "rides-0"
    shutil.copytree(written.data / "rides-0", folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with Broker(tmp_path) as drave:
        assert "rides" not in ConfluentKafka(drave.bootstrap).topics()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_adopted_folder_has_every_record_and_takes_new_ones(written: Written, tmp_path: Path) -> None:
    """`drave topic adopt`: offsets, times, keys, headers and codecs as Kafka wrote them."""
    shutil.copytree(written.data / "rides-0", tmp_path / "topics" / "rides-0")
    with Broker(tmp_path):
        pass
    adopt("rides", tmp_path)
    with Broker(tmp_path) as drave:
        client = ConfluentKafka(drave.bootstrap)
        assert client.topics()["rides"] == 1
        assert client.ends("rides") == (0, len(written.records))
        assert client.consume("rides", len(written.records)) == written.records
        middle = written.records[1000]
        assert client.offset_for_time("rides", middle.timestamp) is not None
        assert client.produce("rides", [Send(b"more")], idempotent=True) == [len(written.records)]
        drave.restart()
        assert client.consume("rides", 1, start=len(written.records))[0].value == b"more"


def test_a_group_goes_on_where_it_stood_in_kafka(written: Written, tmp_path: Path) -> None:
    for folder in [*written.data.glob("rides-*"), *written.data.glob("__consumer_offsets-*")]:
        shutil.copytree(folder, tmp_path / "topics" / folder.name)
    for topic in ("rides", "__consumer_offsets"):
        adopt(topic, tmp_path)
    with Broker(tmp_path) as drave:
        (first, *_) = ConfluentKafka(drave.bootstrap).consume_in_group("rides", 1, group="pricing")
    assert first.offset == READ_BY_PRICING


def test_a_transaction_that_hangs_is_found_and_aborted_with_kafkas_own_tool(written: Written, tmp_path: Path) -> None:
    """KIP-664: its topic came along, and the coordinator that knows of it did not."""
    shutil.copytree(written.data / "hanging-0", tmp_path / "topics" / "hanging-0")
    adopt("hanging", tmp_path)
    place = ("--topic", "hanging", "--partition", "0")
    with Broker(tmp_path) as drave:
        client = ConfluentKafka(drave.bootstrap)

        def tool(command: str, *options: str) -> list[dict[str, str]]:
            asked = reference.java(MAIN, "--bootstrap-server", drave.bootstrap, command, *place, *options)
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return rows(done.stdout)

        client.produce("hanging", [Send(b"after")])
        (found,) = tool("find-hanging", "--max-transaction-timeout", "0")
        assert found["StartOffset"] == "1"
        tool("abort", "--start-offset", found["StartOffset"])
        assert tool("find-hanging", "--max-transaction-timeout", "0") == []
        assert [record.value for record in client.consume("hanging", 2)] == [b"before", b"after"]
