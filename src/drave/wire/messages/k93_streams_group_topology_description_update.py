"""StreamsGroupTopologyDescriptionUpdate: the topology of a streams group, told for people to look at."""

from __future__ import annotations

from drave.schema import Struct, int8, int16, int32


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


class StreamsGroupTopologyDescriptionUpdateRequest(Struct, versions=(0, 0), flexible=0):
    group_id: str
    member_id: str
    topology_epoch: int32
    topology_description: TopologyDescription


class StreamsGroupTopologyDescriptionUpdateResponse(Struct, versions=(0, 0), flexible=0):
    throttle_time_ms: int32 = 0
    error_code: int16 = 0
    error_message: str | None = None
