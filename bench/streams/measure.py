"""One run of one engine: its rate, its processor time, its latency, and whether its output is right.

    topics ─▶ the engine starts and joins ─▶ the table ─▶ all records ─▶ output grows from 10 % to 95 % ─▶ the rest

The rate and the processor time are taken between a tenth and 95 % of the output, so neither a start nor an end counts.
Progress is seen from the output's end offset, which costs next to nothing. Latency is from when a record was sent to
when its result can be read, at half of the engine's own rate.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.brokers import BrokerProcess
from bench.streams import records
from bench.streams.peers import Peer

FROM: Final = 0.10
TO: Final = 0.95
JOIN_S: Final = 60.0
STALL_S: Final = 40.0
NUDGE_S: Final = 1.5
LATENCY_S: Final = 8.0
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
    """Median and 99th percentile at half the rate; None for what gives no result for each record."""


def measure(broker: MakeBroker, peer: Peer, job: str, guarantee: str, count: int, *, latency: bool) -> Result:
    """Raises Failed."""
    expected = records.reference(job, count)
    records.encoded(count)
    with Stage(broker, peer, job, guarantee) as stage:
        outputs = count if peer.updates and job == "count" else sum(expected.values())
        rate, cpu_s = stage.run_all(count, outputs)
        found = records.read(job, stage.output(outputs))
        if found != expected:
            raise Failed(_difference(expected, found))
    if not latency or job == "count":
        return Result(rate, cpu_s, None)
    with Stage(broker, peer, job, guarantee) as stage:
        return Result(rate, cpu_s, stage.latency(min(rate / 2, LATENCY_RATE_MAX)))


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
        self._nudges = 0

    def __enter__(self) -> Stage:
        self._broker.start()
        bootstrap = self._broker.bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5,
             "queue.buffering.max.messages": 1_000_000}
        )  # fmt: skip
        self._watcher = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "watch", "isolation.level": "read_committed",
             "enable.auto.commit": False}
        )  # fmt: skip
        topics = [NewTopic(name, 1, 1, config={"retention.ms": "-1"}) for name in ("rides", "zones", "out")]
        for future in self._admin.create_topics(topics).values():  # the records are of another year
            future.result()
        command = self._peer.command(bootstrap, self._job, self._guarantee, self._folder / "state")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        if self._job == "join":
            for number in range(records.ZONES):
                zone = records.zone_name(number)
                row = json.dumps({"base": records.base_of(zone)}).encode()
                self._producer.produce("zones", row, zone.encode(), timestamp=records.START_MS - 60_000)
            self._producer.flush()
        self._await_group()
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
        self._broker.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run_all(self, count: int, outputs: int) -> tuple[float, float]:
        """The rate and the processor seconds for a million records."""
        for key, value, time_ms in records.encoded(count):
            while True:
                try:
                    self._producer.produce("rides", value, key, timestamp=time_ms)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        self._producer.flush()
        first = self._until(lambda end: end >= outputs * FROM)
        last = self._until(lambda end: end >= outputs * TO)
        share = (last.outputs - first.outputs) / outputs
        done = share * count
        if share < (TO - FROM) / 2:
            raise Failed("it was through before it could be measured; give it more records")
        return done / (last.at - first.at), (last.cpu_s - first.cpu_s) / done * 1e6

    def output(self, outputs: int) -> Iterator[bytes]:
        """All values, when as many as there should be are there, or no more come."""
        end = self._until(lambda end: end >= outputs).offset
        time.sleep(1.0)
        end = max(end, self._end())
        self._watcher.assign([TopicPartition("out", 0, 0)])
        while self._watcher.position([TopicPartition("out", 0)])[0].offset < end:
            for message in self._watcher.consume(10_000, 1.0):
                if message.error() is None:
                    yield message.value() or b""

    def latency(self, rate: float) -> tuple[float, float]:
        """Milliseconds from sending to reading, the median and the 99th percentile, of records with an id."""
        sent: dict[int, float] = {}
        took: list[float] = []
        count = min(int(rate * LATENCY_S), 400_000)
        self._watcher.assign([TopicPartition("out", 0, 0)])
        began = time.perf_counter()
        rides = records.encoded(count)
        number = 0
        while time.perf_counter() - began < LATENCY_S + 3.0:
            due = min(int((time.perf_counter() - began) * rate), count)
            for each in range(number, due):
                key, value, time_ms = rides[each]
                if each % 10 == 0:
                    sent[each] = time.perf_counter()
                self._producer.produce("rides", value, key, timestamp=time_ms)
            number = due
            self._producer.poll(0)
            for message in self._watcher.consume(1_000, 0.002):
                value = b"" if message.error() else message.value() or b""
                if value:
                    at = sent.pop(json.loads(value)["id"], None)
                    if at is not None:
                        took.append(time.perf_counter() - at)
        self._producer.flush()
        if len(took) < count // 100:
            raise Failed(f"{len(took)} results came while {count} records were sent at {rate:,.0f} a second")
        late = took[len(took) // 5 :]  # the first ones pay for the start
        return statistics.median(late) * 1e3, statistics.quantiles(late, n=100)[98] * 1e3

    # -- watching

    def _until(self, holds: Callable[[int], bool]) -> Progress:
        """Wait for the output, as long as it grows. Raises Failed."""
        before, grew = -1, time.perf_counter()
        nudged = grew
        while True:
            end = self._end()
            now = time.perf_counter()
            if holds(end):
                return Progress(end, end, now, self._cpu_s())
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
        self._nudges += 1
        ride = records.closing(10_000_000 * self._nudges)
        self._producer.produce("rides", ride.encoded(), ride.zone.encode(), timestamp=ride.time)
        self._producer.flush()

    def _end(self) -> int:
        return int(self._watcher.get_watermark_offsets(TopicPartition("out", 0), timeout=10.0)[1])

    def _await_group(self) -> None:
        give_up = time.perf_counter() + JOIN_S
        while time.perf_counter() < give_up:
            self._check()
            groups = self._admin.list_consumer_groups().result().valid
            names = [each.group_id for each in groups if each.group_id.startswith("bench-")]
            for future in (self._admin.describe_consumer_groups(names) if names else {}).values():
                if any(member.assignment.topic_partitions for member in future.result().members):
                    return
            if time.perf_counter() > give_up - JOIN_S + 10.0 and not names:
                return  # bytewax reads without a group
            time.sleep(0.2)
        raise Failed(f"it has not joined its group. {self._last_words()}")

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
    offset: int
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


def _difference(expected: Counter[records.Row], found: Counter[records.Row]) -> str:
    missing, extra = expected - found, found - expected
    example = next(iter(missing or extra))
    return (
        f"its output is not the reference's: {sum(missing.values()):,} missing, {sum(extra.values()):,} too many or "
        f"other, such as {example}"
    )
