"""CreateTopics: new topics, with their partitions and configs.

Each topic of a request is created or refused by itself; only a name that comes twice, and more partitions than one
request may ask for, are judged over the whole request. Checks run in Kafka's order, so a topic with several faults is
refused for the same one: name, name taken, configs, replication factor, partitions, assignment. (Kafka lets clients
create `__consumer_offsets`, with whatever number of partitions; here its coordinator does, when it is first needed.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from drave.broker.configs import config_synonyms, shown_configs
from drave.broker.context import Context
from drave.broker.core import Broker
from drave.broker.quotas import Mutations
from drave.broker.topics import CLUSTER_METADATA, check_replicas, check_time_is_left
from drave.catalog import INTERNAL_TOPICS, InvalidPartitions
from drave.model.config import ConfigSource, InvalidConfig
from drave.model.dynamic_settings import SettingLayers
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.log_config import check_topic_configs
from drave.wire.messages.k19_create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

STRICT_SINCE: Final = 6
"""KIP-599: from this version on clients know THROTTLING_QUOTA_EXCEEDED."""
DEFAULT: Final = -1
"""Stands for the broker's own number of partitions, or of copies."""


async def create_topics(broker: Broker, context: Context, request: CreateTopicsRequest) -> CreateTopicsResponse:
    """Durable when answered."""
    times = Counter(topic.name for topic in request.topics)
    asked = [topic for topic in request.topics if times[topic.name] == 1]
    excessive = sum(max(0, _partitions(broker, topic)) for topic in asked) > broker.settings.partitions_per_request_max
    mutations = Mutations(broker, context, strict_since=STRICT_SINCE)
    results: list[CreatableTopicResult] = []
    for topic in asked:
        try:
            check_time_is_left(request.timeout_ms)
            if excessive:
                most = broker.settings.partitions_per_request_max
                raise Refused(ErrorCode.POLICY_VIOLATION, f"One request may create {most} partitions, not more.")
            results.append(await create_topic(broker, topic, mutations, validate_only=request.validate_only))
        except ProtocolError as refusal:
            results.append(_refused(topic.name, refusal))
    twice = Refused(ErrorCode.INVALID_REQUEST, "The request names this topic more than once.")
    results += [_refused(name, twice) for name, count in times.items() if count > 1]
    return CreateTopicsResponse(throttle_time_ms=mutations.wait_ms, topics=results)


def _partitions(broker: Broker, topic: CreatableTopic) -> int:
    if topic.assignments:
        return len(topic.assignments)
    return broker.settings.num_partitions if topic.num_partitions == DEFAULT else topic.num_partitions


async def create_topic(
    broker: Broker, topic: CreatableTopic, mutations: Mutations, *, validate_only: bool
) -> CreatableTopicResult:
    """Create one topic, or say what it would be. Raises ProtocolError."""
    if topic.name in INTERNAL_TOPICS or topic.name == CLUSTER_METADATA:
        raise Refused(ErrorCode.INVALID_REQUEST, f"{topic.name} is a broker's own: it is there when it is needed.")
    partitions = _partitions(broker, topic)
    configs = _configs(topic)
    broker.catalog.check_new_topic(topic.name, max(1, partitions), configs)
    check_topic_configs(configs, durability=broker.settings.storage.durability, topic=topic.name)
    if topic.assignments:
        _check_assignment(broker, topic)
    else:
        _check_counts(topic)
    mutations.take(partitions)
    topic_id = broker.entropy.topic_id()
    if not validate_only:
        await broker.catalog.create_topic(topic.name, topic_id, partitions, configs)
    return CreatableTopicResult(
        name=topic.name,
        topic_id=topic_id,
        num_partitions=partitions,
        replication_factor=1,
        configs=_shown(configs, broker.layers),
    )


def _configs(topic: CreatableTopic) -> dict[str, str]:
    configs: dict[str, str] = {}
    for config in topic.configs:
        if config.value is None:
            raise InvalidConfig(config.name, None, "has no value; leave it out to have the default")
        configs[config.name] = config.value
    return configs


def _check_counts(topic: CreatableTopic) -> None:
    factor = topic.replication_factor
    if factor != DEFAULT and factor < 1:
        raise Refused(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"The replication factor must be 1, or -1 for the default; not {factor}.",
        )
    if topic.num_partitions != DEFAULT and topic.num_partitions < 1:
        raise InvalidPartitions(topic.name, topic.num_partitions)
    if factor > 1:
        raise Refused(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"A replication factor of {factor} needs {factor} brokers, and this is the only one: ask for 1, "
            "or for -1, which is whatever the broker has.",
        )


def _check_assignment(broker: Broker, topic: CreatableTopic) -> None:
    """A client may say which broker holds which partition; here it can only ever say this one."""
    if topic.replication_factor != DEFAULT:
        raise Refused(ErrorCode.INVALID_REQUEST, "With an assignment, the replication factor must be -1.")
    if topic.num_partitions != DEFAULT:
        raise Refused(ErrorCode.INVALID_REQUEST, "With an assignment, the number of partitions must be -1.")
    for assignment in topic.assignments:
        check_replicas(broker, assignment.partition_index, assignment.broker_ids)
    indexes = [assignment.partition_index for assignment in topic.assignments]
    if len(set(indexes)) < len(indexes):
        raise Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, "The assignment names a partition more than once.")
    if set(indexes) != set(range(len(indexes))):
        raise Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, "The assigned partitions must be 0, 1, 2 and so on.")


def _shown(overrides: Mapping[str, str], layers: SettingLayers) -> list[CreatableTopicConfigs]:
    """KIP-525: what the topic's configs are, the given ones as they were written."""
    shown: list[CreatableTopicConfigs] = []
    for key in shown_configs(overrides):
        synonyms = config_synonyms(key, overrides, layers)
        shown.append(
            CreatableTopicConfigs(
                name=key.name,
                value=overrides.get(key.name, synonyms[0].value if synonyms else key.default),
                read_only=False,
                config_source=synonyms[0].source if synonyms else ConfigSource.DEFAULT_CONFIG,
                is_sensitive=False,
            )
        )
    return shown


def _refused(name: str, refusal: ProtocolError) -> CreatableTopicResult:
    return CreatableTopicResult(name=name, error_code=refusal.code, error_message=str(refusal))
