"""DescribeShareGroupOffsets: how far share groups have come, and how much is left (KIP-932, KIP-1226).

    lag = end of the partition - start offset - what is over from the start on

A group or topic that is not there has come nowhere: it has no offset, and that is no error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from drave.broker.asking import once_whole
from drave.broker.context import Context
from drave.broker.coordinator.share.partitions import by_topic
from drave.broker.coordinator.share.state import UNDECIDED_START, UNKNOWN_COUNT, SharePartition, Summary
from drave.broker.core import Broker
from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID
from drave.wire.messages.k90_describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsResponse,
    DescribeShareGroupOffsetsResponseGroup,
    DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
)

NOWHERE: Final = Summary()


async def describe_share_group_offsets(
    broker: Broker, context: Context, request: DescribeShareGroupOffsetsRequest
) -> DescribeShareGroupOffsetsResponse:
    """Describe each group that is asked for: the partitions that are named, or all that it has come anywhere in."""
    described = []
    for group in once_whole(request.groups):
        described.append(await _describe(broker, group))
        await asyncio.sleep(0)  # let others have the loop
    return DescribeShareGroupOffsetsResponse(groups=described)


async def _describe(
    broker: Broker, asked: DescribeShareGroupOffsetsRequestGroup
) -> DescribeShareGroupOffsetsResponseGroup:
    group_id = asked.group_id
    shard = broker.groups.shard(group_id)
    if isinstance(shard, ErrorCode):
        return DescribeShareGroupOffsetsResponseGroup(group_id=group_id, topics=[], error_code=shard)
    wanted: list[tuple[str, list[int]]] = []
    if asked.topics is None:
        for topic_id, indexes in by_topic(shard.shares.initialized_partitions(group_id)).items():
            if (topic := broker.catalog.topic_by_id(topic_id)) is not None:
                wanted.append((topic.name, indexes))
    else:
        wanted = [(topic.topic_name, topic.partitions) for topic in asked.topics]
    topics = [await _describe_topic(broker, group_id, name, indexes) for name, indexes in wanted]
    return DescribeShareGroupOffsetsResponseGroup(group_id=group_id, topics=topics)


async def _describe_topic(
    broker: Broker, group_id: str, name: str, indexes: Iterable[int]
) -> DescribeShareGroupOffsetsResponseTopic:
    topic = broker.catalog.topic(name)
    topic_id = ZERO_TOPIC_ID if topic is None else topic.topic_id
    wanted = [SharePartition(topic_id, index) for index in indexes]
    found: Mapping[SharePartition, Summary | ErrorCode] = {}
    if topic is not None:
        found = await broker.share_states.summarize(group_id, wanted)
    return DescribeShareGroupOffsetsResponseTopic(
        topic_name=name,
        topic_id=topic_id,
        partitions=[_describe_partition(broker, each, found.get(each, NOWHERE)) for each in wanted],
    )


def _describe_partition(
    broker: Broker, partition: SharePartition, found: Summary | ErrorCode
) -> DescribeShareGroupOffsetsResponsePartition:
    summary = NOWHERE if isinstance(found, ErrorCode) else found
    answer = DescribeShareGroupOffsetsResponsePartition(
        partition_index=partition.partition, start_offset=summary.start_offset, leader_epoch=summary.leader_epoch
    )
    log = broker.logs.partition(partition.topic_id, partition.partition)
    is_known = summary.start_offset != UNDECIDED_START and summary.delivery_complete_count != UNKNOWN_COUNT
    if log is not None and is_known:
        answer.lag = log.high_watermark - summary.start_offset - summary.delivery_complete_count
    return answer
