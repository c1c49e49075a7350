"""Reading what was committed: as it comes, while everything dies, and once more from the start when all is quiet."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from interop.verdicts import Place, Record
from torture.clients import RECONNECT, Worker
from torture.kills import Stuck

PATIENCE_S: Final = 240.0
"""How long nothing at all may happen. A program that lost its place in a group is back within some ten seconds, on a
machine that is not busy."""
READ_MAX: Final = 5_000


class Findings:
    """What went wrong while it ran, and where one waits for what goes right."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.failures: list[str] = []

    def fail(self, what: str) -> None:
        with self.changed:
            self.failures.append(what)
            self.changed.notify_all()

    def until(self, holds: Callable[[], bool], what: Callable[[], str]) -> None:
        """Wait until it holds, as whoever changes something tells. Raises Stuck when something failed or nothing
        comes of it."""
        with self.changed:
            came = self.changed.wait_for(lambda: holds() or bool(self.failures), PATIENCE_S)
        if self.failures:
            raise Stuck(self.failures[0])
        if not came:
            raise Stuck(f"not within {PATIENCE_S:.0f} s: {what()}")


class Follower(Worker):
    """Reads the committed records of a topic as they come, through every death of the broker."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, findings: Findings) -> None:
        self.records: list[Record] = []
        self.of_partition: Counter[int] = Counter()
        self._findings, self._topic, self._partitions = findings, topic, partitions
        self._consumer = _consumer(bootstrap)
        super().__init__(f"the follower of {topic}", findings.fail)

    def wait_for(self, more: int) -> None:
        """Until so many more records were committed."""
        wanted = len(self.records) + more
        self._findings.until(lambda: len(self.records) >= wanted, lambda: f"{wanted - len(self.records)} more records")

    def wait_for_each_partition(self, more: int) -> None:
        """Until so many more records were committed to every partition."""
        before = self.of_partition.copy()
        self._findings.until(
            lambda: all(self.of_partition[each] >= before[each] + more for each in range(self._partitions)),
            lambda: f"{more} more records in each partition than {before}; there are {self.of_partition}",
        )

    def work(self) -> None:
        with closing(self._consumer) as consumer:
            consumer.assign([TopicPartition(self._topic, partition, 0) for partition in range(self._partitions)])
            while not self._ending.is_set():
                if came := [_record(each) for each in consumer.consume(READ_MAX, timeout=0.1) if not each.error()]:
                    with self._findings.changed:
                        self.records += came
                        self.of_partition.update(record.place.partition for record in came)
                        self._findings.changed.notify_all()


@contextmanager
def following(bootstrap: str, topic: str, partitions: int, findings: Findings) -> Iterator[Follower]:
    """A follower for as long as the block lasts."""
    follower = Follower(bootstrap, topic, partitions, findings)
    try:
        yield follower
    finally:
        follower.end()
        follower.join(time.monotonic() + PATIENCE_S)


def read(bootstrap: str, topic: str, partitions: int, *, undecided_s: float = PATIENCE_S) -> list[Record]:
    """All that is committed, in the order of each partition. Raises Stuck where a transaction stays open at the end for
    longer than this."""
    undecided_until = time.monotonic() + undecided_s
    while True:
        deadline = time.monotonic() + PATIENCE_S
        with closing(_consumer(bootstrap, **{"enable.partition.eof": True})) as consumer:
            records, ends = _read_to_the_ends(consumer, topic, partitions, deadline)
        high = _high_watermarks(bootstrap, topic, partitions, deadline)
        if ends == high:
            return records
        if time.monotonic() >= undecided_until:
            raise Stuck(f"{topic} ends at {high}, and is decided up to {ends}: a transaction hangs")


def _read_to_the_ends(
    consumer: Any, topic: str, partitions: int, deadline: float
) -> tuple[list[Record], dict[int, int]]:
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    records: list[Record] = []
    ends: dict[int, int] = {}
    while len(ends) < partitions:
        for message in consumer.consume(READ_MAX, timeout=1):
            error = message.error()
            if error is None:
                records.append(_record(message))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # librdkafka's name for it
                ends[message.partition()] = message.offset()
        if time.monotonic() > deadline:
            raise Stuck(f"{topic} cannot be read to its end; {len(ends)} of {partitions} partitions were")
    return records, ends


def _high_watermarks(bootstrap: str, topic: str, partitions: int, deadline: float) -> dict[int, int]:
    """What is in the log, decided or not: one who reads what is committed would be told the last stable offset."""
    with closing(_consumer(bootstrap, **{"isolation.level": "read_uncommitted"})) as consumer:
        while True:
            try:
                return {
                    each: consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=10)[1]
                    for each in range(partitions)
                }
            except KafkaException:
                if time.monotonic() > deadline:
                    raise


def _consumer(bootstrap: str, **configs: object) -> Any:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "judge",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            **RECONNECT,
            **configs,
        }
    )


def _record(message: Any) -> Record:
    return Record(Place(message.partition(), message.offset()), message.key() or b"", message.value() or b"")
