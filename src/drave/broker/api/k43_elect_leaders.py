"""ElectLeaders: a new leader for partitions. This broker leads them all, so there is never anything to elect."""

from __future__ import annotations

import enum

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.broker.topics import check_time_is_left
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.wire.messages.k43_elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)


class ElectionType(enum.IntEnum):
    """Which replica is to lead."""

    PREFERRED = 0
    UNCLEAN = 1


def elect_leaders(broker: Broker, context: Context, request: ElectLeadersRequest) -> ElectLeadersResponse:
    """For every partition why nothing has changed. Null asks for all, of which those without need are left out.

    Whoever asks for nothing has it, whatever else is wrong.
    """
    refusal = None if request.topic_partitions == [] else _refusal(request)
    response = ElectLeadersResponse(
        error_code=ErrorCode.NONE if refusal is None else refusal.code, replica_election_results=[]
    )
    if request.topic_partitions is None:
        names = [] if refusal is not None else broker.catalog.topics()
        response.replica_election_results = [ReplicaElectionResult(topic=name, partition_result=[]) for name in names]
        return response
    for topic in request.topic_partitions:
        results = []
        for index in topic.partitions:
            why = refusal or _elect(broker, topic.topic, index)
            results.append(PartitionResult(partition_id=index, error_code=why.code, error_message=str(why)))
        response.replica_election_results.append(ReplicaElectionResult(topic=topic.topic, partition_result=results))
    return response


def _refusal(request: ElectLeadersRequest) -> ProtocolError | None:
    """What is wrong with the request as a whole."""
    try:
        check_time_is_left(request.timeout_ms)
    except ProtocolError as refusal:
        return refusal
    if request.election_type not in ElectionType.__members__.values():
        return Refused(ErrorCode.INVALID_REQUEST, f"There are no elections of type {request.election_type}.")
    return None


def _elect(broker: Broker, name: str, index: int) -> ProtocolError:
    try:
        broker.partition(broker.topic(name), index)
    except ProtocolError as refusal:
        return refusal
    return Refused(ErrorCode.ELECTION_NOT_NEEDED, f"Broker {broker.node_id} leads it, and no other could.")
