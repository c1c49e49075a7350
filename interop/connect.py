"""Kafka Connect, one distributed worker with exactly-once sources, carries lines from a file to a topic to a file.

    lines.txt ──FileStreamSource, a transaction each time it reads──> topic ──FileStreamSink──> sink.txt
                                   │                                    └──> follower
                                   └── its offset in the file, in the same transaction

The topic has each line once, in order. A file takes part in no transaction, so the sink writes again what it had not
yet committed when it was killed: each line is there, first seen in its order.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from bench.brokers import free_port
from interop.programs import Library, Program
from interop.reading import PATIENCE_S, Findings, following, read
from interop.stage import Outcome, Stage
from interop.verdicts import carried, copied, unchanged

MAIN: Final = "org.apache.kafka.connect.cli.ConnectDistributed"
TOPIC: Final = "connected"
LINES_PER_BLOW: Final = 4_000
BLOWS: Final = ("broker killed", "worker killed", "broker and worker killed")


def run(stage: Stage) -> Outcome:
    """Write lines, strike while they are carried, and judge the topic and the second file."""
    library = Library("kafka")
    stage.create(TOPIC, partitions=1)
    worker = _Worker(stage, library)
    lines = [b"line %d" % number for number in range(LINES_PER_BLOW * (stage.kills + 1))]
    findings = Findings()
    try:
        with following(stage.bootstrap, TOPIC, 1, findings) as follower:
            _append(worker.source, lines[:LINES_PER_BLOW])
            worker.program.start()
            worker.configure()
            for number, blow in enumerate(stage.blows(BLOWS), 1):
                sooner = stage.chance.choice((LINES_PER_BLOW, LINES_PER_BLOW // 2, 1))
                follower.wait_for(number * LINES_PER_BLOW - LINES_PER_BLOW + sooner - len(follower.records))
                _append(worker.source, lines[number * LINES_PER_BLOW : (number + 1) * LINES_PER_BLOW])
                worker.strike(blow)
            follower.wait_for(len(lines) - len(follower.records))
            worker.wait_for_the_sink(lines[-1])
    finally:
        worker.program.stop()
    there = read(stage.bootstrap, TOPIC, 1)
    sunk = worker.sink.read_bytes().splitlines()
    violations = [
        *unchanged(TOPIC, follower.records, there),
        *copied(TOPIC, {0: lines}, there),
        *carried("the sink's file", lines, sunk),
    ]
    facts = [stage.deaths(), f"{len(lines):,} lines", f"{len(sunk) - len(lines):,} written again by the sink"]
    return Outcome(library.version("connect-runtime"), facts, violations)


def _append(path: Path, lines: list[bytes]) -> None:
    with path.open("ab") as file:
        file.writelines(line + b"\n" for line in lines)


class _Worker:
    """One worker, and its two connectors."""

    def __init__(self, stage: Stage, library: Library) -> None:
        self._stage, self._port = stage, free_port()
        self.source, self.sink = stage.folder / "lines.txt", stage.folder / "sink.txt"
        configs = {
            "bootstrap.servers": stage.bootstrap,
            "group.id": "connect",
            "listeners": f"http://127.0.0.1:{self._port}",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            **{f"{each}.storage.topic": f"connect-{each}" for each in ("offset", "config", "status")},
            **{f"{each}.storage.replication.factor": 1 for each in ("offset", "config", "status")},
            "exactly.once.source.support": "enabled",
            "consumer.isolation.level": "read_committed",
            "offset.flush.interval.ms": 500,
            "scheduled.rebalance.max.delay.ms": 0,
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 1_000,
            "consumer.session.timeout.ms": 6_000,
            "reconnect.backoff.max.ms": 200,
        }
        path = stage.folder / "worker.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in configs.items()))
        self.program = Program("worker", library.java(MAIN, path), stage.folder)

    def configure(self) -> None:
        """Both connectors, as soon as the worker listens."""
        self._put("source", {"FileStreamSource": "topic", "file": self.source, "exactly.once.support": "required"})
        self._put("sink", {"FileStreamSink": "topics", "file": self.sink})

    def strike(self, blow: str) -> None:
        if "worker" in blow:
            self.program.kill()
        if "broker" in blow:
            self._stage.kill_the_broker()
        if "worker" in blow:
            self.program.start()

    def wait_for_the_sink(self, last: bytes) -> None:
        """Until the last line has come to the second file."""
        deadline = time.monotonic() + PATIENCE_S
        while not (self.sink.exists() and self.sink.read_bytes().endswith(last + b"\n")):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the sink has not come to {last!r} within {PATIENCE_S:.0f} s")
            time.sleep(0.1)

    def _put(self, name: str, given: dict[str, object]) -> None:
        (class_, topic), *others = given.items()
        configs = {"connector.class": class_, "tasks.max": 1, str(topic): TOPIC, **dict(others)}
        body = json.dumps({key: str(value) for key, value in configs.items()}).encode()
        url = f"http://127.0.0.1:{self._port}/connectors/{name}/config"
        deadline = time.monotonic() + PATIENCE_S
        while True:
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="PUT")
            try:
                urllib.request.urlopen(request, timeout=PATIENCE_S).close()
                return
            except urllib.error.URLError:  # it does not listen yet, or is still joining its group
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
