"""docs/from-kafka.md is true: its commands work in their order, from one broker to another.

What is called Kafka there is a second Drave here: the protocol and the files are the same. That the folders of Apache
Kafka itself open is held by tests/interop.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from drave.testing import Broker
from tests.clients.adapters import ConfluentKafka, Got, Send

PAGE = (Path(__file__).parents[1] / "docs" / "from-kafka.md").read_text(encoding="utf-8")
COPY, LOOK, ADOPT, GROUPS = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
PARTITIONS = 3
EACH = 5


class Shell:
    """Runs a block of the page, with what the page calls $KAFKA and $DRAVE."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, block: str, **addresses: str) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", block],
            check=False,
            cwd=self._folder,
            env=os.environ | addresses | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout


def _records(bootstrap: str, partition: int) -> list[Got]:
    return ConfluentKafka(bootstrap).consume("rides", EACH, partition=partition)


@pytest.fixture
def old(tmp_path: Path) -> Broker:
    """A stopped broker with a topic, and a group that has read some of it."""
    broker = Broker(tmp_path / "old")
    with broker:
        client = ConfluentKafka(broker.bootstrap)
        client.create("rides", partitions=PARTITIONS, retention_ms="-1")  # its records are years old
        for partition in range(PARTITIONS):
            sent = [Send(b"%d" % number, b"key", (("h", b"\xff"),), 1_700_000_000_000) for number in range(EACH)]
            client.produce("rides", sent, partition=partition)
        client.consume_in_group("rides", 4, group="prices")
    return broker


@pytest.mark.slow
def test_a_topic_is_copied_record_by_record(old: Broker, tmp_path: Path) -> None:
    with old, Broker(tmp_path / "new") as new:
        said = Shell(tmp_path).run(COPY, KAFKA=old.bootstrap, DRAVE=new.bootstrap)
        for partition in range(PARTITIONS):
            assert _records(new.bootstrap, partition) == _records(old.bootstrap, partition)
    assert "retention.ms=-1" in said


@pytest.mark.slow
def test_a_topic_and_the_groups_move_with_their_files(old: Broker, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    with old:
        shell.run(LOOK, KAFKA=old.bootstrap)
        records = [_records(old.bootstrap, partition) for partition in range(PARTITIONS)]
    adopting, serve = ADOPT.replace("/var/lib/kafka", str(tmp_path / "old" / "topics")).strip().rsplit("\n", 1)
    assert serve == "drave serve --data drave-data"
    said = shell.run(adopting)
    assert f"Took in rides with 3 partitions and {PARTITIONS * EACH} records" in said
    with Broker(tmp_path / "drave-data") as new:
        assert [_records(new.bootstrap, partition) for partition in range(PARTITIONS)] == records
        unread = ConfluentKafka(new.bootstrap).consume_in_group("rides", PARTITIONS * EACH - 4, group="prices")
        assert len(unread) == PARTITIONS * EACH - 4
        with old:
            described = shell.run(GROUPS, KAFKA=old.bootstrap, DRAVE=new.bootstrap)
    assert "prices" in described
