"""ListOffsets: the offset of a moment, or of one of the moments that have a negative number for a name.

What is known by heart is answered at once; what has to be looked up on the disk is awaited.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine
from typing import Any, Final

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

LookUp = tuple[PartitionLog, int, ListOffsetsPartitionResponse]
"""A log, a timestamp, and the answer to be completed."""


def list_offsets(
    broker: Broker, context: Context, request: ListOffsetsRequest
) -> ListOffsetsResponse | Coroutine[Any, Any, ListOffsetsResponse]:
    """Answer for every partition that is asked for; an error belongs to its partition alone."""
    response = ListOffsetsResponse(topics=[])
    read_committed = request.isolation_level == READ_COMMITTED
    look_ups: list[LookUp] = []
    times_named = Counter((topic.name, asked.partition_index) for topic in request.topics for asked in topic.partitions)
    for topic in request.topics:
        answers: list[ListOffsetsPartitionResponse] = []
        response.topics.append(ListOffsetsTopicResponse(name=topic.name, partitions=answers))
        for asked in topic.partitions:
            answer = ListOffsetsPartitionResponse(partition_index=asked.partition_index)
            answers.append(answer)
            try:
                if times_named[topic.name, asked.partition_index] > 1:
                    raise Refused(ErrorCode.INVALID_REQUEST, "The request names this partition twice.")
                _check_timestamp(asked.timestamp, context.api_version)
                log = broker.partition(broker.topic(topic.name), asked.partition_index)
                check_leader_epoch(log, asked.current_leader_epoch)
            except ProtocolError as error:
                answer.error_code = error.code
                continue
            if asked.timestamp >= 0 or asked.timestamp == MAX_TIMESTAMP:
                look_ups.append((log, asked.timestamp, answer))
            else:
                _complete(answer, log, asked, read_committed)
    return _look_up(look_ups, response, read_committed) if look_ups else response


def _check_timestamp(timestamp: int, version: int) -> None:
    if timestamp < EARLIEST_PENDING_UPLOAD or version < SINCE.get(timestamp, 0):
        raise Refused(ErrorCode.UNSUPPORTED_VERSION, f"The timestamp {timestamp} has no meaning in version {version}.")


def _complete(
    answer: ListOffsetsPartitionResponse, log: PartitionLog, asked: ListOffsetsPartition, read_committed: bool
) -> None:
    if asked.timestamp == LATEST:
        answer.offset = log.last_stable if read_committed else log.high_watermark
        answer.leader_epoch = log.leader_epoch
    elif asked.timestamp in (EARLIEST, EARLIEST_LOCAL):
        answer.offset = log.start
        answer.leader_epoch = log.epoch_at(log.start)


async def _look_up(look_ups: list[LookUp], response: ListOffsetsResponse, read_committed: bool) -> ListOffsetsResponse:
    for log, timestamp, answer in look_ups:
        try:
            found = await (log.max_timestamp() if timestamp == MAX_TIMESTAMP else log.offset_for_time(timestamp))
        except ProtocolError as error:
            answer.error_code = error.code
            continue
        if found is not None and not (read_committed and found.offset >= log.last_stable):
            answer.timestamp = found.timestamp
            answer.offset = found.offset
            answer.leader_epoch = found.leader_epoch
    return response
