"""ConsumerGroupDescribe: state, members and assignments of new groups."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, since
from drave.wire.types import topic_uuid


class ConsumerGroupDescribeRequest(Struct, versions=(0, 1), flexible=0):
    group_ids: list[str]
    include_authorized_operations: bool


class TopicPartitions(Struct):
    topic_id: topic_uuid
    topic_name: str
    partitions: list[int32]


class Assignment(Struct):
    topic_partitions: list[TopicPartitions]


class Member(Struct):
    member_id: str
    instance_id: str | None = None
    rack_id: str | None = None
    member_epoch: int32
    client_id: str
    client_host: str
    subscribed_topic_names: list[str]
    subscribed_topic_regex: str | None = None
    assignment: Assignment
    target_assignment: Assignment
    member_type: int8 = since(1, default=-1)  # KIP-1099


class DescribedGroup(Struct):
    error_code: int16 = 0
    error_message: str | None = None
    group_id: str
    group_state: str
    group_epoch: int32
    assignment_epoch: int32
    assignor_name: str
    members: list[Member]
    authorized_operations: int32 = -(2**31)


class ConsumerGroupDescribeResponse(Struct, versions=(0, 1), flexible=0):
    throttle_time_ms: int32 = 0
    groups: list[DescribedGroup]
