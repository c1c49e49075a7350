"""Transactions as real clients make them: what commits is read, what aborts is not, through restarts and kills."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.adapters import CLIENTS

confluent_kafka = pytest.importorskip("confluent_kafka")
Consumer, Producer = confluent_kafka.Consumer, confluent_kafka.Producer
KafkaException, TopicPartition = confluent_kafka.KafkaException, confluent_kafka.TopicPartition

WAIT_S = 20.0


def producer(bootstrap: str, transactional_id: str, **more: Any) -> Any:
    made = Producer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": transactional_id,
            "linger.ms": 0,
            "retry.backoff.ms": 20,
            **{name.replace("_", "."): value for name, value in more.items()},
        }
    )
    made.init_transactions(WAIT_S)
    return made


def write(made: Any, topic: str, *values: str, partition: int = 0) -> None:
    for value in values:
        made.produce(topic, value, partition=partition)
    assert made.flush(WAIT_S) == 0


def consumer(bootstrap: str, group: str = "readers", **more: Any) -> Any:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            **{name.replace("_", "."): value for name, value in more.items()},
        }
    )


def read(bootstrap: str, topic: str, count: int, **more: Any) -> list[str]:
    """So many values of partition 0, and none follows up to the end that the consumer sees."""
    reader = consumer(bootstrap, **{"enable_partition_eof": True, **more})
    reader.assign([TopicPartition(topic, 0, 0)])
    values: list[str] = []
    try:
        while True:
            message = reader.poll(WAIT_S)
            assert message is not None, f"{values} and then nothing"
            if message.error() is None:
                values.append(message.value().decode())
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                if len(values) >= count:
                    return values
            else:
                raise KafkaException(message.error())
    finally:
        reader.close()


def created(broker: Any, name: Any) -> str:
    """A fresh topic of one partition."""
    made: str = name()
    CLIENTS[0](broker.bootstrap).create(made)
    return made


def committed(bootstrap: str, group: str, topic: str) -> int:
    reader = consumer(bootstrap, group)
    try:
        (found,) = reader.committed([TopicPartition(topic, 0)], WAIT_S)
        return found.offset
    finally:
        reader.close()


def test_what_commits_is_read_and_what_aborts_is_not(broker, name) -> None:
    topic = created(broker, name)
    made = producer(broker.bootstrap, topic)
    made.begin_transaction()
    write(made, topic, "a", "b")
    made.commit_transaction(WAIT_S)
    made.begin_transaction()
    write(made, topic, "c")
    made.abort_transaction(WAIT_S)
    made.begin_transaction()
    write(made, topic, "d")
    made.commit_transaction(WAIT_S)
    assert read(broker.bootstrap, topic, 3) == ["a", "b", "d"]
    assert read(broker.bootstrap, topic, 4, isolation_level="read_uncommitted") == ["a", "b", "c", "d"]


def test_offsets_count_when_their_transaction_commits(broker, name) -> None:
    """KIP-447: exactly once from topic to topic."""
    source, sink = created(broker, name), created(broker, name)
    plain = Producer({"bootstrap.servers": broker.bootstrap})
    write(plain, source, "1", "2", "3")
    made = producer(broker.bootstrap, sink)
    reader = consumer(broker.bootstrap, source)
    reader.subscribe([source])
    message = reader.poll(WAIT_S)
    assert message.value() == b"1"
    made.begin_transaction()
    write(made, sink, "one")
    made.send_offsets_to_transaction([TopicPartition(source, 0, 1)], reader.consumer_group_metadata(), WAIT_S)
    made.abort_transaction(WAIT_S)
    assert committed(broker.bootstrap, source, source) == confluent_kafka.OFFSET_INVALID
    made.begin_transaction()
    write(made, sink, "one more")
    made.send_offsets_to_transaction([TopicPartition(source, 0, 1)], reader.consumer_group_metadata(), WAIT_S)
    made.commit_transaction(WAIT_S)
    assert committed(broker.bootstrap, source, source) == 1
    assert read(broker.bootstrap, sink, 1) == ["one more"]
    reader.close()


def test_the_next_producer_of_an_id_fences_the_one_before(broker, name) -> None:
    topic = created(broker, name)
    old = producer(broker.bootstrap, topic)
    old.begin_transaction()
    write(old, topic, "never")
    new = producer(broker.bootstrap, topic)
    with pytest.raises(KafkaException) as raised:
        old.commit_transaction(WAIT_S)
    assert raised.value.args[0].fatal()
    new.begin_transaction()
    write(new, topic, "once")
    new.commit_transaction(WAIT_S)
    assert read(broker.bootstrap, topic, 1) == ["once"]


def test_a_transaction_that_nobody_ends_is_aborted_when_its_time_is_up(broker, name) -> None:
    """It holds back what is behind it until then; the producer is fenced."""
    topic = created(broker, name)
    lost = producer(broker.bootstrap, f"{topic}-lost", transaction_timeout_ms=1000)
    lost.begin_transaction()
    write(lost, topic, "lost")
    made = producer(broker.bootstrap, topic)
    made.begin_transaction()
    write(made, topic, "kept")
    made.commit_transaction(WAIT_S)
    assert read(broker.bootstrap, topic, 1) == ["kept"]
    with pytest.raises(KafkaException):
        lost.commit_transaction(WAIT_S)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_transaction_goes_on_after_the_broker_did(restartable, how: str) -> None:
    """What was sent before is part of it; a decision that was made is carried out."""
    made = producer(restartable.bootstrap, "tx")
    for number in range(3):
        made.begin_transaction()
        write(made, "rides", f"{number}a")
        if how == "kill":
            restartable.kill()
            restartable.start()
        else:
            restartable.restart()
        write(made, "rides", f"{number}b")
        if number == 1:
            made.abort_transaction(WAIT_S)
        else:
            made.commit_transaction(WAIT_S)
    assert read(restartable.bootstrap, "rides", 4) == ["0a", "0b", "2a", "2b"]


async def test_aiokafka_does_the_same(broker, name) -> None:
    """A client that adds its partitions by itself."""
    aiokafka = pytest.importorskip("aiokafka")
    source, sink = created(broker, name), created(broker, name)
    made = aiokafka.AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=sink)
    await made.start()
    try:
        async with made.transaction():
            await made.send_and_wait(sink, b"a", partition=0)
            await made.send_offsets_to_transaction({aiokafka.TopicPartition(source, 0): 3}, sink)
        await made.begin_transaction()
        await made.send_and_wait(sink, b"b", partition=0)
        await made.send_offsets_to_transaction({aiokafka.TopicPartition(source, 0): 4}, sink)
        await made.abort_transaction()
        async with made.transaction():
            await made.send_and_wait(sink, b"c", partition=0)
    finally:
        await made.stop()
    assert read(broker.bootstrap, sink, 2) == ["a", "c"]
    assert committed(broker.bootstrap, sink, source) == 3
