"""Answers in words of each API that say only: not done, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from drave.model.errors import ErrorCode
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from drave.wire.messages.k11_join_group import JoinGroupResponse
from drave.wire.messages.k13_leave_group import LeaveGroupResponse
from drave.wire.messages.k14_sync_group import SyncGroupResponse
from drave.wire.messages.k42_delete_groups import DeleteGroupsResponse
from drave.wire.messages.k47_offset_delete import OffsetDeleteResponse
from drave.wire.messages.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatResponse
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatResponse
from drave.wire.messages.k88_streams_group_heartbeat import StreamsGroupHeartbeatResponse
from drave.wire.messages.k91_alter_share_group_offsets import AlterShareGroupOffsetsResponse
from drave.wire.messages.k92_delete_share_group_offsets import DeleteShareGroupOffsetsResponse

_NULL_PROTOCOL_SINCE: Final = 7
"""JoinGroup versions that say with null that there is no protocol."""


def join_refused(code: ErrorCode, api_version: int, member_id: str = "") -> JoinGroupResponse:
    protocol = None if api_version >= _NULL_PROTOCOL_SINCE else ""
    return JoinGroupResponse(error_code=code, protocol_name=protocol, leader="", member_id=member_id, members=[])


def sync_refused(code: ErrorCode) -> SyncGroupResponse:
    return SyncGroupResponse(error_code=code, assignment=b"")


def commit_refused(request: OffsetCommitRequest, code: ErrorCode) -> OffsetCommitResponse:
    """OffsetCommit has no error of the whole: each partition says it."""
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    OffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=code)
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def heartbeat_refused(code: ErrorCode, why: str | None = None) -> ConsumerGroupHeartbeatResponse:
    return ConsumerGroupHeartbeatResponse(error_code=code, error_message=why, member_epoch=0, heartbeat_interval_ms=0)


def share_heartbeat_refused(code: ErrorCode, why: str | None = None) -> ShareGroupHeartbeatResponse:
    return ShareGroupHeartbeatResponse(error_code=code, error_message=why, member_epoch=0, heartbeat_interval_ms=0)


def share_alteration_refused(code: ErrorCode, why: str | None = None) -> AlterShareGroupOffsetsResponse:
    return AlterShareGroupOffsetsResponse(error_code=code, error_message=why, responses=[])


def share_deletion_refused(code: ErrorCode, why: str | None = None) -> DeleteShareGroupOffsetsResponse:
    return DeleteShareGroupOffsetsResponse(error_code=code, error_message=why, responses=[])


def streams_heartbeat_refused(code: ErrorCode, message: str | None = None) -> StreamsGroupHeartbeatResponse:
    return StreamsGroupHeartbeatResponse(
        error_code=code,
        error_message=message,
        member_id="",
        member_epoch=0,
        heartbeat_interval_ms=0,
        task_offset_interval_ms=0,
        status=[],
        endpoint_information_epoch=0,
    )


def refused(response: Any, code: ErrorCode) -> Any:
    """The answer to put in the place of `response` when the log has refused the records that it speaks of."""
    reword = _REWORD.get(type(response))
    return response if reword is None else reword(response, code)


def _reword_commit(response: OffsetCommitResponse, code: ErrorCode) -> OffsetCommitResponse:
    for topic in response.topics:
        for partition in topic.partitions:
            partition.error_code = partition.error_code or code
    return response


def _reword_deletion(response: DeleteGroupsResponse, code: ErrorCode) -> DeleteGroupsResponse:
    for result in response.results:
        result.error_code = result.error_code or code
    return response


_REWORD: Final[Mapping[type, Callable[[Any, ErrorCode], Any]]] = {
    OffsetCommitResponse: _reword_commit,
    JoinGroupResponse: lambda _, code: join_refused(code, 0),  # the form that every version can carry
    LeaveGroupResponse: lambda _, code: LeaveGroupResponse(error_code=code),
    SyncGroupResponse: lambda _, code: sync_refused(code),
    DeleteGroupsResponse: _reword_deletion,
    ConsumerGroupHeartbeatResponse: lambda _, code: heartbeat_refused(code),
    OffsetDeleteResponse: lambda _, code: OffsetDeleteResponse(error_code=code, topics=[]),
    ShareGroupHeartbeatResponse: lambda _, code: share_heartbeat_refused(code),
    AlterShareGroupOffsetsResponse: lambda _, code: share_alteration_refused(code),
    DeleteShareGroupOffsetsResponse: lambda _, code: share_deletion_refused(code),
    StreamsGroupHeartbeatResponse: lambda _, code: streams_heartbeat_refused(code),
}
"""A heartbeat of a classic group writes nothing, so it is never refused."""
