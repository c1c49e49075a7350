"""CreatePartitions: more partitions for topics that exist.

Each topic of a request grows or is refused by itself. The topics of coordinators never grow: what they hold is found by
a hash over their number of partitions. (Kafka lets them, and after a restart finds no group's offsets any more.)
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from drave.broker.context import Context
from drave.broker.core import Broker, UnknownTopicOrPartition
from drave.broker.quotas import Mutations
from drave.broker.topics import check_replicas, check_time_is_left
from drave.catalog import InvalidPartitions, NoSuchTopic, Topic
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.wire.messages.k37_create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)

STRICT_SINCE: Final = 3
"""KIP-599: from this version on clients know THROTTLING_QUOTA_EXCEEDED."""


async def create_partitions(
    broker: Broker, context: Context, request: CreatePartitionsRequest
) -> CreatePartitionsResponse:
    """Durable when answered, and seen by everybody from then on."""
    times = Counter(topic.name for topic in request.topics)
    mutations = Mutations(broker, context, strict_since=STRICT_SINCE)
    left = broker.settings.partitions_per_request_max
    results: list[CreatePartitionsTopicResult] = []
    for asked in (topic for topic in request.topics if times[topic.name] == 1):
        try:
            check_time_is_left(request.timeout_ms)
            topic = _growing(broker, asked, left)
            mutations.take(asked.count - topic.partitions)
            if not request.validate_only:
                await _grow(broker, topic, asked.count)
            left -= asked.count - topic.partitions
            results.append(CreatePartitionsTopicResult(name=asked.name))
        except ProtocolError as refusal:
            results.append(_refused(asked.name, refusal))
    twice = Refused(ErrorCode.INVALID_REQUEST, "The request names this topic more than once.")
    results += [_refused(name, twice) for name, count in times.items() if count > 1]
    return CreatePartitionsResponse(throttle_time_ms=mutations.wait_ms, results=results)


def _growing(broker: Broker, asked: CreatePartitionsTopic, most: int) -> Topic:
    """The topic as it is, when it may grow as it is asked to. Raises ProtocolError."""
    topic = broker.topic(asked.name)
    if topic.internal:
        raise Refused(
            ErrorCode.INVALID_REQUEST,
            f"{topic.name} keeps its {topic.partitions} partitions: with another number, nothing in it would be found.",
        )
    added = asked.count - topic.partitions
    if added < 1:
        raise InvalidPartitions(topic.name, asked.count, topic.partitions)
    if asked.assignments is not None:
        if len(asked.assignments) != added:
            raise Refused(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"The request adds {added} partitions, and assigns {len(asked.assignments)}.",
            )
        for index, assignment in enumerate(asked.assignments, start=topic.partitions):
            check_replicas(broker, index, assignment.broker_ids)
    if added > most:
        bound = broker.settings.partitions_per_request_max
        raise Refused(ErrorCode.POLICY_VIOLATION, f"One request may create {bound} partitions, not more.")
    return topic


async def _grow(broker: Broker, topic: Topic, count: int) -> None:
    try:
        await broker.catalog.set_partitions(topic.topic_id, count)
    except NoSuchTopic:  # it was there a moment ago
        raise UnknownTopicOrPartition(topic.name) from None


def _refused(name: str, refusal: ProtocolError) -> CreatePartitionsTopicResult:
    return CreatePartitionsTopicResult(name=name, error_code=refusal.code, error_message=str(refusal))
