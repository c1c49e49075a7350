"""One broker for this room, fresh topics and groups for each test, and a listener that remembers what it was told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import pytest

from differential.client import Connection as WireConnection
from drave.client.connection import Connection
from drave.client.topics import Topics
from drave.model.errors import ErrorCode
from drave.streams.kafka import consuming, producing
from drave.streams.kafka.transport import KafkaTransport
from drave.streams.transport import Committed, Message, Place
from drave.testing import Broker
from drave.wire.messages.k13_leave_group import LeaveGroupRequest, MemberIdentity

PATIENCE_MS = 300_000


class Listener:
    """Remembers what it was told; `on_assigned` and `on_revoked` are what it does then."""

    def __init__(self) -> None:
        self.held: set[Place] = set()
        self.told: list[tuple[str, list[Place]]] = []
        self.on_assigned: Callable[[Sequence[Place]], object] = lambda places: None
        self.on_revoked: Callable[[], object] = lambda: None

    def assigned(self, places: Sequence[Place]) -> None:
        self.on_assigned(places)
        self.told.append(("assigned", sorted(places)))
        self.held.update(places)

    def revoked(self, places: Sequence[Place]) -> None:
        self.told.append(("revoked", sorted(places)))
        self.on_revoked()
        self.held.difference_update(places)

    def lost(self, places: Sequence[Place]) -> None:
        self.told.append(("lost", sorted(places)))
        self.held.difference_update(places)


class Cluster:
    """A broker, and topics and apps with names of their own."""

    def __init__(self, broker: Broker, names: Iterator[int]) -> None:
        self.broker = broker
        self.connection = Connection(bootstrap=broker.bootstrap, properties={"log_level": "0"})
        self._names = names
        self.app = f"app-{next(names)}"
        self._producer = self.connection.producer()
        self._made: list[KafkaTransport] = []

    def topic(self, partitions: int = 1, **configs: str) -> str:
        name = f"topic-{next(self._names)}"
        Topics(self.connection).create(
            name, partitions=partitions, configs={name.replace("_", "."): text for name, text in configs.items()}
        )
        return name

    def transport(self, worker: str | None = "w1", **more: Any) -> KafkaTransport:
        made = KafkaTransport(self.connection, self.app, worker=worker, **more)
        self._made.append(made)
        return made

    def joined(self, *topics: str, worker: str | None = "w1", **more: Any) -> tuple[KafkaTransport, Listener]:
        """A transport that holds partitions of `topics`, and has read nothing."""
        transport, listener = self.transport(worker, **more), Listener()
        listener.on_assigned = transport.pause
        transport.subscribe(topics, listener)
        while not listener.held:
            transport.poll(100, 0.05)
        listener.on_assigned = lambda places: None
        transport.resume(sorted(listener.held))
        return transport, listener

    def write(self, topic: str, *values: str, partition: int = 0) -> None:
        for value in values:
            self._producer.produce(topic, value, value, partition=partition)
        assert self._producer.flush(100) == 0

    def producer(self, transactional_id: str) -> Any:
        producer = self.connection.producer(**{"transactional.id": transactional_id})
        producer.init_transactions(100)
        return producer

    def visible(self, topic: str, partition: int = 0) -> list[str]:
        """What a `read_committed` reader finds there, once everything is decided."""
        transport = self.transport(None, exactly_once=False)
        end = transport.stable_offset((topic, partition))
        read = transport.read((topic, partition), 0, end)
        return [(message.value() or b"").decode() for portion in read for message in portion]

    def dismiss(self, worker: str) -> None:
        """Take a worker that has gone out of the group, as an administrator may; it would be missed after a session."""
        gone = MemberIdentity(member_id="", group_instance_id=f"{self.app}-{worker}")
        connection = WireConnection(self.broker.port)
        asked = connection.send(LeaveGroupRequest(group_id=self.app, members=[gone]), 5)
        (answered,) = connection.answer(asked).members
        connection.close()
        assert answered.error_code == ErrorCode.NONE

    def close(self) -> None:
        for transport in self._made:
            transport.close()


def values(messages: Sequence[Message]) -> list[str]:
    return [(message.value() or b"").decode() for message in messages]


def polled(transport: KafkaTransport, how_many: int) -> list[str]:
    """The values of the next so many records."""
    found: list[str] = []
    while len(found) < how_many:
        found += values(transport.poll(100, 0.05))
    return found


def at(offset: int, metadata: str = "") -> Committed:
    return Committed(offset, metadata)


SETTINGS = {
    "auto.create.topics.enable": "false",
    "group.min.session.timeout.ms": "100",
    "log.initial.task.delay.ms": "86400000",  # no retention yet: some records are years old
}


@pytest.fixture(scope="session")
def _broker() -> Iterator[Broker]:
    with Broker(sets=SETTINGS) as broker:
        yield broker


@pytest.fixture(scope="session")
def _names() -> Iterator[int]:
    return count()


@pytest.fixture
def cluster(_broker: Broker, _names: Iterator[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """On which nobody loses its place or its transaction, however long the machine stops."""
    monkeypatch.setattr(consuming, "SESSION_TIMEOUT_MS", PATIENCE_MS)
    monkeypatch.setattr(producing, "TRANSACTION_TIMEOUT_MS", PATIENCE_MS)
    made = Cluster(_broker, _names)
    yield made
    made.close()
