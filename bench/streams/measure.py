"""One run of one engine: its rate, its processor time, its latency, and whether its output is right.

    topics ─▶ the engine starts and joins ─▶ the table ─▶ all records ─▶ output grows from 10 % to 95 % ─▶ the rest
                                                                          then, if asked, records at half the rate

The rate and the processor time are taken between a tenth and 95 % of the output, so neither a start nor an end counts.
Progress is seen from the output's end offset, which costs next to nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.brokers import BrokerProcess
from bench.streams import latency, records
from bench.streams.loading import load
from bench.streams.peers import Peer

FROM: Final = 0.10
TO: Final = 0.95
JOIN_S: Final = 60.0
STALL_S: Final = 40.0
NUDGE_S: Final = 1.5
START_S_MAX: Final = 15.0
IDLE_S: Final = 1.0
IDLE_SHARE: Final = 0.2
"""Who takes less of a core for so long has started, and waits."""
LATENCY_RATE_MAX: Final = 20_000
"""Beyond it the bench itself, which sends and reads in Python, would be what is measured."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")


MakeBroker = Callable[[Path], BrokerProcess]


class Failed(Exception):
    """A run that does not count, and why."""


@dataclass(frozen=True, slots=True)
class Result:
    rate: float
    """Input records a second."""
    cpu_s: float
    """Processor seconds for a million input records, children included."""
    latency_ms: tuple[float, float] | None
    """Median and 99th percentile at half the rate; None where it was not asked for."""


def measure(broker: MakeBroker, peer: Peer, job: str, guarantee: str, count: int, *, with_latency: bool) -> Result:
    """Raises Failed."""
    expected = records.expected(job, count, updates=peer.updates)
    records.produce_frames(count)
    with Stage(broker, peer, job, guarantee) as stage:
        rate, cpu_s = stage.run_all(count, expected.outputs)
        if (difference := expected.difference(stage.output(expected.outputs))) is not None:
            raise Failed(f"its output is not the reference's: {difference}")
        took = stage.latency(min(rate / 2, LATENCY_RATE_MAX), count) if with_latency else None
    return Result(rate, cpu_s, took)


