"""ShareGroupHeartbeat: a member of a share group says what it wants, and hears what it gets."""

from __future__ import annotations

from drave.schema import Struct, int16, int32
from drave.wire.types import topic_uuid


class ShareGroupHeartbeatRequest(Struct, versions=(1, 1), flexible=0):
    group_id: str
    member_id: str
    member_epoch: int32
    rack_id: str | None = None
    subscribed_topic_names: list[str] | None = None


class TopicPartitions(Struct):
    topic_id: topic_uuid
    partitions: list[int32]


class Assignment(Struct):
    topic_partitions: list[TopicPartitions]


class ShareGroupHeartbeatResponse(Struct, versions=(1, 1), flexible=0):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: str | None = None
    member_id: str | None = None
    member_epoch: int32
    heartbeat_interval_ms: int32
    assignment: Assignment | None = None
