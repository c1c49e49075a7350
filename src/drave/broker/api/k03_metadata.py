"""Metadata: the brokers, and who leads which partition of which topic.

A topic that somebody asks for by name, and that may be created by asking, is created before the answer: the client need
not ask again. (Kafka answers UNKNOWN_TOPIC_OR_PARTITION the first time and creates meanwhile.)
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Final

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.broker.quotas import Mutations, ThrottlingQuotaExceeded
from drave.broker.topics import CLUSTER_OPERATIONS, TOPIC_OPERATIONS, auto_create
from drave.catalog import INTERNAL_TOPICS, Topic, check_topic_name
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.wire.messages.k03_metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

BY_ID_SINCE: Final = 12
"""KIP-516: the field is there from version 10, but no broker ever took it before 12."""

Answer = MetadataResponse | Coroutine[Any, Any, MetadataResponse]


def metadata(broker: Broker, context: Context, request: MetadataRequest) -> Answer:
    """At once, unless a topic has to be created first."""
    asked = request.topics
    if asked is None or (context.api_version == 0 and not asked):
        return _response(broker, context, request, [_found(broker, topic, request) for topic in _all(broker)])
    if context.api_version < BY_ID_SINCE and any(
        topic.topic_id != ZERO_TOPIC_ID or topic.name is None for topic in asked
    ):
        return _refused(asked)
    missing = [name for name in _names(asked) if name is not None and broker.catalog.topic(name) is None]
    if missing and broker.settings.auto_create_topics and request.allow_auto_topic_creation:
        return _after_creating(broker, context, request, missing)
    return _look_up(broker, context, request, {})


def _all(broker: Broker) -> Iterable[Topic]:
    return broker.catalog.topics().values()


def _ids(asked: Iterable[MetadataRequestTopic]) -> list[TopicId]:
    """The ids to answer for, each once."""
    return list(dict.fromkeys(topic.topic_id for topic in asked if topic.topic_id != ZERO_TOPIC_ID))


def _names(asked: Iterable[MetadataRequestTopic]) -> list[str | None]:
    """The names to answer for, each once; none when any topic is asked for by id, for then only ids count."""
    return [] if _ids(asked) else list(dict.fromkeys(topic.name for topic in asked))


async def _after_creating(
    broker: Broker, context: Context, request: MetadataRequest, missing: list[str]
) -> MetadataResponse:
    mutations = Mutations(broker, context, strict_since=0)
    refusals: dict[str, ProtocolError] = {}
    for name in missing:
        try:
            check_topic_name(name)
            mutations.take(broker.settings.num_partitions)
            await auto_create(broker, name)
        except ThrottlingQuotaExceeded:
            continue  # as if it were not made yet: every client asks again
        except ProtocolError as refusal:
            refusals[name] = refusal
    return _look_up(broker, context, request, refusals)


def _look_up(
    broker: Broker, context: Context, request: MetadataRequest, refusals: Mapping[str, ProtocolError]
) -> MetadataResponse:
    asked = request.topics or []
    answers = [_by_id(broker, topic_id, request) for topic_id in _ids(asked)]
    answers += [_by_name(broker, name, request, refusals) for name in _names(asked)]
    return _response(broker, context, request, answers)


def _by_id(broker: Broker, topic_id: TopicId, request: MetadataRequest) -> MetadataResponseTopic:
    try:
        return _found(broker, broker.topic_by_id(topic_id), request)
    except ProtocolError as refusal:
        return MetadataResponseTopic(error_code=refusal.code, name=None, topic_id=topic_id, partitions=[])


def _by_name(
    broker: Broker, name: str | None, request: MetadataRequest, refusals: Mapping[str, ProtocolError]
) -> MetadataResponseTopic:
    try:
        if name is None:
            raise Refused(ErrorCode.INVALID_REQUEST, "A topic is asked for by its name or its id; here is neither.")
        if name in refusals:
            raise refusals[name]
        check_topic_name(name)
        return _found(broker, broker.topic(name), request)
    except ProtocolError as refusal:
        answer = MetadataResponseTopic(
            error_code=refusal.code, name=name, is_internal=name in INTERNAL_TOPICS, partitions=[]
        )
    if request.include_topic_authorized_operations:
        answer.topic_authorized_operations = TOPIC_OPERATIONS
    return answer


def _found(broker: Broker, topic: Topic, request: MetadataRequest) -> MetadataResponseTopic:
    here = [broker.node_id]
    answer = MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.internal,
        partitions=[
            MetadataResponsePartition(
                partition_index=index,
                leader_id=broker.node_id,
                leader_epoch=broker.partition(topic, index).leader_epoch,
                replica_nodes=here,
                isr_nodes=here,
            )
            for index in range(topic.partitions)
        ],
    )
    if request.include_topic_authorized_operations:
        answer.topic_authorized_operations = TOPIC_OPERATIONS
    return answer


def _response(
    broker: Broker, context: Context, request: MetadataRequest, topics: list[MetadataResponseTopic]
) -> MetadataResponse:
    host, port = broker.advertised(context)
    rack = broker.settings.rack or None
    response = MetadataResponse(
        brokers=[MetadataResponseBroker(node_id=broker.node_id, host=host, port=port, rack=rack)],
        cluster_id=broker.catalog.cluster_id,
        controller_id=broker.node_id,
        topics=topics,
    )
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response


def _refused(asked: Iterable[MetadataRequestTopic]) -> MetadataResponse:
    """A request that is wrong as a whole is answered per topic, and tells nothing else."""
    answers = [
        MetadataResponseTopic(
            error_code=ErrorCode.INVALID_REQUEST, name=topic.name or "", topic_id=topic.topic_id, partitions=[]
        )
        for topic in asked
    ]
    return MetadataResponse(brokers=[], topics=answers)
