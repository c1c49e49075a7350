"""A real broker, killed again and again under load, and what was left of it judged.

    start ── load ── kill -9 ── start ── load ── kill -9 ── … ── stop the load, let it settle, read everything, judge

The seed decides when each kill falls: mostly after some acknowledgements, sometimes right after the start, sometimes
before the broker answers at all.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.brokers import BrokerProcess
from torture.clients import PATIENCE_S, TOPIC, IdempotentProducer, Member, Worker, mark_of
from torture.history import History, Mark, Stand

PRODUCERS: Final = 3
PARTITIONS: Final = 4
GROUPS: Final = ("prices", "zones")
MEMBERS: Final = 2


class Stuck(Exception):
    """The broker is back, and yet nothing moves."""


@dataclass
class Report:
    """What a run came to."""

    kills: int = 0
    records: int = 0
    commits: int = 0
    answers_s: list[float] = field(default_factory=list)
    """From each start of the process to its first answered request."""
    acknowledges_s: list[float] = field(default_factory=list)
    """From each start of the process to its first acknowledged record."""
    violations: list[str] = field(default_factory=list)

    @staticmethod
    def median_and_max(times: list[float]) -> str:
        return f"{statistics.median(times):.2f} s, at most {max(times):.2f} s" if times else "-"


def run(broker: BrokerProcess, *, kills: int, seed: int, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Load the broker, kill it so many times, and judge. The broker is left stopped."""
    chance = random.Random(seed)
    history, report = History(), Report()
    try:
        broker.start()
        _create(broker, TOPIC, PARTITIONS)
        producers: list[Worker] = [
            IdempotentProducer(broker.bootstrap, number, PARTITIONS, history) for number in range(PRODUCERS)
        ]
        members: list[Worker] = [
            Member(broker.bootstrap, group, number, history) for group in GROUPS for number in range(MEMBERS)
        ]
        _wait_for_load(history, acknowledgements=500, commits=1)
        for kill in range(kills):
            _kill_once(broker, kill, chance, history, report)
            progress(f"kill {kill + 1} of {kills}: {len(history.acknowledged):,} records acknowledged")
        _wait_for_load(history, acknowledgements=500, commits=1)
        _end(producers)
        _let_groups_finish(broker, history)
        _end(members)
        broker.restart()
        report.violations = _judge(broker, history)
    except Stuck as stuck:
        report.violations = [*history.refused, *history.went_back, str(stuck)]
    finally:
        broker.stop()
    report.records, report.commits = len(history.acknowledged), sum(history.commits.values())
    return report


def _end(workers: list[Worker]) -> None:
    for worker in workers:
        worker.end()
    deadline = time.monotonic() + 2 * PATIENCE_S
    for worker in workers:
        worker.join(deadline)


def _kill_once(broker: BrokerProcess, kill: int, chance: random.Random, history: History, report: Report) -> None:
    moment = chance.random()
    if moment < 0.1 and broker.product == "Drave":
        broker.kill()
        start_and_kill(broker, chance.uniform(0.0, 0.3))
    elif moment < 0.3:
        _wait_for_load(history, acknowledgements=chance.randrange(1, 20), commits=0)
    else:
        _try_to_create(broker, f"made-{kill}", history)
        _wait_for_load(history, acknowledgements=chance.randrange(200, 2000), commits=chance.randrange(3))
    broker.kill()
    report.kills += 1
    before = len(history.acknowledged)
    started = time.perf_counter()
    report.answers_s.append(broker.start())
    with history.changed:
        history.changed.wait_for(lambda: len(history.acknowledged) > before or history.refused, PATIENCE_S)
    report.acknowledges_s.append(time.perf_counter() - started)


def start_and_kill(broker: BrokerProcess, after_s: float) -> None:
    """Start, and kill so soon that recovery itself may be hit."""

    def strike() -> None:
        with suppress(RuntimeError):  # so soon that there is no process yet
            broker.process.kill()

    timer = threading.Timer(after_s, strike)
    timer.start()
    with suppress(RuntimeError):  # it died before it answered, which is what was wanted
        broker.start()
    timer.join()
    broker.kill()


def _wait_for_load(history: History, *, acknowledgements: int, commits: int) -> None:
    """Until so many more records were acknowledged, and each group has committed so often again. Raises Stuck."""
    with history.changed:
        wanted = len(history.acknowledged) + acknowledgements
        commits_wanted = {group: history.commits[group] + commits for group in GROUPS}

        def moved() -> bool:
            done = len(history.acknowledged) >= wanted
            return done and all(history.commits[group] >= count for group, count in commits_wanted.items())

        if not history.changed.wait_for(lambda: moved() or bool(history.refused), PATIENCE_S):
            short = {group: count - history.commits[group] for group, count in commits_wanted.items()}
            raise Stuck(
                f"within {PATIENCE_S:.0f} s only {len(history.acknowledged) - wanted + acknowledgements} of "
                f"{acknowledgements} records were acknowledged; commits missing: {short}"
            )
        if history.refused:
            raise Stuck("a client gave up")


def _let_groups_finish(broker: BrokerProcess, history: History) -> None:
    """Until each group has committed the end of every partition."""
    ends = {partition: len(list(_read(broker, partition))) for partition in range(PARTITIONS)}
    wanted = {Stand(group, partition): end for group in GROUPS for partition, end in ends.items() if end}

    def finished() -> bool:
        return all(history.committed.get(stand, 0) >= end for stand, end in wanted.items())

    with history.changed:
        if not history.changed.wait_for(finished, PATIENCE_S):
            late = {stand: end - history.committed.get(stand, 0) for stand, end in wanted.items()}
            raise Stuck(f"groups did not reach the ends within {PATIENCE_S:.0f} s; still to go: {late}")


def _create(broker: BrokerProcess, topic: str, partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(topic, partitions)])[topic].result(PATIENCE_S)


def _try_to_create(broker: BrokerProcess, topic: str, history: History) -> None:
    with suppress(KafkaException):  # not acknowledged: no promise was made
        _create(broker, topic, 1)
        history.create(topic)


def _read(broker: BrokerProcess, partition: int) -> list[tuple[int, Mark]]:
    """Every record of a partition, as a fresh consumer finds it."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": "judge", "enable.auto.commit": False, "log_level": 0}
    )
    where = TopicPartition(TOPIC, partition, 0)
    end = _high_watermark(consumer, where)
    consumer.assign([where])
    records: list[tuple[int, Mark]] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(records) < end:
        messages = [each for each in consumer.consume(min(1000, end - len(records)), timeout=1) if not each.error()]
        records += [(each.offset() or 0, mark_of(each.value() or b"")) for each in messages]
        if time.monotonic() > deadline:
            raise Stuck(f"partition {partition} ends at {end}, but only {len(records)} records can be read")
    consumer.close()
    return records


def _high_watermark(consumer: Consumer, where: TopicPartition) -> int:
    """The high watermark; Apache Kafka answers before it leads."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            end: int = consumer.get_watermark_offsets(where, timeout=PATIENCE_S)[1]
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return end


def _judge(broker: BrokerProcess, history: History) -> list[str]:
    partitions = {partition: _read(broker, partition) for partition in range(PARTITIONS)}
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    ends: dict[Stand, int] = {}
    for group in GROUPS:
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(PATIENCE_S)
        ends |= {Stand(group, each.partition): each.offset for each in asked.topic_partitions}
    topics = admin.list_topics(timeout=PATIENCE_S).topics
    return history.violations(partitions, ends=ends, topics=topics)
