"""MirrorMaker 2, with exactly-once sources, mirrors a topic and a group from one broker to another.

    one broker                              another
      numbers  ───── MirrorMaker 2 ─────>  one.numbers     each number once, in the partition of its original
      group "readers" at offset n  ─────>  the same group at n, translated

The other is always Drave: with `--against kafka` the topic and the group move from Apache Kafka to Drave while they are
in use. All three processes are killed.
"""

from __future__ import annotations

import time
from typing import Any, Final

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.brokers import Drave
from interop.numbers import fill, numbers
from interop.programs import Library, Program
from interop.reading import PATIENCE_S, Findings, following, read
from interop.stage import PARTITIONS, Outcome, Stage
from interop.verdicts import copied, unchanged
from torture.clients import RECONNECT
from torture.kills import Stuck

MAIN: Final = "org.apache.kafka.connect.mirror.MirrorMaker"
TOPIC: Final = "numbers"
MIRRORED: Final = f"one.{TOPIC}"
GROUP: Final = "readers"
NUMBERS_PER_BLOW: Final = 2_000
"""In each partition."""
BLOWS: Final = ("mirrored broker killed", "target broker killed", "MirrorMaker killed", "all three killed")


def run(stage: Stage) -> Outcome:
    """Mirror until all blows have fallen and all is mirrored, and a group has come along."""
    library = Library("kafka")
    with Drave(stage.folder / "target") as target:
        other = Stage(target, stage.folder, stage.chance, stage.kills)
        stage.create(TOPIC, retention_ms="-1")
        other.create(MIRRORED, retention_ms="-1")
        mirror = Program("mirror", library.java(MAIN, _configs(stage, other)), stage.folder)
        went_in = numbers(PARTITIONS, NUMBERS_PER_BLOW * (stage.kills + 1))
        size = sum(map(len, went_in.values()))
        findings = Findings()
        try:
            with following(other.bootstrap, MIRRORED, PARTITIONS, findings) as follower:
                fill(stage.bootstrap, TOPIC, _share(went_in, 0))
                mirror.start()
                for number, blow in enumerate(stage.blows(BLOWS), 1):
                    sooner = stage.chance.choice((1, NUMBERS_PER_BLOW, NUMBERS_PER_BLOW * PARTITIONS))
                    before = (number - 1) * NUMBERS_PER_BLOW * PARTITIONS
                    follower.wait_for(before + sooner - len(follower.records))
                    fill(stage.bootstrap, TOPIC, _share(went_in, number))
                    _strike(blow, stage, other, mirror)
                follower.wait_for(size - len(follower.records))
                each = len(went_in[0])
                _commit(stage.bootstrap, dict.fromkeys(range(PARTITIONS), each))
                _wait_for_the_group(other.bootstrap, dict.fromkeys(range(PARTITIONS), each))
        finally:
            mirror.stop()
        there = read(other.bootstrap, MIRRORED, PARTITIONS)
    violations = unchanged(MIRRORED, follower.records, there) + copied(MIRRORED, went_in, there)
    facts = [stage.deaths(), f"{size:,} numbers", "a group's offsets at the other end"]
    return Outcome(library.version("connect-mirror"), facts, violations)


def _share(went_in: dict[int, list[bytes]], number: int) -> dict[int, list[bytes]]:
    """What is put there before this blow."""
    some = slice(number * NUMBERS_PER_BLOW, (number + 1) * NUMBERS_PER_BLOW)
    return {partition: those[some] for partition, those in went_in.items()}


def _strike(blow: str, stage: Stage, other: Stage, mirror: Program) -> None:
    everything = "all" in blow
    if everything or "MirrorMaker" in blow:
        mirror.kill()
    if everything or "mirrored" in blow:
        stage.kill_the_broker()
    if everything or "target" in blow:
        other.kill_the_broker()
    if everything or "MirrorMaker" in blow:
        mirror.start()


def _commit(bootstrap: str, offsets: dict[int, int]) -> None:
    """As a member of the group that has read so far would."""
    consumer: Any = Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP, **RECONNECT})
    where = [TopicPartition(TOPIC, partition, offset) for partition, offset in offsets.items()]
    consumer.commit(offsets=where, asynchronous=False)
    consumer.close()


def _wait_for_the_group(bootstrap: str, offsets: dict[int, int]) -> None:
    """Until the group stands at the other end where it stood at the first: each number is one record there too, but a
    transaction's end takes an offset, so it stands at as many records and not at the same offset."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    ends = {
        place.partition: place.offset for place in (record.place for record in read(bootstrap, MIRRORED, PARTITIONS))
    }
    deadline = time.monotonic() + PATIENCE_S
    while True:
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP)])[GROUP].result(PATIENCE_S)
        found = {each.partition: each.offset for each in asked.topic_partitions if each.topic == MIRRORED}
        if found.keys() == offsets.keys() and all(found[each] > ends[each] for each in ends):
            return
        if time.monotonic() > deadline:
            raise Stuck(f"{GROUP} stands at {found} of {MIRRORED}, whose last records are at {ends}")


def _configs(stage: Stage, other: Stage) -> str:
    configs: dict[str, object] = {
        "clusters": "one, another",
        "one.bootstrap.servers": stage.bootstrap,
        "another.bootstrap.servers": other.bootstrap,
        "one->another.enabled": "true",
        "another->one.enabled": "false",
        "another->one.emit.heartbeats.enabled": "false",
        "one->another.topics": TOPIC,
        "one->another.groups": GROUP,
        "one->another.sync.group.offsets.enabled": "true",
        "sync.group.offsets.interval.seconds": 1,
        "emit.checkpoints.interval.seconds": 1,
        "refresh.topics.interval.seconds": 5,
        "refresh.groups.interval.seconds": 1,
        "offset.lag.max": 0,
        "dedicated.mode.enable.internal.rest": "true",
        "listeners": "http://127.0.0.1:0",
        "another.exactly.once.source.support": "enabled",
        "another.scheduled.rebalance.max.delay.ms": 0,
        "another.session.timeout.ms": 6_000,
        "another.heartbeat.interval.ms": 1_000,
        "reconnect.backoff.max.ms": 200,
        "replication.factor": 1,
        **{f"{each}.topic.replication.factor": 1 for each in ("checkpoints", "heartbeats", "offset-syncs")},
        **{f"{each}.storage.replication.factor": 1 for each in ("offset", "config", "status")},
    }
    path = stage.folder / "mirror.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in configs.items()))
    return str(path)
