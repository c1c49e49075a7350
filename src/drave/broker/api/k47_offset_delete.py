"""OffsetDelete: what a group has committed in partitions that no member reads (KIP-496)."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.shard import GroupShard
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.wire.messages.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)


def offset_delete(broker: Broker, context: Context, request: OffsetDeleteRequest) -> Any:
    """Delete what can be deleted. Partitions that are not there are refused one by one, unless the whole is."""
    if not request.group_id:
        return OffsetDeleteResponse(error_code=ErrorCode.INVALID_GROUP_ID, topics=[])
    refused = [answer for topic in request.topics if (answer := _refuse(broker, topic)) is not None]
    request.topics = [topic for topic in request.topics if topic.partitions]

    def step(shard: GroupShard, token: Token, now_ms: int) -> Outcome:
        outcome = shard.offsets.delete(request, token)
        for reply in outcome.replies:
            _add(reply.response, refused)
        return outcome

    return broker.groups.submit(request.group_id, step, lambda code: OffsetDeleteResponse(error_code=code, topics=[]))


def _add(response: OffsetDeleteResponse, refused: list[OffsetDeleteResponseTopic]) -> None:
    """Each topic is named once, with all its partitions; an error of the whole stands alone."""
    if response.error_code:
        return
    answered = {topic.name: topic for topic in response.topics}
    for topic in refused:
        if (same := answered.get(topic.name)) is not None:
            same.partitions += topic.partitions
        else:
            response.topics.append(topic)


def _refuse(broker: Broker, topic: OffsetDeleteRequestTopic) -> OffsetDeleteResponseTopic | None:
    """Take out of the request what is not there, and answer it."""
    known = broker.catalog.topic(topic.name)
    there = range(0 if known is None else known.partitions)
    missing = [partition for partition in topic.partitions if partition.partition_index not in there]
    if not missing:
        return None
    topic.partitions = [partition for partition in topic.partitions if partition.partition_index in there]
    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return OffsetDeleteResponseTopic(
        name=topic.name,
        partitions=[
            OffsetDeleteResponsePartition(partition_index=partition.partition_index, error_code=code)
            for partition in missing
        ],
    )
