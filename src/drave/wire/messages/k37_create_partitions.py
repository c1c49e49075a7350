"""CreatePartitions: more partitions for topics that exist."""

from __future__ import annotations

from drave.schema import Struct, int16, int32


class CreatePartitionsAssignment(Struct):
    broker_ids: list[int32]


class CreatePartitionsTopic(Struct):
    name: str
    count: int32
    assignments: list[CreatePartitionsAssignment] | None


class CreatePartitionsRequest(Struct, versions=(0, 3), flexible=2):
    topics: list[CreatePartitionsTopic]
    timeout_ms: int32
    validate_only: bool


class CreatePartitionsTopicResult(Struct):
    name: str
    error_code: int16 = 0
    error_message: str | None = None


class CreatePartitionsResponse(Struct, versions=(0, 3), flexible=2):
    throttle_time_ms: int32 = 0
    results: list[CreatePartitionsTopicResult]