class Stage:
    """A fresh broker, its topics, and a running engine."""

    def __init__(self, broker: MakeBroker, peer: Peer, job: str, guarantee: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="drave-bench-streams-"))
        self._broker = broker(self._folder / "broker")
        self._peer = peer
        self._job = job
        self._guarantee = guarantee
        self._log = self._folder / "engine.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = records.closing(0)

    def __enter__(self) -> Stage:
        self._broker.start()
        bootstrap = self._broker.bootstrap
        client = {"bootstrap.servers": bootstrap, "log_level": 0}  # the end of each broker is no news
        self._admin = AdminClient(client)
        self._producer = Producer(
            client | {"partitioner": "murmur2_random", "linger.ms": 5,
             "queue.buffering.max.messages": 1_000_000}
        )  # fmt: skip
        self._watcher = Consumer(
            client | {"group.id": "watch", "isolation.level": "read_committed",
             "enable.auto.commit": False, "queued.min.messages": 1_000_000, "fetch.queue.backoff.ms": 10}
        )  # fmt: skip
        self._counter = Consumer(
            client | {"group.id": "count", "isolation.level": "read_uncommitted",
             "enable.auto.commit": False}
        )  # fmt: skip
        topics = [NewTopic(name, 1, 1, config={"retention.ms": "-1"}) for name in ("rides", "zones", "out")]
        for future in self._admin.create_topics(topics).values():  # the records are of another year
            future.result()
        command = self._peer.command(bootstrap, self._job, self._guarantee, self._folder / "state")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        self._await_group()
        if self._job == "join":
            self._load_table()
        self._await_idle()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._watcher.close()
        self._counter.close()
        self._broker.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run_all(self, count: int, outputs: int) -> tuple[float, float]:
        """The rate and the processor seconds for a million records."""
        self._closing = records.closing(count)
        load(self._broker.port, "rides", records.produce_frames(count))
        first = self._until(lambda end: end >= outputs * FROM)
        last = self._until(lambda end: end >= outputs * TO)
        share = (last.outputs - first.outputs) / outputs
        done = share * count
        if share < (TO - FROM) / 2:
            raise Failed("it was through before it could be measured; give it more records")
        return done / (last.at - first.at), (last.cpu_s - first.cpu_s) / done * 1e6

    def output(self, outputs: int) -> Iterator[bytes]:
        """All values, when as many as there should be are there, or no more come."""
        self._until(lambda _: self._end(self._watcher) >= outputs)
        time.sleep(1.0)
        end = self._end(self._watcher)
        self._watcher.assign([TopicPartition("out", 0, 0)])
        while self._watcher.position([TopicPartition("out", 0)])[0].offset < end:
            for message in self._watcher.consume(10_000, 0.1):
                if message.error() is None:
                    yield message.value() or b""

    def latency(self, rate: float, after: int) -> tuple[float, float]:
        """Milliseconds at a rate, the median and the 99th percentile; `after` so many records."""
        self._watcher.assign([TopicPartition("out", 0, self._end(self._watcher))])
        results = latency.results_of(self._job, updates=self._peer.updates)
        try:
            return latency.measure(self._producer, self._watcher, rate, records.later(after, self._closing), results)
        except TimeoutError as error:
            raise Failed(f"{error}. {self._last_words()}") from None

    def _load_table(self) -> None:
        for number in range(records.ZONES):
            row = json.dumps({"base": records.base_of(number)}).encode()
            zone = records.zone_name(number).encode()
            self._producer.produce("zones", row, zone, timestamp=records.START_MS - 60_000)
        self._producer.flush()

    # -- watching

    def _until(self, holds: Callable[[int], bool]) -> Progress:
        """Wait for the output, as long as it grows. Raises Failed."""
        before, grew = -1, time.perf_counter()
        nudged = grew
        while True:
            end = self._end(self._counter)
            now = time.perf_counter()
            if holds(end):
                return Progress(end, now, self._cpu_s())
            if end > before:
                before, grew, nudged = end, now, now
            elif now - nudged > NUDGE_S:
                nudged = now
                self._nudge()
            elif now - grew > STALL_S:
                raise Failed(f"the output stands at {end} records. {self._last_words()}")
            self._check()
            time.sleep(0.02)

    def _nudge(self) -> None:
        """One more record, further ahead: some engines look for windows that are over once a second, and only then."""
        self._closing = ride = records.after(self._closing)
        self._producer.produce("rides", ride.encoded(), ride.row, timestamp=ride.time)
        self._producer.flush()

    def _end(self, reader: Consumer) -> int:
        """As far as `reader` may read: what is not committed is progress, and no output."""
        return int(reader.get_watermark_offsets(TopicPartition("out", 0), timeout=10.0)[1])

    def _await_group(self) -> None:
        give_up = time.perf_counter() + JOIN_S
        while time.perf_counter() < give_up:
            self._check()
            groups = self._admin.list_consumer_groups().result().valid
            names = [each.group_id for each in groups if each.group_id.startswith("bench-")]
            for future in (self._admin.describe_consumer_groups(names) if names else {}).values():
                if any(member.assignment.topic_partitions for member in future.result().members):
                    return
            if not self._peer.joins:
                return
            time.sleep(0.2)
        raise Failed(f"it has not joined its group. {self._last_words()}")

    def _await_idle(self) -> None:
        """Until it has read what there is, and waits for more."""
        give_up = time.perf_counter() + START_S_MAX
        quiet_since, before = time.perf_counter(), self._cpu_s()
        while time.perf_counter() < min(quiet_since + IDLE_S, give_up):
            time.sleep(0.1)
            self._check()
            cpu_s = self._cpu_s()
            if cpu_s - before > IDLE_SHARE * 0.1:
                quiet_since = time.perf_counter()
            before = cpu_s

    def _check(self) -> None:
        assert self._process is not None
        if (code := self._process.poll()) is not None:
            raise Failed(f"it ended with {code}. {self._last_words()}")

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace").strip()[-600:]

    def _cpu_s(self) -> float:
        assert self._process is not None
        return sum(_cpu_s(pid) for pid in _family(self._process.pid))


@dataclass(frozen=True, slots=True)
class Progress:
    outputs: int
    at: float
    cpu_s: float


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _family(int(child))
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
