"""OffsetForLeaderEpoch (KIP-320): where an epoch ended, so that a client notices a log that was cut behind it."""

from __future__ import annotations

from drave.broker.context import Context
from drave.broker.core import Broker, check_leader_epoch
from drave.model.errors import ProtocolError
from drave.wire.messages.k23_offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)


def offset_for_leader_epoch(
    broker: Broker, context: Context, request: OffsetForLeaderEpochRequest
) -> OffsetForLeaderEpochResponse:
    """For every partition: the largest epoch not above the one that is asked for, and the offset where it ended."""
    return OffsetForLeaderEpochResponse(
        throttle_time_ms=0,
        topics=[
            OffsetForLeaderTopicResult(
                topic=topic.topic, partitions=[_answer(broker, topic.topic, asked) for asked in topic.partitions]
            )
            for topic in request.topics
        ],
    )


def _answer(broker: Broker, name: str, asked: OffsetForLeaderPartition) -> EpochEndOffset:
    try:
        log = broker.partition(broker.topic(name), asked.partition)
        check_leader_epoch(log, asked.current_leader_epoch)
    except ProtocolError as error:
        return EpochEndOffset(error_code=error.code, partition=asked.partition, leader_epoch=-1, end_offset=-1)
    epoch, end = log.end_offset_for_epoch(asked.leader_epoch)
    return EpochEndOffset(error_code=0, partition=asked.partition, leader_epoch=epoch, end_offset=end)
