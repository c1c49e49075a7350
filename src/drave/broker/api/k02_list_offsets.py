"""ListOffsets: the offset of a moment, or of one of the moments that have a negative number for a name."""

from __future__ import annotations

from typing import Final

from drave.broker.context import Context
from drave.broker.core import Broker, check_leader_epoch
from drave.log import PartitionLog
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.wire.messages.k02_list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

LATEST: Final = -1
EARLIEST: Final = -2
MAX_TIMESTAMP: Final = -3
"""KIP-734."""
EARLIEST_LOCAL: Final = -4
"""KIP-405. Nothing is tiered here, so the earliest local offset is the earliest."""
LATEST_TIERED: Final = -5
"""KIP-1005. Nothing is tiered here: -1."""
EARLIEST_PENDING_UPLOAD: Final = -6
"""KIP-1023. Nothing is uploaded here: -1."""

SINCE: Final = {MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING_UPLOAD: 11}
READ_COMMITTED: Final = 1

Found = tuple[int, int, int]
"""Timestamp, offset, leader epoch; -1 where there is none."""


async def list_offsets(broker: Broker, context: Context, request: ListOffsetsRequest) -> ListOffsetsResponse:
    """Look up every partition that is asked for; an error belongs to its partition alone."""
    topics: list[ListOffsetsTopicResponse] = []
    twice = _named_twice(request)
    for topic in request.topics:
        answers: list[ListOffsetsPartitionResponse] = []
        for asked in topic.partitions:
            try:
                if (topic.name, asked.partition_index) in twice:
                    raise Refused(ErrorCode.INVALID_REQUEST, "The request names this partition twice.")
                log = broker.partition(broker.topic(topic.name), asked.partition_index)
                check_leader_epoch(log, asked.current_leader_epoch)
                answers.append(_answer(asked, 0, await _find(log, asked, context, request.isolation_level)))
            except ProtocolError as error:
                answers.append(_answer(asked, error.code, (-1, -1, -1)))
        topics.append(ListOffsetsTopicResponse(name=topic.name, partitions=answers))
    return ListOffsetsResponse(throttle_time_ms=0, topics=topics)


def _named_twice(request: ListOffsetsRequest) -> set[tuple[str, int]]:
    seen: set[tuple[str, int]] = set()
    twice: set[tuple[str, int]] = set()
    for topic in request.topics:
        for asked in topic.partitions:
            place = (topic.name, asked.partition_index)
            (twice if place in seen else seen).add(place)
    return twice


async def _find(log: PartitionLog, asked: ListOffsetsPartition, context: Context, isolation: int) -> Found:
    timestamp = asked.timestamp
    if timestamp < EARLIEST_PENDING_UPLOAD or context.api_version < SINCE.get(timestamp, 0):
        raise Refused(ErrorCode.UNSUPPORTED_VERSION)
    if timestamp == LATEST:
        return -1, log.last_stable if isolation == READ_COMMITTED else log.high_watermark, log.leader_epoch
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        return -1, log.start, log.epoch_at(log.start)
    if timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return -1, -1, -1
    found = await (log.max_timestamp() if timestamp == MAX_TIMESTAMP else log.offset_for_time(timestamp))
    if found is None or (isolation == READ_COMMITTED and found.offset >= log.last_stable):
        return -1, -1, -1
    return found.timestamp, found.offset, found.leader_epoch


def _answer(asked: ListOffsetsPartition, code: int, found: Found) -> ListOffsetsPartitionResponse:
    timestamp, offset, leader_epoch = found
    return ListOffsetsPartitionResponse(
        partition_index=asked.partition_index,
        error_code=code,
        timestamp=timestamp,
        offset=offset,
        leader_epoch=leader_epoch,
    )
