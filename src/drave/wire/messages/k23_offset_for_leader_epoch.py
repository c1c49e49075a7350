"""OffsetForLeaderEpoch: where a leader's epoch ended, for a client that may have read what was later cut off."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, int64, since


class OffsetForLeaderPartition(Struct):
    partition: int32
    current_leader_epoch: int32 = -1
    leader_epoch: int32


class OffsetForLeaderTopic(Struct):
    topic: str
    partitions: list[OffsetForLeaderPartition]


class OffsetForLeaderEpochRequest(Struct, versions=(2, 4), flexible=4):
    replica_id: int32 = since(3, default=-2)
    topics: list[OffsetForLeaderTopic]


class EpochEndOffset(Struct):
    error_code: int16 = 0
    partition: int32
    leader_epoch: int32 = -1
    end_offset: int64 = -1


class OffsetForLeaderTopicResult(Struct):
    topic: str
    partitions: list[EpochEndOffset]


class OffsetForLeaderEpochResponse(Struct, versions=(2, 4), flexible=4):
    throttle_time_ms: int32 = 0
    topics: list[OffsetForLeaderTopicResult]
