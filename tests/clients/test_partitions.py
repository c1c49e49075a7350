"""Topics that grow and records that are deleted, by the clients' own admin calls."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import confluent_kafka
import confluent_kafka.admin
import pytest

from drave.model.errors import ErrorCode
from tests.clients.adapters import CLIENTS, DEADLINE_S, Client, Refusal, Restartable, Running, Send
from tests.clients.members import ConfluentMember, poll_for, poll_until


def numbered(count: int) -> list[Send]:
    return [Send(b"%d" % number) for number in range(count)]


def test_a_topic_grows_and_takes_records_in_its_new_partitions(client: Client, topic: str) -> None:
    client.produce(topic, numbered(3))
    client.grow(topic, 4)
    assert client.topics()[topic] == 4
    assert client.produce(topic, numbered(2), partition=3) == [0, 1]
    assert [record.value for record in client.consume(topic, 2, partition=3)] == [b"0", b"1"]
    assert client.ends(topic) == (0, 3)


@pytest.mark.parametrize("count", [2, 1, 0])
def test_a_topic_does_not_shrink(client: Client, name: Callable[[], str], count: int) -> None:
    topic = name()
    client.create(topic, partitions=2)
    with pytest.raises((Refusal, ValueError)) as refusal:
        client.grow(topic, count)
    if isinstance(refusal.value, Refusal):
        assert refusal.value.code in (ErrorCode.INVALID_PARTITIONS, -186)  # -186: librdkafka looked first
    assert client.topics()[topic] == 2


def test_a_topic_that_is_not_there_does_not_grow(client: Client, name: Callable[[], str]) -> None:
    with pytest.raises(Refusal) as refusal:
        client.grow(name(), 2)
    assert refusal.value.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_a_group_reads_the_partitions_that_its_topic_gets_while_it_runs(broker: Running, topic: str) -> None:
    client = CLIENTS[0](broker.bootstrap)
    with closing(ConfluentMember(broker.bootstrap, topic, topic, topic_metadata_refresh_interval_ms=50)) as member:
        poll_until([member], lambda: set(member.partitions) == {0}, "it has the first partition")
        client.grow(topic, 3)
        poll_until([member], lambda: set(member.partitions) == {0, 1, 2}, "it has the new partitions too")
        for partition in range(3):
            client.produce(topic, [Send(b"new")], partition=partition)
        assert {each.partition for each in poll_for([member], 3)[member]} == {0, 1, 2}


def test_deleted_records_are_gone_for_everybody(client: Client, topic: str) -> None:
    client.produce(topic, numbered(10))
    assert client.delete_records(topic, 4) == 4
    assert client.ends(topic) == (4, 10)
    assert [record.offset for record in client.consume(topic, 6, start=4)] == list(range(4, 10))
    assert client.delete_records(topic, -1) == 10
    assert client.ends(topic) == (10, 10)
    assert client.produce(topic, numbered(1)) == [10]


def test_records_that_are_not_there_yet_cannot_be_deleted(client: Client, topic: str) -> None:
    client.produce(topic, numbered(2))
    with pytest.raises(Refusal) as refusal:
        client.delete_records(topic, 3)
    assert refusal.value.code == ErrorCode.OFFSET_OUT_OF_RANGE


def test_a_reader_whose_place_was_deleted_is_sent_to_what_is_there(broker: Running, topic: str) -> None:
    client = CLIENTS[0](broker.bootstrap)
    client.produce(topic, numbered(10))
    client.delete_records(topic, 7)
    assert [record.offset for record in client.consume(topic, 3, start=2)] == [7, 8, 9]


def test_there_is_no_leader_to_elect(broker: Running, topic: str) -> None:
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": broker.bootstrap})
    asked = [confluent_kafka.TopicPartition(topic, 0)]
    (error,) = admin.elect_leaders(confluent_kafka.ElectionType.PREFERRED, asked).result(DEADLINE_S).values()
    assert error.code() == ErrorCode.ELECTION_NOT_NEEDED


@pytest.mark.slow
def test_new_partitions_and_new_starts_survive(restartable: Restartable) -> None:
    """A clean end, and kill -9 right after the answer."""
    client = CLIENTS[0](restartable.bootstrap)
    client.create("rides")
    client.produce("rides", numbered(100))
    for new, start, end in ((1, 30, _stop_and_start), (2, 60, _kill_and_start)):
        client.grow("rides", new + 1)
        client.produce("rides", numbered(10), partition=new)
        assert client.delete_records("rides", -1, partition=new) == 10
        assert client.delete_records("rides", start) == start
        end(restartable)
        assert client.topics()["rides"] == new + 1
        assert (client.ends("rides"), client.ends("rides", new)) == ((start, 100), (10, 10))
    assert [record.value for record in client.consume("rides", 40, start=60)] == [b"%d" % n for n in range(60, 100)]


def _stop_and_start(broker: Restartable) -> None:
    broker.restart()


def _kill_and_start(broker: Restartable) -> None:
    broker.kill()
    broker.start()
