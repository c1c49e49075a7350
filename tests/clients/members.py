"""Members of consumer groups, one class for each client, to be polled in turn by one test.

Run as a program it is one member in a process of its own, for tests that kill it:

    python -m tests.clients.members CLIENT BOOTSTRAP TOPIC GROUP        prints `assigned` and then each record's value
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeVar

import aiokafka
import confluent_kafka
from aiokafka.coordinator.assignors.range import RangePartitionAssignor as AioKafkaRange

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its schemas in a way that Python calls old
    import kafka
    from kafka.coordinator.assignors.range import RangePartitionAssignor as KafkaPythonRange

DEADLINE_S: Final = 120.0
POLL_S: Final = 0.05
HEARTBEAT_MS: Final = 200
"""How soon members hear of a rebalance."""
SESSION_MS: Final = 6_000
"""The shortest that brokers allow by default."""

T = TypeVar("T")


class Read(NamedTuple):
    """A record that a member has read."""

    partition: int
    offset: int
    value: bytes


class Member(Protocol):
    """One consumer that subscribes to one topic."""

    name: ClassVar[str]
    revoked: list[frozenset[int]]
    """What each rebalance took away."""

    def __init__(self, bootstrap: str, topic: str, group: str, **configs: Any) -> None: ...

    def poll(self) -> list[Read]:
        """What comes within a moment; a rebalance goes on meanwhile."""
        ...

    @property
    def partitions(self) -> frozenset[int]:
        """What it is assigned."""
        ...

    def commit(self) -> None:
        """Commit what was read, and wait for it."""
        ...

    def close(self) -> None:
        """Leave the group. The second time does nothing."""
        ...


class ConfluentMember:
    """confluent-kafka. Other configs go under librdkafka's names, `_` for `.`."""

    name = "confluent-kafka"

    def __init__(self, bootstrap: str, topic: str, group: str, **configs: Any) -> None:
        self.revoked: list[frozenset[int]] = []
        self.errors: list[int] = []
        own = {name.replace("_", "."): value for name, value in configs.items()}
        if own.get("group.protocol") != "consumer":  # there these are the broker's, and are refused
            own = {"heartbeat.interval.ms": HEARTBEAT_MS, "session.timeout.ms": SESSION_MS} | own
        self._consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 0,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "error_cb": lambda error: self.errors.append(error.code()),
                **own,
            }
        )
        self._ended = False
        self._consumer.subscribe([topic], on_revoke=self._on_revoke)

    def _on_revoke(self, _: Any, partitions: Sequence[confluent_kafka.TopicPartition]) -> None:
        self.revoked.append(frozenset(each.partition for each in partitions))

    def poll(self) -> list[Read]:
        read = []
        for message in self._consumer.consume(100, timeout=POLL_S):
            if (error := message.error()) is not None:
                self.errors.append(error.code())
            else:
                read.append(Read(message.partition() or 0, message.offset() or 0, message.value() or b""))
        return read

    @property
    def partitions(self) -> frozenset[int]:
        return frozenset(each.partition for each in self._consumer.assignment())

    def commit(self) -> None:
        self._consumer.commit(asynchronous=False)

    def close(self) -> None:
        if not self._ended:
            self._ended = True
            self._consumer.close()


class KafkaPythonMember:
    """kafka-python, on a thread of its own: a join that a short poll does not await is begun anew by the next one.

    Other configs go under its own names.
    """

    name = "kafka-python"

    def __init__(self, bootstrap: str, topic: str, group: str, **configs: Any) -> None:
        usual = {"partition_assignment_strategy": [KafkaPythonRange], "session_timeout_ms": SESSION_MS}
        self._consumer = kafka.KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=HEARTBEAT_MS,
            **(usual | configs),
        )
        self.revoked: list[frozenset[int]] = []
        self._consumer.subscribe([topic], listener=_KafkaPythonRebalances(self.revoked))
        self._read: queue.SimpleQueue[Read] = queue.SimpleQueue()
        self._asked: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = queue.SimpleQueue()
        self._assigned: frozenset[int] = frozenset()
        self._ended = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._ended:
            for records in self._consumer.poll(timeout_ms=400, max_records=100).values():
                for record in records:
                    self._read.put(Read(record.partition, record.offset, record.value))
            self._assigned = frozenset(each.partition for each in self._consumer.assignment())
            while not self._asked.empty():
                act, done = self._asked.get()
                act()
                done.set()

    def _ask(self, act: Callable[[], None]) -> None:
        done = threading.Event()
        self._asked.put((act, done))
        assert done.wait(DEADLINE_S)

    def poll(self) -> list[Read]:
        try:
            read = [self._read.get(timeout=POLL_S)]
        except queue.Empty:
            return []
        while not self._read.empty():
            read.append(self._read.get())
        return read

    @property
    def partitions(self) -> frozenset[int]:
        return self._assigned

    def commit(self) -> None:
        self._ask(self._consumer.commit)

    def close(self) -> None:
        def end() -> None:
            self._ended = True
            self._consumer.close()

        if not self._ended:
            self._ask(end)
            self._thread.join()


