"""The load: idempotent producers and consumer groups of confluent-kafka, each in a thread of its own.

They are built to live through anything: they never give up, and tell the history what they were told.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from torture.history import History, Mark, Place, Stand

TOPIC: Final = "torture"
IN_FLIGHT_MAX: Final = 200
"""So many records of one producer wait for their acknowledgements at most."""
COMMIT_EVERY_S: Final = 0.1
PATIENCE_S: Final = 60.0

RECONNECT: Final = {"reconnect.backoff.ms": 5, "reconnect.backoff.max.ms": 50, "log_level": 0}
"""For clients that live through the deaths of a broker: they are back as soon as it is."""


def value_of(mark: Mark) -> bytes:
    """What a record holds: its name, and something to carry."""
    return b"%d %d %s" % (mark.producer, mark.number, b"." * (mark.number % 500))


def mark_of(value: bytes) -> Mark:
    """The name a record holds."""
    producer, number, _ = value.split(b" ", 2)
    return Mark(int(producer), int(number))


class Worker:
    """A thread that works until it is told to end, and whose failure is not lost."""

    def __init__(self, name: str, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ending.set()

    def join(self, deadline: float) -> None:
        """Wait for its end until a moment of the monotonic clock; not to end is a finding, and its stack is shown."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001  # there is no other way to see it
            where = traceback.extract_stack(frame)[-1] if frame else "nowhere"
            self._failed(f"{self._thread.name} does not end; it is in {where}")

    def _run(self) -> None:
        try:
            self.work()
        except Exception as error:  # whatever ends a worker early is a finding
            self._failed(f"{self._thread.name}: {type(error).__name__}: {error}")

    def work(self) -> None:
        raise NotImplementedError


class IdempotentProducer(Worker):
    """Sends numbered records to all partitions in turn until the end, then waits for every acknowledgement."""

    def __init__(self, bootstrap: str, number: int, partitions: int, history: History) -> None:
        self._number, self._partitions, self._history = number, partitions, history
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": number % 3,  # one sends each record by itself, the others in batches
                "message.timeout.ms": 0,  # without end: what was sent has to arrive
                **RECONNECT,
            }
        )
        super().__init__(f"producer {number}", history_failure(history))

    def work(self) -> None:
        while not self._ending.is_set():
            while len(self._producer) >= IN_FLIGHT_MAX:
                self._producer.poll(0.005)
                if self._ending.is_set():
                    break
            mark = self._history.send(self._number)
            self._producer.produce(
                TOPIC, value_of(mark), partition=mark.number % self._partitions, on_delivery=self._delivered(mark)
            )
            self._producer.poll(0)
        if left := self._producer.flush(PATIENCE_S):
            raise TimeoutError(f"{left} records were not acknowledged within {PATIENCE_S:.0f} s")
        self._producer.close()

    def _delivered(self, mark: Mark) -> Callable[[KafkaError | None, Message], None]:
        def told(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._history.refuse(mark, error.str())
            else:
                self._history.acknowledge(mark, Place(message.partition() or 0, message.offset() or 0))

        return told


class Member(Worker):
    """One member of a group: reads, and commits what it has read, until the group has reached the ends."""

    def __init__(self, bootstrap: str, group: str, number: int, history: History) -> None:
        self._group, self._history = group, history
        self._position: dict[int, int] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": 6_000,
                "heartbeat.interval.ms": 500,
                "fetch.wait.max.ms": 100,
                **RECONNECT,
            }
        )
        super().__init__(f"member {number} of {group}", history_failure(history))

    def work(self) -> None:
        self._consumer.subscribe([TOPIC], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        next_commit = time.monotonic()
        while not self._ending.is_set():
            for message in self._consumer.consume(500, timeout=0.05):
                if message.error() is None:
                    place = Place(message.partition() or 0, message.offset() or 0)
                    self._history.see(self._group, place)
                    self._position[place.partition] = place.offset + 1
            if time.monotonic() >= next_commit:
                self._commit()
                next_commit = time.monotonic() + COMMIT_EVERY_S
        self._commit()
        self._consumer.close()

    def _assigned(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        stands = [Stand(self._group, each.partition) for each in partitions]
        expected = [self._history.standing(stand) for stand in stands]
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                found = consumer.committed(partitions, timeout=5)
                break
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
        for stand, at_least, each in zip(stands, expected, found, strict=True):
            self._history.resume(stand, max(each.offset, 0), at_least)

    def _revoked(self, _: Any, partitions: list[TopicPartition]) -> None:
        self._commit()
        self._lost(_, partitions)

    def _lost(self, _: Any, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._position.pop(each.partition, None)

    def _commit(self) -> None:
        offsets = [TopicPartition(TOPIC, partition, offset) for partition, offset in self._position.items()]
        if not offsets:
            return
        try:
            done = self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException:
            return  # not acknowledged: no promise was made
        for each in done or ():
            if each.error is None:
                self._history.commit(Stand(self._group, each.partition), each.offset)


def history_failure(history: History) -> Callable[[str], None]:
    """Where a worker's failure goes: into the findings."""

    def failed(what: str) -> None:
        with history.changed:
            history.refused.append(what)
            history.changed.notify_all()

    return failed
