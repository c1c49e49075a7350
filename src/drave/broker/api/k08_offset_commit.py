"""OffsetCommit: topics that this broker does not have are refused one by one, the rest is the group's to accept."""

from __future__ import annotations

from functools import partial
from typing import Any

from drave.broker.context import Context
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import commit_refused
from drave.broker.coordinator.shard import GroupShard
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

_TOPIC_IDS_SINCE = 10


def offset_commit(broker: Broker, context: Context, request: OffsetCommitRequest) -> Any:
    """Commit what can be committed, in one record batch."""
    version = context.api_version
    by_id = version >= _TOPIC_IDS_SINCE
    refused = [answer for topic in request.topics if (answer := refuse_missing(broker, topic, by_id=by_id)) is not None]
    if refused:
        return _commit_the_rest(broker, request, version, refused)
    return broker.groups.submit(
        request.group_id,
        lambda shard, token, now_ms: shard.offsets.commit(request, version, token, now_ms),
        partial(commit_refused, request),
        writes=True,
    )


def _commit_the_rest(
    broker: Broker, request: OffsetCommitRequest, version: int, refused: list[OffsetCommitResponseTopic]
) -> Any:
    request.topics = [topic for topic in request.topics if topic.partitions]
    if not request.topics:
        return OffsetCommitResponse(topics=refused)

    def step(shard: GroupShard, token: Token, now_ms: int) -> Outcome:
        outcome = shard.offsets.commit(request, version, token, now_ms)
        for reply in outcome.replies:
            add_refused(reply.response, refused)
        return outcome

    def refuse(code: ErrorCode) -> OffsetCommitResponse:
        return add_refused(commit_refused(request, code), refused)

    return broker.groups.submit(request.group_id, step, refuse, writes=True)


def add_refused(response: OffsetCommitResponse, refused: list[OffsetCommitResponseTopic]) -> OffsetCommitResponse:
    """Each topic is named once, with all its partitions."""
    answered = {(topic.name, topic.topic_id): topic for topic in response.topics}
    for topic in refused:
        if (same := answered.get((topic.name, topic.topic_id))) is not None:
            same.partitions += topic.partitions
        else:
            response.topics.append(topic)
    return response


def refuse_missing(broker: Broker, topic: OffsetCommitRequestTopic, *, by_id: bool) -> OffsetCommitResponseTopic | None:
    """Take out of the request what is not there, and answer it; complete what is there with its name and id."""
    known = broker.catalog.topic_by_id(TopicId(topic.topic_id)) if by_id else broker.catalog.topic(topic.name)
    code = ErrorCode.UNKNOWN_TOPIC_ID if by_id and known is None else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    there = range(0)
    if known is not None:
        topic.name, topic.topic_id = known.name, known.topic_id
        there = range(known.partitions)
    missing = [partition for partition in topic.partitions if partition.partition_index not in there]
    if not missing and known is not None:
        return None
    topic.partitions = [partition for partition in topic.partitions if partition.partition_index in there]
    return OffsetCommitResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=[
            OffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=code)
            for partition in missing
        ],
    )
