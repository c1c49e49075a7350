"""What handlers share about topics: those that appear because somebody asks for them, and checks of what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from drave.catalog import CONSUMER_OFFSETS, INTERNAL_TOPICS, Topic, TopicAlreadyExists, check_topic_name
from drave.model.errors import ErrorCode, Refused

if TYPE_CHECKING:
    from drave.broker.core import Broker

CLUSTER_METADATA: Final = "__cluster_metadata"
"""The name of Kafka's own metadata log. There is none here, and nobody may make one."""

TOPIC_OPERATIONS: Final = 0b1101_1111_1000
"""The bits of everything that may be done to a topic (KIP-430): read, write, create, delete, alter, describe,
describe-configs, alter-configs. Without authorization everybody may."""

CLUSTER_OPERATIONS: Final = 0b1_1111_1010_0000
"""The same for the cluster: create, alter, describe, cluster-action, describe-configs, alter-configs,
idempotent-write."""


def check_replicas(broker: Broker, index: int, broker_ids: Sequence[int]) -> None:
    """That a partition may lie where a client wants it: here. Raises Refused."""
    where = f"The assignment of partition {index}"
    if not broker_ids:
        raise Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"{where} names no broker.")
    for stranger in (node_id for node_id in broker_ids if node_id != broker.node_id):
        raise Refused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"{where} names broker {stranger}, which does not exist; there is broker {broker.node_id} only.",
        )
    if len(broker_ids) > 1:
        raise Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"{where} names broker {broker.node_id} more than once.")


def check_time_is_left(timeout_ms: int) -> None:
    """Kafka does nothing for a request whose time is up when it comes. Raises Refused."""
    if timeout_ms <= 0:
        raise Refused(ErrorCode.REQUEST_TIMED_OUT, f"A timeout of {timeout_ms} ms leaves no time to do anything.")


async def auto_create(broker: Broker, name: str) -> Topic:
    """The topic of this name, made now if it was not there. Raises InvalidTopic, or Refused for internal topics of
    features that are not served."""
    check_topic_name(name)
    if name == CONSUMER_OFFSETS:
        return await broker.groups.ensure_topic()
    if name in INTERNAL_TOPICS or name == CLUSTER_METADATA:
        raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"This broker keeps no {name}.")
    try:
        return await broker.catalog.create_topic(name, broker.entropy.topic_id(), broker.settings.num_partitions, {})
    except TopicAlreadyExists:  # somebody was quicker
        topic = broker.catalog.topic(name)
        assert topic is not None, "nothing is awaited between the refusal and this look"
        return topic
