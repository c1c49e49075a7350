"""`python -m torture.streams`: kill -9 of a stream app's processes and of its broker, and what became of each record.

    events, numbered ──▶ 2 processes of an app ──▶ echo, counts ──▶ a read_committed reader, and a judge
                          ╰─ kill -9, or frozen for a while ─╯  ╰─ broker: kill -9, start ─╯

Exactly once: each event is echoed once, and each lane counts 1, 2, 3, … without a gap. At least once: each event is
echoed, and each lane counts at least so far.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
from confluent_kafka import Consumer, Producer, TopicPartition

from bench.brokers import BrokerProcess, Drave, Kafka
from drave.client.connection import Connection
from drave.client.topics import Topics
from torture.streams_app import COUNTS, ECHO, EVENTS

PARTITIONS: Final = 4
WORKERS: Final = 2
KEYS: Final = 97
LANES: Final = 13
RATE: Final = 2_000
PATIENCE_S: Final = 90.0
FREEZE_S: Final = 14.0
"""Longer than a session and a transaction last."""


class Stuck(Exception):
    """Everything runs, and nothing comes out."""


class Source:
    """Numbered events at a steady rate, each sent until it is acknowledged."""

    def __init__(self, bootstrap: str) -> None:
        self.sent = 0
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "message.timeout.ms": 300_000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="source")
        self._thread.start()

    def end(self) -> None:
        """Stop, and wait until all is acknowledged."""
        self.abandon()
        if self._producer.flush(PATIENCE_S):
            raise Stuck("the source cannot get rid of its events")

    def abandon(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            for _ in range(RATE // 100):
                number = self.sent
                event = {"number": number, "key": f"k{number % KEYS}", "lane": f"lane{number % LANES}"}
                self._producer.produce(EVENTS, json.dumps(event), event["key"])
                self.sent += 1
            self._producer.poll(0)


class Sink:
    """What a `read_committed` reader sees of both outputs."""

    def __init__(self, bootstrap: str) -> None:
        self.changed = threading.Condition()
        self.echoed: Counter[int] = Counter()
        self.counts: dict[str, list[int]] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "judge",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        self._consumer.assign(
            [TopicPartition(topic, each, 0) for topic in (ECHO, COUNTS) for each in range(PARTITIONS)]
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sink")
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def wait_for(self, echoed: int) -> None:
        """Until so many different events were echoed. Raises Stuck."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.echoed) >= echoed, PATIENCE_S):
                raise Stuck(
                    f"{len(self.echoed):,} events have come out after {PATIENCE_S:.0f} s more, {echoed:,} should"
                )

    def wait_for_counts(self, total: int) -> None:
        with self.changed:
            if not self.changed.wait_for(lambda: sum(map(max, self.counts.values())) >= total, PATIENCE_S):
                raise Stuck(f"{sum(map(max, self.counts.values())):,} events were counted of {total:,}")

    def _run(self) -> None:
        while not self._stop.is_set():
            messages = self._consumer.consume(1_000, 0.05)
            with self.changed:
                for message in messages:
                    if message.error() is None:
                        self._take(message.topic() or "", message.key() or b"", message.value() or b"")
                self.changed.notify_all()

    def _take(self, topic: str, key: bytes, value: bytes) -> None:
        if topic == ECHO:
            self.echoed[json.loads(value)["number"]] += 1
        else:
            self.counts.setdefault(key.decode(), []).append(json.loads(value))


class Worker:
    """One process of the app."""

    def __init__(self, bootstrap: str, folder: Path, guarantee: str, standby: int, number: int) -> None:
        self.own_ends = 0
        self.log = folder / f"worker-{number}.log"
        module = "torture.streams_app"
        self._command = [sys.executable, "-m", module, bootstrap, str(folder / "state"), guarantee, str(standby)]
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stand still until the group and the coordinator have given it up, and go on as if nothing had been."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(FREEZE_S)
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(PATIENCE_S)

    def mind(self) -> None:
        """Start it again when it has ended by itself, as a service manager would."""
        if self._process.poll() is not None:
            self.own_ends += 1
            self.start()


@dataclass
class Report:
    kills: Counter[str] = field(default_factory=Counter)
    events: int = 0
    own_ends: int = 0
    violations: list[str] = field(default_factory=list)


