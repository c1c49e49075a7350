"""StreamsGroupDescribe: state, topology and tasks of streams groups."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32, int64, since, uint16


class StreamsGroupDescribeRequest(Struct, versions=(0, 1), flexible=0):
    group_ids: list[str]
    include_authorized_operations: bool
    include_topology_description: bool = since(1, default=False)  # KIP-1331


class KeyValue(Struct):
    key: str
    value: str


class TopicInfo(Struct):
    name: str
    partitions: int32
    replication_factor: int16
    topic_configs: list[KeyValue]


class Subtopology(Struct):
    subtopology_id: str
    source_topics: list[str]
    repartition_sink_topics: list[str]
    state_changelog_topics: list[TopicInfo]
    repartition_source_topics: list[TopicInfo]


class Topology(Struct):
    epoch: int32
    subtopologies: list[Subtopology] | None = None


class Endpoint(Struct):
    host: str
    port: uint16


class TaskOffset(Struct):
    subtopology_id: str
    partition: int32
    offset: int64


class TaskIds(Struct):
    subtopology_id: str
    partitions: list[int32]


class Assignment(Struct):
    active_tasks: list[TaskIds]
    standby_tasks: list[TaskIds]
    warmup_tasks: list[TaskIds]


class Member(Struct):
    member_id: str
    member_epoch: int32
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str
    client_host: str
    topology_epoch: int32
    process_id: str
    user_endpoint: Endpoint | None = None
    client_tags: list[KeyValue]
    task_offsets: list[TaskOffset]
    task_end_offsets: list[TaskOffset]
    assignment: Assignment
    target_assignment: Assignment
    is_classic: bool


class TopologyDescriptionNode(Struct):
    name: str
    node_type: int8
    source_topics: list[str]
    sink_topic: str | None = None
    stores: list[str]
    successors: list[str]


class TopologyDescriptionSubtopology(Struct):
    subtopology_id: str
    nodes: list[TopologyDescriptionNode]


class TopologyDescriptionGlobalStore(Struct):
    source: TopologyDescriptionNode
    processor: TopologyDescriptionNode


class TopologyDescription(Struct):
    subtopologies: list[TopologyDescriptionSubtopology]
    global_stores: list[TopologyDescriptionGlobalStore]


class DescribedGroup(Struct):
    error_code: int16 = 0
    error_message: str | None = None
    group_id: str
    group_state: str
    group_epoch: int32
    assignment_epoch: int32
    topology: Topology | None = None
    members: list[Member]
    authorized_operations: int32 = -(2**31)
    topology_description: TopologyDescription | None = since(1, default=None)  # KIP-1331
    topology_description_status: int8 = since(1, default=0)  # KIP-1331
    assignor_name: str | None = since(1, default=None)  # KIP-1357


class StreamsGroupDescribeResponse(Struct, versions=(0, 1), flexible=0):
    throttle_time_ms: int32 = 0
    groups: list[DescribedGroup]
