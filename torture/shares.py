"""Work queues for hours: members of a share group, of librdkafka and of Java, killed with their broker.

    a source ─▶ torture ─▶ 3 members of librdkafka and 1 of Java ─▶ accepted      ╲
                            │  kill -9, frozen past their locks, sent away         ├▶ torture/deliveries.py judges
                            └▶ released again and again, rejected ─▶ dead letters ╱
               broker: kill -9, start; in the second half it is spared, and its memory looked at

`python -m torture.shares --kills 60 --every 10` takes ten minutes.
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
from typing import IO, Any, Final

import click
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from bench import reference
from bench.brokers import BrokerProcess, Drave
from conformance.python.groups import begin_at_earliest
from drave.client.connection import Connection
from drave.client.topics import Topics
from torture.clients import PATIENCE_S, RECONNECT, TOPIC, Worker
from torture.deliveries import ACCEPT, Deliveries
from torture.history import Place

GROUP: Final = "work"
LETTERS: Final = "torture.failed"
PARTITIONS: Final = 4
MEMBERS: Final = 3
"""Of librdkafka."""
RATE: Final = 200
"""Records a second."""
LOCK_S: Final = 15
LIMIT: Final = 5
GROWTH_BYTES_MAX: Final = 32 * 1024 * 1024
"""So much more memory the broker may have at the end of the quiet half than after its beginning."""
SETTINGS: Final = {
    "group.share.record.lock.duration.ms": f"{LOCK_S * 1000}",
    "group.share.delivery.count.limit": f"{LIMIT}",
    "group.share.session.timeout.ms": "6000",
    "group.share.min.session.timeout.ms": "6000",
    "group.share.heartbeat.interval.ms": "1000",
    "group.share.min.heartbeat.interval.ms": "1000",
}
"""A member that is killed is missed soon, for meanwhile nobody may read its partitions."""
NOISY: Final = {"member": 6, "all members": 1, "broker": 4, "broker and member": 2, "frozen member": 1, "leaver": 2}
QUIET: Final = {"member": 6, "all members": 1, "frozen member": 2, "leaver": 3}


class Source(Worker):
    """Records at a steady rate, and where each of them is."""

    def __init__(self, bootstrap: str, failed: list[str]) -> None:
        self.written: set[Place] = set()
        configs = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "message.timeout.ms": 0}
        self._producer = Producer(configs | RECONNECT)
        super().__init__("source", failed.append)

    def work(self) -> None:
        number = 0
        while not self._ending.wait(0.05):
            for _ in range(RATE // 20):
                self._producer.produce(TOPIC, b"%d" % number, partition=number % PARTITIONS, on_delivery=self._told)
                number += 1
            self._producer.poll(0)
        if left := self._producer.flush(PATIENCE_S):
            self._failed(f"{left} records were not acknowledged within {PATIENCE_S:.0f} s")
        self._producer.close()

    def _told(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed(f"a record was refused: {error.str()}")
        else:
            self.written.add(Place(message.partition() or 0, message.offset() or 0))


class Letters(Worker):
    """Reads the dead letters, whose headers say of what."""

    def __init__(self, bootstrap: str, deliveries: Deliveries, failed: list[str]) -> None:
        self._deliveries = deliveries
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "judge", "enable.auto.commit": False, **RECONNECT}
        )
        super().__init__("reader of dead letters", failed.append)

    def work(self) -> None:
        self._consumer.assign([TopicPartition(LETTERS, each, 0) for each in range(PARTITIONS)])
        while not self._ending.is_set():
            for message in self._consumer.consume(500, 0.1):
                if message.error() is None:
                    headers = dict(message.headers() or ())
                    partition, offset = (
                        int(headers[f"__dlq.errors.{name}"] or b"") for name in ("partition", "offset")
                    )
                    self._deliveries.buried(Place(partition, offset))
        self._consumer.close()


class Member:
    """One process, and the one that takes its place when it is gone. What it prints is told to `deliveries`."""

    product = "librdkafka"

    def __init__(self, bootstrap: str, number: int, folder: Path, deliveries: Deliveries) -> None:
        self._bootstrap = bootstrap
        self._number = number
        self._log = folder / f"{self.product}-{number}.log"
        self._deliveries = deliveries
        self._said: list[tuple[Place, str]] = []
        self._lives = 0
        self.start()

    def command(self) -> list[str]:
        return [sys.executable, "-m", "torture.shares_worker", self._bootstrap, GROUP]

    def start(self) -> None:
        self._lives += 1
        self._name = f"{self.product} {self._number}, life {self._lives}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True
            )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._listen, args=(self._name, self._process.stdout))
        self._reader.start()

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        self._deliveries.ends.setdefault(self._name, time.monotonic())
        self._process.kill()
        self._gone()

    def freeze(self) -> None:
        """Stand still until its locks are over, and never come back."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(LOCK_S + 2)
        self.kill()

    def leave(self) -> None:
        """Be asked to go: it gives back what it has."""
        self._deliveries.ends.setdefault(self._name, time.monotonic())
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        finally:
            self.kill()

    def _gone(self) -> None:
        self._process.wait()
        self._reader.join()

    def _listen(self, name: str, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                if line.endswith("\n"):  # else it was killed in the middle of it
                    self._hear(name, json.loads(line))

    def _hear(self, name: str, event: dict[str, Any]) -> None:
        at, what = event["at"], event["what"]
        if event["kind"] == "given":
            self._deliveries.given(name, at, [(Place(partition, offset), count) for partition, offset, count in what])
        elif event["kind"] == "said":
            self._said = [(Place(partition, offset), verdict) for partition, offset, verdict in what]
            self._deliveries.said(name, at, self._said)
        else:
            taken = [place for place, verdict in self._said if verdict == ACCEPT and place.partition in what]
            self._deliveries.taken(name, at, taken)


class JavaMember(Member):
    """Kafka's own verifiable share consumer, which accepts everything."""

    product = "java"

    def command(self) -> list[str]:
        named = ("--bootstrap-server", self._bootstrap, "--topic", TOPIC, "--group-id", GROUP)
        tool = "org.apache.kafka.tools.VerifiableShareConsumer"
        return reference.java("-Xmx192m", tool, *named, "--acknowledgement-mode", "sync")

    def _hear(self, name: str, event: dict[str, Any]) -> None:
        at = event["timestamp"] / 1000 + time.monotonic() - time.time()
        places = [
            Place(part["partition"], offset) for part in event.get("partitions", ()) for offset in part["offsets"]
        ]
        if event["name"] == "records_consumed":
            self._deliveries.given(name, at, [(place, 0) for place in places])
            self._deliveries.said(name, at, [(place, ACCEPT) for place in places])
        elif event["name"] == "offsets_acknowledged" and event["success"]:
            self._deliveries.taken(name, at, places)


@dataclass
class Report:
    """What a run came to."""

    kills: Counter[str] = field(default_factory=Counter)
    written: int = 0
    deliveries: int = 0
    letters: int = 0
    resident_bytes: list[int] = field(default_factory=list)
    """After each kill of the half in which the broker is spared."""
    violations: list[str] = field(default_factory=list)


def run(broker: BrokerProcess, folder: Path, *, kills: int, every_s: float, seed: int, java: bool) -> Report:
    """Start everything, kill so often, let the queue become empty, and judge. The broker is left stopped."""
    chance, report = random.Random(seed), Report()
    deliveries = Deliveries(lock_s=LOCK_S, limit=LIMIT)
    broker.start()
    _prepare(broker.bootstrap)
    source = Source(broker.bootstrap, report.violations)
    letters = Letters(broker.bootstrap, deliveries, report.violations)
    members = [Member(broker.bootstrap, number, folder, deliveries) for number in range(MEMBERS)]
    if java:
        members.append(JavaMember(broker.bootstrap, MEMBERS, folder, deliveries))
    try:
        for kill in range(kills):
            time.sleep(chance.uniform(0.5, 1.5) * every_s)
            is_quiet = kill >= kills // 2
            _kill_once(broker, members, chance, deliveries, QUIET if is_quiet else NOISY, report)
            if is_quiet:
                report.resident_bytes.append(broker.resident_bytes())
        _finish(source, members, deliveries, report)
    finally:
        for worker in (source, letters):
            worker.end()
            worker.join(time.monotonic() + 2 * PATIENCE_S)
        for member in members:
            member.kill()
        broker.stop()
    report.written, report.letters = len(source.written), len(deliveries.letters)
    report.deliveries = sum(event.kind == "given" for events in deliveries.events.values() for event in events)
    report.violations += deliveries.violations(source.written)
    sizes = report.resident_bytes
    if len(sizes) > 2 and sizes[-1] > sizes[1] + GROWTH_BYTES_MAX:
        report.violations.append(f"the broker's memory grew from {sizes[1]:,} to {sizes[-1]:,} bytes")
    return report


def _prepare(bootstrap: str) -> None:
    topics = Topics(Connection(bootstrap=bootstrap))
    topics.create(LETTERS, partitions=PARTITIONS, configs={"errors.deadletterqueue.group.enable": "true"})
    topics.create(TOPIC, partitions=PARTITIONS, configs={"drave.dead.letter.topic": LETTERS})
    begin_at_earliest(bootstrap, group=GROUP)


def _has_java() -> bool:
    try:
        reference.library()
    except reference.Missing as missing:
        print(f"without a member of Java: {missing}", file=sys.stderr)
        return False
    return True


def _kill_once(
    broker: BrokerProcess,
    members: list[Member],
    chance: random.Random,
    deliveries: Deliveries,
    kinds: dict[str, int],
    report: Report,
) -> None:
    for each in members:
        if each.has_ended:
            report.violations.append("a member ended by itself; its log says why")
            each.start()
    what = chance.choices(list(kinds), list(kinds.values()))[0]
    report.kills[what] += 1
    member = chance.choice(members)
    if "broker" in what:
        deliveries.broker_ends.append(time.monotonic())
        broker.kill()
    victims = members if what == "all members" else [member] if "member" in what or what == "leaver" else []
    for each in victims:
        {"frozen member": each.freeze, "leaver": each.leave}.get(what, each.kill)()
    if "broker" in what:
        broker.start()
    for each in victims:
        each.start()


def _finish(source: Source, members: list[Member], deliveries: Deliveries, report: Report) -> None:
    """Until every record was accepted, or has its dead letter."""
    source.end()
    source.join(time.monotonic() + 2 * PATIENCE_S)
    for member in members:
        if member.has_ended:
            member.start()
    with deliveries.changed:
        if not deliveries.changed.wait_for(lambda: len(deliveries.settled) >= len(source.written), 2 * PATIENCE_S):
            report.violations.append(f"the queue was not empty after {2 * PATIENCE_S:.0f} s")


@click.command()
@click.option("--kills", default=20, show_default=True)
@click.option("--every", "every_s", default=3.0, show_default=True, help="Seconds between two kills, more or less.")
@click.option("--seed", default=None, type=int, help="What decides who is killed and when; default: the time.")
@click.option("--keep", type=click.Path(path_type=Path), default=None, help="A folder to leave data and logs in.")
def main(kills: int, every_s: float, seed: int | None, keep: Path | None) -> None:
    """Look for records of a queue that are lost, or in two hands at a time."""
    seed = int(time.time()) if seed is None else seed
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torture-") as scratch:
        folder = keep or Path(scratch)
        broker = Drave(folder / "broker", settings=SETTINGS)
        report = run(broker, folder, kills=kills, every_s=every_s, seed=seed, java=_has_java())
    for violation in report.violations[:20]:
        print(f"violation: {violation}")
    done = ", ".join(f"{what} {times}" for what, times in sorted(report.kills.items()))
    sizes = [size / 1e6 for size in report.resident_bytes]
    memory = f"{sizes[0]:.0f} MB to {sizes[-1]:.0f} MB, {max(sizes):.0f} at most" if sizes else "not looked at"
    print(
        f"share group, seed {seed}: {report.kills.total()} kills ({done}), {report.written:,} records, "
        f"{report.deliveries:,} deliveries, {report.letters:,} dead letters, memory of the quiet half {memory}, "
        f"{len(report.violations)} violations, {time.monotonic() - began:.0f} s"
    )
    sys.exit(1 if report.violations else 0)


if __name__ == "__main__":
    main()
