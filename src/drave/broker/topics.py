"""What handlers share about topics: those that appear because somebody asks for them, and how configs are shown.

value of a config    DYNAMIC_TOPIC_CONFIG    set on the topic
                     STATIC_BROKER_CONFIG    set on the broker for all topics, shown under the broker-level name
                     DEFAULT_CONFIG          Kafka's default
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from drave.catalog import CONSUMER_OFFSETS, INTERNAL_TOPICS, Topic, TopicAlreadyExists, check_topic_name
from drave.model.config import ConfigKey
from drave.model.errors import ErrorCode, Refused
from drave.model.topic_configs import TOPIC_CONFIGS

if TYPE_CHECKING:
    from drave.broker.core import Broker


class ConfigSource(enum.IntEnum):
    """Where the value of a config comes from; the numbers are DescribeConfigs'."""

    DYNAMIC_TOPIC_CONFIG = 1
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5


class ConfigSynonym(NamedTuple):
    """One of the places that could give a config its value."""

    name: str
    value: str
    source: ConfigSource


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


def config_synonyms(key: ConfigKey, overrides: Mapping[str, str], defaults: Mapping[str, str]) -> list[ConfigSynonym]:
    """The places that give a topic's config its value, the one that does first.

    Empty where only Kafka's default is left and Kafka has no broker-level name that carries it.
    """
    found: list[ConfigSynonym] = []
    if key.name in overrides:
        text = key.normal(overrides[key.name])
        found.append(ConfigSynonym(key.name, text, ConfigSource.DYNAMIC_TOPIC_CONFIG))
    if key.name in defaults:
        text = key.normal(defaults[key.name])
        found.append(ConfigSynonym(key.broker_name or key.name, text, ConfigSource.STATIC_BROKER_CONFIG))
    if key.broker_name is not None and not key.broker_units:
        found.append(ConfigSynonym(key.broker_name, key.default, ConfigSource.DEFAULT_CONFIG))
    return found


def shown_configs(overrides: Mapping[str, str]) -> Iterator[ConfigKey]:
    """The configs that a topic with these overrides is shown with, in the order of their names."""
    return (key for key in TOPIC_CONFIGS.values() if not key.hidden or key.name in overrides)
