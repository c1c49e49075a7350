"""AlterReplicaLogDirs: replicas that are to lie in another folder of this broker.

It has one, so a replica is where it is wanted, or wanted where it cannot be.
"""

from __future__ import annotations

from drave.broker.api.k35_describe_log_dirs import log_dir
from drave.broker.context import Context
from drave.broker.core import Broker
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.wire.messages.k34_alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)


def alter_replica_log_dirs(
    broker: Broker, context: Context, request: AlterReplicaLogDirsRequest
) -> AlterReplicaLogDirsResponse:
    """Of several folders for one replica the last counts."""
    wanted: dict[str, dict[int, str]] = {}
    for folder in request.dirs:
        for topic in folder.topics:
            for index in topic.partitions:
                wanted.setdefault(topic.name, {})[index] = folder.path
    return AlterReplicaLogDirsResponse(
        results=[
            AlterReplicaLogDirTopicResult(
                topic_name=name,
                partitions=[
                    AlterReplicaLogDirPartitionResult(
                        partition_index=index, error_code=_code(broker, name, index, path)
                    )
                    for index, path in partitions.items()
                ],
            )
            for name, partitions in wanted.items()
        ]
    )


def _code(broker: Broker, name: str, index: int, path: str) -> ErrorCode:
    try:
        if path != log_dir(broker):
            raise Refused(ErrorCode.LOG_DIR_NOT_FOUND, f"This broker keeps all replicas in {log_dir(broker)}.")
        broker.partition(broker.topic(name), index)
    except ProtocolError as refusal:
        return refusal.code
    return ErrorCode.NONE
