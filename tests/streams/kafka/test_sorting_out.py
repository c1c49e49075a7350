"""What one call to librdkafka can bring, in orders that a real broker shows once in a thousand times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from drave.client.connection import Connection
from drave.streams.errors import ClusterTrouble, Fenced
from drave.streams.kafka import consuming
from drave.streams.kafka.consuming import GroupConsumer
from tests.streams.kafka.conftest import Listener


class Raw:
    """A message as librdkafka gives it: a record, or an error."""

    def __init__(self, offset: int, error: KafkaError | None = None, partition: int = 0) -> None:
        self._offset, self._error, self._partition = offset, error, partition

    def topic(self) -> str:
        return "rides"

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def error(self) -> KafkaError | None:
        return self._error


class Scripted:
    """A consumer whose calls bring what was written down: messages, and callbacks between them."""

    def __init__(self) -> None:
        self.calls: list[list[Raw | Callable[[], None]]] = []
        self.at: dict[int, int] = {}
        self.callbacks: dict[str, Any] = {}
        self.closed = False

    def subscribe(self, topics: list[str], **callbacks: Any) -> None:
        self.callbacks = callbacks

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Nothing that this test looks at."""

    def consume(self, count: int, timeout: float) -> list[Raw]:
        return self._bring(self.calls.pop(0)) if self.calls else []

    def poll(self, timeout: float) -> Raw | None:
        brought = self._bring(self.calls.pop(0)) if self.calls else []
        return brought[0] if brought else None

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(each.topic, each.partition, self.at.get(each.partition, -1001)) for each in partitions]

    def list_topics(self, timeout: float) -> None:
        """A broker answers."""

    def close(self) -> None:
        self.closed = True

    def told(self, what: str, *partitions: int) -> Callable[[], None]:
        return lambda: self.callbacks[what](self, [TopicPartition("rides", each) for each in partitions])

    def _bring(self, script: list[Raw | Callable[[], None]]) -> list[Raw]:
        found: list[Raw] = []
        for each in script:
            if isinstance(each, Raw):
                found.append(each)
                if each.error() is None:
                    self.at[each.partition()] = each.offset() + 1
            else:
                each()
        return found


def end(offset: int, partition: int = 0) -> Raw:
    return Raw(offset, KafkaError(KafkaError._PARTITION_EOF), partition)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Scripted]:
    """The consumers that were made, in order."""
    found: list[Scripted] = []
    monkeypatch.setattr(Connection, "consumer", lambda *_, **__: found.append(Scripted()) or found[-1])
    monkeypatch.setattr(consuming, "_error", lambda: Raw.error)
    return found


def joined(made: list[Scripted]) -> tuple[GroupConsumer, Scripted, Listener]:
    group, listener = GroupConsumer(Connection(), "app", "worker"), Listener()
    group.subscribe(["rides"], listener)
    script = made[-1]
    script.calls = [[script.told("on_assign", 0, 1)]]
    group.poll(100, 0)
    return group, script, listener


def offsets(group: GroupConsumer) -> list[int]:
    return [message.offset() for message in group.poll(100, 0.1)]


def test_records_of_places_that_went_while_they_were_collected_are_another_ones(made: list[Scripted]) -> None:
    group, script, _ = joined(made)
    script.calls = [[Raw(7), Raw(3, partition=1), script.told("on_revoke", 0), Raw(4, partition=1)]]
    assert offsets(group) == [3, 4]
    script.calls = [[Raw(5, partition=1)]]
    assert offsets(group) == [5]


def test_a_record_that_comes_after_its_place_was_given_back_is_ours(made: list[Scripted]) -> None:
    group, script, _ = joined(made)
    script.calls = [[], [script.told("on_revoke", 0), script.told("on_assign", 0), Raw(7)], [Raw(8)]]
    assert offsets(group) == [7, 8]


def test_an_end_counts_until_something_follows_it(made: list[Scripted]) -> None:
    group, script, _ = joined(made)
    script.calls = [[Raw(1), end(2), Raw(5, partition=1), end(2, partition=1)]]
    assert offsets(group) == [1, 5]
    assert (group.at_end(("rides", 0)), group.at_end(("rides", 1))) == (True, True)
    script.calls = [[Raw(2)]]
    assert offsets(group) == [2]
    assert (group.at_end(("rides", 0)), group.at_end(("rides", 1))) == (False, True)
    script.calls = [[end(3), Raw(3)]]
    assert offsets(group) == [3]
    assert not group.at_end(("rides", 0))


def test_an_end_of_a_place_that_went_is_none(made: list[Scripted]) -> None:
    group, script, _ = joined(made)
    script.calls = [[end(0), script.told("on_lost", 0)]]
    assert offsets(group) == []
    assert not group.at_end(("rides", 0))


def test_what_librdkafka_works_on_is_no_error_and_what_it_cannot_is(made: list[Scripted]) -> None:
    group, script, _ = joined(made)
    script.calls = [[Raw(1), Raw(-1, KafkaError(KafkaError._TRANSPORT)), Raw(2)]]
    assert offsets(group) == [1, 2]
    script.calls = [[Raw(-1, KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))]]
    with pytest.raises(ClusterTrouble, match="cannot read rides: "):
        group.poll(100, 0)


def test_a_worker_that_its_own_name_fences_joins_again_once(
    made: list[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(consuming.time, "monotonic", lambda: now)
    group, script, listener = joined(made)
    fenced = KafkaError(KafkaError.FENCED_INSTANCE_ID, "another one with this group.instance.id")
    script.calls = [[Raw(1), Raw(-1, fenced)]]
    assert offsets(group) == []
    assert script.closed
    assert listener.told[-1] == ("lost", [("rides", 0), ("rides", 1)])
    assert len(made) == 2
    made[1].calls = [[made[1].told("on_assign", 0)], [Raw(1)]]
    assert offsets(group) == [1]
    now += 29
    made[1].calls = [[Raw(-1, fenced)]]
    with pytest.raises(Fenced, match="another process has joined the group under this worker's name"):
        group.poll(100, 0)
    now += 2
    made[1].calls = [[Raw(-1, fenced)]]
    assert offsets(group) == []
    assert len(made) == 3
