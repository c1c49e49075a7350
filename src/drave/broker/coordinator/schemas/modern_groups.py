"""What the records of groups of the new protocols (KIP-848, 932, 1071) have in common."""

from __future__ import annotations

from drave.schema import Struct, int32, int64, tagged
from drave.wire.types import topic_uuid


class TargetEpochValue(Struct, versions=(0, 0), flexible=0):
    """Which group epoch the targets are of, and when they were computed (milliseconds since 1970; 0: not known)."""

    assignment_epoch: int32
    assignment_timestamp: int64 = tagged(0, default=0)  # KIP-1263


class TopicPartitions(Struct):
    """Some partitions of a topic."""

    topic_id: topic_uuid
    partitions: list[int32]


class TargetPartitionsValue(Struct, versions=(0, 0), flexible=0):
    """Which partitions a member is to have."""

    topic_partitions: list[TopicPartitions]
