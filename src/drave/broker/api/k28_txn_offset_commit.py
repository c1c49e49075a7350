"""TxnOffsetCommit: a group's offsets, which count when the transaction that they are part of commits (KIP-98, KIP-447).

    is the group's partition in the transaction?  ─▶  does the group take it?  ─▶  appended as the producer's batch
      (since v5 it is added here, KIP-890)

What the group is asked, and what it keeps, is an OffsetCommit.
"""

from __future__ import annotations

from typing import Any, Final

from drave.broker.api.k08_offset_commit import add_refused, refuse_missing
from drave.broker.context import Context, Pending
from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.refusals import commit_refused
from drave.broker.coordinator.runtime import answered
from drave.broker.core import Broker
from drave.catalog import CONSUMER_OFFSETS
from drave.model.errors import ErrorCode, ProtocolError
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from drave.wire.messages.k28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)

ABORTABLE_SINCE: Final = 4
"""Versions that know TRANSACTION_ABORTABLE."""
ADDS_SINCE: Final = 5
TOPIC_IDS_SINCE: Final = 6

_GROUP_NOT_FOUND_UNKNOWN: Final = 0
"""A version of OffsetCommit that says ILLEGAL_GENERATION where there is no group, as this request always does."""


async def txn_offset_commit(broker: Broker, context: Context, request: TxnOffsetCommitRequest) -> Any:
    """Answered once it is durable."""
    version = context.api_version
    commit = _as_commit(request)
    by_id = version >= TOPIC_IDS_SINCE
    refused = [answer for topic in commit.topics if (answer := refuse_missing(broker, topic, by_id=by_id)) is not None]
    commit.topics = [topic for topic in commit.topics if topic.partitions]
    response = OffsetCommitResponse(topics=[])
    if commit.topics:
        code = await _admit(broker, request, version)
        if code is ErrorCode.NONE:
            response = await _commit(broker, commit, Writer(request.producer_id, request.producer_epoch))
        else:
            response = commit_refused(commit, code)
    return _as_txn_response(add_refused(response, refused))


async def _admit(broker: Broker, request: TxnOffsetCommitRequest, version: int) -> ErrorCode:
    """Whether the producer may write to the group's partition in its transaction, in words of this request."""
    if not request.transactional_id:
        return ErrorCode.INVALID_REQUEST
    try:
        await broker.groups.ensure_topic()
    except ProtocolError:
        return ErrorCode.COORDINATOR_NOT_AVAILABLE
    place = CONSUMER_OFFSETS, broker.groups.partition_for(request.group_id)
    code = ErrorCode.NONE
    try:
        pending = broker.transactions.check(
            request.transactional_id,
            request.producer_id,
            request.producer_epoch,
            *place,
            adds=version >= ADDS_SINCE,
        )
    except ProtocolError as refusal:
        code = refusal.code
    else:
        if pending is not None:
            code = ErrorCode(await answered(pending))
    match code:
        case ErrorCode.PRODUCER_FENCED:
            return ErrorCode.INVALID_PRODUCER_EPOCH
        case ErrorCode.TRANSACTION_ABORTABLE if version < ABORTABLE_SINCE:
            return ErrorCode.INVALID_TXN_STATE
        case ErrorCode.CONCURRENT_TRANSACTIONS if version < ADDS_SINCE:
            return ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        case _:
            return code


async def _commit(broker: Broker, commit: OffsetCommitRequest, writer: Writer) -> OffsetCommitResponse:
    answer = broker.groups.submit(
        commit.group_id,
        lambda shard, token, now_ms: shard.offsets.commit(commit, _GROUP_NOT_FOUND_UNKNOWN, token, now_ms, writer),
        lambda code: commit_refused(commit, code),
    )
    response: OffsetCommitResponse = await answered(answer) if isinstance(answer, Pending) else answer
    return response


def _as_commit(request: TxnOffsetCommitRequest) -> OffsetCommitRequest:
    return OffsetCommitRequest(
        group_id=request.group_id,
        generation_id_or_member_epoch=request.generation_id_or_member_epoch,
        member_id=request.member_id,
        group_instance_id=request.group_instance_id,
        topics=[
            OffsetCommitRequestTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    OffsetCommitRequestPartition(
                        partition_index=partition.partition_index,
                        committed_offset=partition.committed_offset,
                        committed_leader_epoch=partition.committed_leader_epoch,
                        committed_metadata=partition.committed_metadata,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ],
    )


def _as_txn_response(response: OffsetCommitResponse) -> TxnOffsetCommitResponse:
    return TxnOffsetCommitResponse(
        topics=[
            TxnOffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    TxnOffsetCommitResponsePartition(
                        partition_index=partition.partition_index, error_code=partition.error_code
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in response.topics
        ]
    )