class _KafkaPythonRebalances(kafka.ConsumerRebalanceListener):  # type: ignore[misc]  # it has no types
    """Remembers what was taken away."""

    def __init__(self, revoked: list[frozenset[int]]) -> None:
        self._revoked = revoked

    def on_partitions_revoked(self, revoked: Sequence[Any]) -> None:
        if revoked:
            self._revoked.append(frozenset(each.partition for each in revoked))

    def on_partitions_assigned(self, assigned: Sequence[Any]) -> None:
        """Not asked for."""


class AioKafkaMember:
    """aiokafka, in an event loop on a thread of its own. Other configs go under its own names."""

    name = "aiokafka"

    def __init__(self, bootstrap: str, topic: str, group: str, **configs: Any) -> None:
        self.revoked: list[frozenset[int]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._consumer = self._run(self._make(bootstrap, topic, group, configs))
        # It starts by joining, and the others have to be polled for that to end.
        self._started = asyncio.run_coroutine_threadsafe(self._consumer.start(), self._loop)

    async def _make(
        self, bootstrap: str, topic: str, group: str, configs: Mapping[str, Any]
    ) -> aiokafka.AIOKafkaConsumer:
        usual = {"partition_assignment_strategy": [AioKafkaRange], "session_timeout_ms": SESSION_MS}
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=HEARTBEAT_MS,
            **(usual | configs),
        )
        consumer.subscribe([topic], listener=_AioKafkaRebalances(self.revoked))
        return consumer

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    def poll(self) -> list[Read]:
        try:
            self._started.result(POLL_S)
        except TimeoutError:
            return []
        polled = self._run(self._consumer.getmany(timeout_ms=int(POLL_S * 1000)))
        return [
            Read(record.partition, record.offset, record.value or b"")
            for records in polled.values()
            for record in records
        ]

    @property
    def partitions(self) -> frozenset[int]:
        return frozenset(each.partition for each in self._consumer.assignment())

    def commit(self) -> None:
        self._run(self._consumer.commit())

    def close(self) -> None:
        if not self._loop.is_closed():
            self._run(self._consumer.stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class _AioKafkaRebalances(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]  # it has no types
    """Remembers what was taken away."""

    def __init__(self, revoked: list[frozenset[int]]) -> None:
        self._revoked = revoked

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        if taken := frozenset(each.partition for each in revoked):
            self._revoked.append(taken)

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Not asked for."""


MEMBERS: Final[tuple[type[Member], ...]] = (ConfluentMember, AioKafkaMember, KafkaPythonMember)


def poll_until(members: Sequence[Member], holds: Callable[[], bool], what: str) -> dict[Member, list[Read]]:
    """Poll all members in turn until something holds; what they read on the way is returned."""
    deadline = time.monotonic() + DEADLINE_S
    read: dict[Member, list[Read]] = {member: [] for member in members}
    while not holds():
        assert time.monotonic() < deadline, f"{what} within {DEADLINE_S:.0f} s: {[each.partitions for each in members]}"
        for member in members:
            read[member] += member.poll()
    return read


def poll_for(members: Sequence[Member], count: int) -> dict[Member, list[Read]]:
    """Poll all members in turn until together they have read so many records."""
    deadline = time.monotonic() + DEADLINE_S
    read: dict[Member, list[Read]] = {member: [] for member in members}
    while (come := sum(map(len, read.values()))) < count:
        assert time.monotonic() < deadline, f"{come} of {count} records came within {DEADLINE_S:.0f} s"
        for member in members:
            read[member] += member.poll()
    return read


def shared(members: Sequence[Member], partitions: int) -> bool:
    """Whether the members have all partitions between them, each one, and none is without."""
    owned = [partition for member in members for partition in member.partitions]
    return all(member.partitions for member in members) and sorted(owned) == list(range(partitions))


def main(client: str, bootstrap: str, topic: str, group: str) -> None:
    """Consume until killed."""
    member = next(each for each in MEMBERS if each.name == client)(bootstrap, topic, group)
    assigned = False
    while True:
        for read in member.poll():
            print(read.value.decode(), flush=True)
        if not assigned and member.partitions:
            assigned = True
            print("assigned", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
