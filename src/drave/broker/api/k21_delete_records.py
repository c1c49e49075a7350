"""DeleteRecords: the records of a partition before an offset go.

The new start is durable when this is answered, so no restart brings a record back. Segments in which nothing is left
follow. Of several offsets for one partition the last counts, and the broker's own topics are not for clients to cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from drave.broker.context import Context, Pending
from drave.broker.coordinator.runtime import gathered
from drave.broker.core import Broker
from drave.log import PartitionLog
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.ids import Offset
from drave.wire.messages.k21_delete_records import (
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

HIGH_WATERMARK: Final = -1
"""Stands for it: everything that can be read goes."""


def delete_records(broker: Broker, context: Context, request: DeleteRecordsRequest) -> Any:
    """For every partition its new start, or why it keeps the old one. All partitions wait for the same commit."""
    offsets = {
        (topic.name, asked.partition_index): asked.offset for topic in request.topics for asked in topic.partitions
    }
    answers = [_delete(broker, name, index, offset) for (name, index), offset in offsets.items()]
    return gathered(answers, partial(_together, [name for name, _ in offsets]))


def _delete(broker: Broker, name: str, index: int, offset: int) -> DeleteRecordsPartitionResult | Pending:
    try:
        log = _deletable(broker, name, index)
        moved = broker.logs.delete_records(log, log.high_watermark if offset == HIGH_WATERMARK else Offset(offset))
    except ProtocolError as refusal:
        return _result(index, refusal.code)
    pending = Pending()
    moved.add_done_callback(partial(_moved, pending, log))
    return pending


def _deletable(broker: Broker, name: str, index: int) -> PartitionLog:
    topic = broker.topic(name)
    log = broker.partition(topic, index)
    if topic.internal:
        raise Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, f"{name} is the broker's own: only it deletes records there.")
    if not log.config.cleanup_delete:
        raise Refused(ErrorCode.POLICY_VIOLATION, f"The cleanup.policy of {name} does not say delete.")
    return log


def _moved(pending: Pending, log: PartitionLog, moved: asyncio.Future[Offset]) -> None:
    refusal = moved.exception()
    if refusal is None:
        pending.complete(_result(log.index, low_watermark=moved.result()))
    elif log.removed:
        pending.complete(_result(log.index, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
    else:
        pending.complete(_result(log.index, ErrorCode.KAFKA_STORAGE_ERROR))


def _result(index: int, code: ErrorCode = ErrorCode.NONE, *, low_watermark: int = -1) -> DeleteRecordsPartitionResult:
    return DeleteRecordsPartitionResult(partition_index=index, low_watermark=low_watermark, error_code=code)


def _together(names: Sequence[str], results: Sequence[DeleteRecordsPartitionResult]) -> DeleteRecordsResponse:
    topics: dict[str, list[DeleteRecordsPartitionResult]] = {}
    for name, result in zip(names, results, strict=True):
        topics.setdefault(name, []).append(result)
    return DeleteRecordsResponse(
        topics=[DeleteRecordsTopicResult(name=name, partitions=partitions) for name, partitions in topics.items()]
    )
