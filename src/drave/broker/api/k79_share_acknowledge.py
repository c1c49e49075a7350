"""ShareAcknowledge: what became of records that a member of a share group took. Answered when it is durable."""

from __future__ import annotations

from typing import Any

from drave.broker.context import Context
from drave.broker.coordinator.runtime import gathered
from drave.broker.core import Broker
from drave.broker.sharing.acknowledging import Member, Said, acknowledge, check_member, said, types_max
from drave.broker.sharing.sessions import FINAL_EPOCH, INITIAL_EPOCH, InvalidShareSessionEpoch, Place
from drave.model.errors import ErrorCode, ProtocolError
from drave.wire.messages.k79_share_acknowledge import (
    LeaderIdAndEpoch,
    PartitionData,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
    ShareAcknowledgeTopicResponse,
)

NO_LEADER = LeaderIdAndEpoch(leader_id=0, leader_epoch=0)
"""Named only to clients that have to go elsewhere, and there is nowhere else."""


def share_acknowledge(broker: Broker, context: Context, request: ShareAcknowledgeRequest) -> Any:
    """Answer for every partition that is named."""
    try:
        member = check_member(request.group_id, request.member_id)
        _check_session(broker, member, request.share_session_epoch)
    except ProtocolError as error:
        return ShareAcknowledgeResponse(
            error_code=error.code, error_message=str(error), responses=[], node_endpoints=[]
        )
    named = {
        Place(topic.topic_id, partition.partition_index): partition.acknowledgement_batches
        for topic in request.topics
        for partition in topic.partitions
    }
    answers = acknowledge(
        broker, member, named, types_max=types_max(context.api_version), is_renew=request.is_renew_ack
    )
    if request.share_session_epoch == FINAL_EPOCH:
        broker.sharing.release(broker.sharing.sessions.find(*member))
    places = list(answers)  # not the answers: those that come later would name themselves
    return gathered(
        list(answers.values()), lambda found: _response(broker, member, dict(zip(places, found, strict=True)))
    )


def _check_session(broker: Broker, member: Member, epoch: int) -> None:
    sessions = broker.sharing.sessions
    if epoch == INITIAL_EPOCH:
        raise InvalidShareSessionEpoch
    if epoch == FINAL_EPOCH:
        sessions.find(*member)
    else:
        sessions.go_on(*member, epoch)


def _response(broker: Broker, member: Member, answers: dict[Place, Said | ErrorCode]) -> ShareAcknowledgeResponse:
    topics: dict[bytes, ShareAcknowledgeTopicResponse] = {}
    for place, answer in answers.items():
        topic = topics.get(place.topic_id)
        if topic is None:
            topic = topics[place.topic_id] = ShareAcknowledgeTopicResponse(topic_id=place.topic_id, partitions=[])
        code, message = answer if isinstance(answer, Said) else said(answer)
        topic.partitions.append(
            PartitionData(
                partition_index=place.partition, error_code=code, error_message=message, current_leader=NO_LEADER
            )
        )
    return ShareAcknowledgeResponse(
        acquisition_lock_timeout_ms=broker.sharing.lock_ms(member.group_id),
        responses=list(topics.values()),
        node_endpoints=[],
    )
