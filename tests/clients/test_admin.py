"""Topics made and removed by the clients' own admin calls."""

from __future__ import annotations

import time
from collections.abc import Callable

import confluent_kafka
import confluent_kafka.admin
import pytest

from drave.model.errors import ErrorCode
from tests.clients.adapters import CLIENTS, DEADLINE_S, Client, Refusal, Running, Send


def test_a_topic_has_the_partitions_it_was_created_with(client: Client, name: Callable[[], str]) -> None:
    topic = name()
    client.create(topic, partitions=7)
    assert client.topics()[topic] == 7
    assert client.produce(topic, [Send(b"last")], partition=6) == [0]


def test_a_topic_is_created_once(client: Client, topic: str) -> None:
    with pytest.raises(Refusal) as refusal:
        client.create(topic)
    assert refusal.value.code == ErrorCode.TOPIC_ALREADY_EXISTS


@pytest.mark.parametrize("bad", ["", ".", "..", "with space", "slash/ed", "x" * 250, "été"])
def test_a_name_that_kafka_would_not_take_is_refused(client: Client, bad: str) -> None:
    with pytest.raises((Refusal, ValueError, AssertionError)) as refusal:
        client.create(bad)
    if isinstance(refusal.value, Refusal):
        assert refusal.value.code in (ErrorCode.INVALID_TOPIC_EXCEPTION, -186)  # -186: librdkafka looked first


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"partitions": 0}, ErrorCode.INVALID_PARTITIONS),
        ({"replicas": 3}, ErrorCode.INVALID_REPLICATION_FACTOR),
        ({"retention_ms": "soon"}, ErrorCode.INVALID_CONFIG),
        ({"no_such_config": "1"}, ErrorCode.INVALID_CONFIG),
    ],
    ids=["no partitions", "three replicas", "a config that is no number", "an unknown config"],
)
def test_a_topic_that_cannot_be_is_refused_and_not_created(
    client: Client, name: Callable[[], str], wanted: dict[str, int | str], code: ErrorCode
) -> None:
    topic = name()
    with pytest.raises((Refusal, ValueError)) as refusal:
        client.create(topic, **wanted)  # type: ignore[arg-type]  # a mix of the keyword arguments
    if isinstance(refusal.value, Refusal):
        assert refusal.value.code in (code, -186)  # -186: librdkafka looked first
    assert topic not in client.topics()


def test_a_deleted_topic_is_gone_and_its_name_is_free_again(client: Client, topic: str) -> None:
    """The new topic of that name has a new id and starts at offset 0."""
    client.produce(topic, [Send(b"%d" % number) for number in range(5)])
    client.delete(topic)
    _until(lambda: topic not in client.topics())
    _until(lambda: _created(client, topic))
    assert client.ends(topic) == (0, 0)
    assert client.produce(topic, [Send(b"again")]) == [0]
    assert client.consume(topic, 1)[0].value == b"again"


def test_deleting_what_is_not_there_is_refused(client: Client, name: Callable[[], str]) -> None:
    with pytest.raises(Refusal) as refusal:
        client.delete(name())
    assert refusal.value.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_the_configs_of_a_topic_say_where_they_come_from(broker: Running, name: Callable[[], str]) -> None:
    """DescribeConfigs: the topic's own, and Kafka's default for what it does not say."""
    topic = name()
    CLIENTS[0](broker.bootstrap).create(topic, retention_ms="60000")
    resource = confluent_kafka.admin.ConfigResource(confluent_kafka.admin.ResourceType.TOPIC, topic)
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": broker.bootstrap})
    configs = admin.describe_configs([resource])[resource].result(DEADLINE_S)
    assert (configs["retention.ms"].value, configs["retention.ms"].is_default) == ("60000", False)
    assert (configs["max.message.bytes"].value, configs["max.message.bytes"].is_default) == ("1048588", True)
    assert configs["cleanup.policy"].value == "delete"


def test_the_cluster_describes_itself(broker: Running) -> None:
    """DescribeCluster and Metadata: one node, at the address that was dialled."""
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": broker.bootstrap})
    cluster = admin.describe_cluster().result(DEADLINE_S)
    assert [f"{node.host}:{node.port}" for node in cluster.nodes] == [broker.bootstrap]
    assert cluster.cluster_id == admin.list_topics(timeout=DEADLINE_S).cluster_id
    assert cluster.controller.id == cluster.nodes[0].id


def _created(client: Client, topic: str) -> bool:
    """Kafka deletes in the background, and refuses the name until it has."""
    try:
        client.create(topic)
    except Refusal as refusal:
        if refusal.code != ErrorCode.TOPIC_ALREADY_EXISTS:
            raise
        return False
    return True


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
