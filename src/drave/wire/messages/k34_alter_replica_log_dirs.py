"""AlterReplicaLogDirs: replicas that move to another folder of their broker."""

from __future__ import annotations

from drave.schema import Struct, int16, int32


class AlterReplicaLogDirTopic(Struct):
    name: str
    partitions: list[int32]


class AlterReplicaLogDir(Struct):
    path: str
    topics: list[AlterReplicaLogDirTopic]


class AlterReplicaLogDirsRequest(Struct, versions=(1, 2), flexible=2):
    dirs: list[AlterReplicaLogDir]


class AlterReplicaLogDirPartitionResult(Struct):
    partition_index: int32
    error_code: int16 = 0


class AlterReplicaLogDirTopicResult(Struct):
    topic_name: str
    partitions: list[AlterReplicaLogDirPartitionResult]


class AlterReplicaLogDirsResponse(Struct, versions=(1, 2), flexible=2):
    throttle_time_ms: int32 = 0
    results: list[AlterReplicaLogDirTopicResult]
