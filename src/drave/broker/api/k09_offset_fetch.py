"""OffsetFetch: what groups have committed. One group up to v7, several since (KIP-709); topics by id since v10."""

from __future__ import annotations

from functools import partial
from typing import Any

from drave.broker.asking import once_whole
from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID, TopicId
from drave.wire.messages.k09_offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

_ERROR_AT_TOP_SINCE = 2
_GROUPS_SINCE = 8
_TOPIC_IDS_SINCE = 10
_NO_OFFSET = -1


def offset_fetch(broker: Broker, context: Context, request: OffsetFetchRequest) -> Any:
    """Answered when what is told is durable, so that no offset is read that a power cut could take back."""
    version = context.api_version
    asked = once_whole(request.groups) if version >= _GROUPS_SINCE else [_only_group(request)]
    fetched = [_fetch(broker, group, version) for group in asked]
    if request.require_stable:
        for group in fetched:
            _withhold_undecided(broker, group)
    if version >= _GROUPS_SINCE:
        response = OffsetFetchResponse(groups=fetched)
    else:
        response = _as_one_group(fetched[0], asked[0], version)
    return broker.groups.once_durable(response, [group.group_id for group in asked])


def _only_group(request: OffsetFetchRequest) -> OffsetFetchRequestGroup:
    topics = None
    if request.topics is not None:
        topics = [
            OffsetFetchRequestTopics(name=each.name, partition_indexes=each.partition_indexes)
            for each in request.topics
        ]
    return OffsetFetchRequestGroup(group_id=request.group_id, topics=topics)


def _fetch(broker: Broker, group: OffsetFetchRequestGroup, version: int) -> OffsetFetchResponseGroup:
    shard = broker.groups.shard(group.group_id)
    if isinstance(shard, ErrorCode):
        return OffsetFetchResponseGroup(group_id=group.group_id, topics=[], error_code=shard)
    is_current = partial(_is_current, broker)
    if version < _TOPIC_IDS_SINCE:
        return shard.offsets.fetch(group, is_current)
    if group.topics is None:
        everything = shard.offsets.fetch(group, is_current)
        everything.topics = [topic for topic in everything.topics if _add_id(broker, topic)]
        return everything
    unknown = [topic for topic in group.topics if not _add_name(broker, topic)]
    group.topics = [topic for topic in group.topics if topic.name]
    found = shard.offsets.fetch(group, is_current)
    found.topics += [_unknown(topic) for topic in unknown]
    return found


def _withhold_undecided(broker: Broker, group: OffsetFetchResponseGroup) -> None:
    """KIP-447: where a transaction may still commit an offset, who takes the partition over waits for its end."""
    for topic in group.topics:
        for partition in topic.partitions:
            if broker.groups.is_undecided(group.group_id, topic.name, partition.partition_index):
                partition.committed_offset, partition.committed_leader_epoch, partition.metadata = _NO_OFFSET, -1, ""
                partition.error_code = ErrorCode.UNSTABLE_OFFSET_COMMIT


def _is_current(broker: Broker, name: str, topic_id: bytes) -> bool:
    known = broker.catalog.topic(name)
    return known is None or known.topic_id == topic_id


def _add_id(broker: Broker, topic: OffsetFetchResponseTopics) -> bool:
    known = broker.catalog.topic(topic.name)
    if known is not None:
        topic.topic_id = known.topic_id
    return known is not None


def _add_name(broker: Broker, topic: OffsetFetchRequestTopics) -> bool:
    known = None if topic.topic_id == ZERO_TOPIC_ID else broker.catalog.topic_by_id(TopicId(topic.topic_id))
    if known is not None:
        topic.name = known.name
    return known is not None


def _unknown(topic: OffsetFetchRequestTopics) -> OffsetFetchResponseTopics:
    return OffsetFetchResponseTopics(
        topic_id=topic.topic_id,
        partitions=[
            OffsetFetchResponsePartitions(
                partition_index=index,
                committed_offset=_NO_OFFSET,
                metadata="",
                error_code=ErrorCode.UNKNOWN_TOPIC_ID,
            )
            for index in topic.partition_indexes
        ],
    )


def _as_one_group(group: OffsetFetchResponseGroup, asked: OffsetFetchRequestGroup, version: int) -> OffsetFetchResponse:
    """The answer of a version that knows one group. The oldest has no error but the partitions'."""
    code = group.error_code
    if code and version < _ERROR_AT_TOP_SINCE:
        group.topics = [
            OffsetFetchResponseTopics(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartitions(
                        partition_index=index, committed_offset=_NO_OFFSET, metadata="", error_code=code
                    )
                    for index in topic.partition_indexes
                ],
            )
            for topic in asked.topics or []
        ]
    return OffsetFetchResponse(
        topics=[
            OffsetFetchResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=partition.partition_index,
                        committed_offset=partition.committed_offset,
                        committed_leader_epoch=partition.committed_leader_epoch,
                        metadata=partition.metadata,
                        error_code=partition.error_code,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in group.topics
        ],
        error_code=code,
    )
