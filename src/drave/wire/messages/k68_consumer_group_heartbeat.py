"""ConsumerGroupHeartbeat: a member of a new group says what it wants and has, and hears what it gets."""

from __future__ import annotations

from drave.schema import Struct, int16, int32, since
from drave.wire.types import topic_uuid


class TopicPartitions(Struct):
    topic_id: topic_uuid
    partitions: list[int32]


class ConsumerGroupHeartbeatRequest(Struct, versions=(0, 1), flexible=0):
    group_id: str
    member_id: str
    member_epoch: int32
    instance_id: str | None = None
    rack_id: str | None = None
    rebalance_timeout_ms: int32 = -1
    subscribed_topic_names: list[str] | None = None
    subscribed_topic_regex: str | None = since(1, default=None)  # KIP-848
    server_assignor: str | None = None
    topic_partitions: list[TopicPartitions] | None = None


class Assignment(Struct):
    topic_partitions: list[TopicPartitions]


class ConsumerGroupHeartbeatResponse(Struct, versions=(0, 1), flexible=0):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: str | None = None
    member_id: str | None = None
    member_epoch: int32
    heartbeat_interval_ms: int32
    assignment: Assignment | None = None