def run(broker: BrokerProcess, folder: Path, *, guarantee: str, standby: int, kills: int, seed: int) -> Report:
    """Start everything, kill so often, let it come to its end, and judge."""
    chance, report = random.Random(seed), Report()
    broker.start()
    topics = Topics(Connection(bootstrap=broker.bootstrap))
    for topic in (EVENTS, ECHO, COUNTS):
        topics.create(topic, partitions=PARTITIONS)
    source, sink = Source(broker.bootstrap), Sink(broker.bootstrap)
    workers = [Worker(broker.bootstrap, folder, guarantee, standby, number) for number in range(WORKERS)]
    try:
        sink.wait_for(500)
        for _ in range(kills):
            _kill_once(broker, workers, chance, report)
            for worker in workers:
                worker.mind()
            sink.wait_for(len(sink.echoed) + chance.randrange(1, 3 * RATE // 2))
        source.end()
        _finish(source, sink, workers)
    except Stuck as stuck:
        report.violations.append(str(stuck))
    finally:
        source.abandon()
        for worker in workers:
            worker.kill()
        sink.end()
        broker.stop()
    report.events = source.sent
    report.own_ends = sum(worker.own_ends for worker in workers)
    report.violations += judge(source.sent, sink.echoed, sink.counts, exactly_once=guarantee == "exactly_once")
    return report


def _kill_once(broker: BrokerProcess, workers: list[Worker], chance: random.Random, report: Report) -> None:
    kinds = {"worker": 6, "both workers": 2, "broker": 3, "broker and worker": 1, "frozen worker": 1}
    what = chance.choices(list(kinds), list(kinds.values()))[0]
    report.kills[what] += 1
    if what == "frozen worker":
        chance.choice(workers).freeze()
        return
    if "broker" in what:
        broker.kill()
    victims = workers if what == "both workers" else [chance.choice(workers)] if "worker" in what else []
    for worker in victims:
        worker.kill()
    if "broker" in what:
        broker.start()
    for worker in victims:
        worker.start()


def _finish(source: Source, sink: Sink, workers: list[Worker]) -> None:
    for worker in workers:
        worker.mind()
    sink.wait_for(source.sent)
    sink.wait_for_counts(source.sent)
    for worker in workers:
        if (code := worker.stop()) != 0:
            raise Stuck(f"a worker that was asked to stop ended with exit code {code}; see {worker.log}")


def judge(sent: int, echoed: Counter[int], counts: dict[str, list[int]], *, exactly_once: bool) -> list[str]:
    """What is wrong with what came out, in sentences."""
    found = [f"event {number} was lost" for number in range(sent) if not echoed[number]]
    wanted = Counter(f"lane{number % LANES}" for number in range(sent))
    for lane, count in sorted(wanted.items()):
        seen = counts.get(lane, [])
        if exactly_once and seen != list(range(1, count + 1)):
            wrong = next((place for place, each in enumerate(seen) if each != place + 1), len(seen))
            found.append(
                f"{lane} has counted {seen[max(wrong - 2, 0) : wrong + 3]} around its {wrong + 1}th of {count}"
            )
        elif max(seen, default=0) < count:
            found.append(f"{lane} has counted to {max(seen, default=0)} of {count}")
    if exactly_once:
        found += [f"event {number} was echoed {times} times" for number, times in echoed.items() if times > 1]
    return found


@click.command()
@click.option("--kills", default=20, show_default=True)
@click.option("--seed", default=None, type=int, help="What decides who is killed and when; default: the time.")
@click.option("--against", type=click.Choice(["drave", "kafka"]), default="drave", show_default=True)
@click.option("--guarantee", type=click.Choice(["exactly_once", "at_least_once"]), default="exactly_once")
@click.option("--standby", default=0, show_default=True, help="Standby copies of each task.")
@click.option("--keep", type=click.Path(path_type=Path), default=None, help="A folder to leave data and logs in.")
def main(kills: int, seed: int | None, against: str, guarantee: str, standby: int, keep: Path | None) -> None:
    """Look for records of a stream app that are lost or doubled."""
    seed = int(time.time()) if seed is None else seed
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torture-") as scratch:
        folder = keep or Path(scratch)
        kind: type[BrokerProcess] = Drave if against == "drave" else Kafka
        report = run(kind(folder / "broker"), folder, guarantee=guarantee, standby=standby, kills=kills, seed=seed)
    for violation in report.violations[:20]:
        print(f"violation: {violation}")
    done = ", ".join(f"{what} {times}" for what, times in sorted(report.kills.items()))
    print(
        f"{against}, {guarantee}, standby {standby}, seed {seed}: {report.kills.total()} kills ({done}), "
        f"{report.own_ends} ended by themselves, {report.events:,} events, {len(report.violations)} violations, "
        f"{time.monotonic() - began:.0f} s"
    )
    sys.exit(1 if report.violations else 0)


if __name__ == "__main__":
    main()
