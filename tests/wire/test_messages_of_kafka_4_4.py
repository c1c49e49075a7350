"""What Kafka 4.4 added, and kio does not know yet: bytes that the Java client 4.4.0 wrote for the same messages."""

from __future__ import annotations

from typing import Any

import pytest

from drave.schema import decoder, encoder
from drave.wire.messages import (
    k18_api_versions,
    k28_txn_offset_commit,
    k42_delete_groups,
    k88_streams_group_heartbeat,
    k89_streams_group_describe,
    k93_streams_group_topology_description_update,
)

TOPIC_ID = bytes(range(16))


def api_versions_request() -> tuple[Any, int]:
    return k18_api_versions.ApiVersionsRequest(
        client_software_name="apache-kafka-java",
        client_software_version="4.4.0",
        cluster_id="MkU3OEVBNTcwNTJENDM2Qg",
        node_id=7,
    ), 5


def api_versions_response() -> tuple[Any, int]:
    feature = k18_api_versions.SupportedFeatureKey(name="group.version", min_version=0, max_version=1)
    final = k18_api_versions.FinalizedFeatureKey(name="group.version", max_version_level=1, min_version_level=1)
    return k18_api_versions.ApiVersionsResponse(
        error_code=129,
        api_keys=[k18_api_versions.ApiVersion(api_key=0, min_version=0, max_version=13)],
        supported_features=[feature],
        finalized_features_epoch=3,
        finalized_features=[final],
    ), 5


def txn_offset_commit_request() -> tuple[Any, int]:
    partition = k28_txn_offset_commit.TxnOffsetCommitRequestPartition(
        partition_index=1, committed_offset=1_000_000_007, committed_leader_epoch=4, committed_metadata=None
    )
    return k28_txn_offset_commit.TxnOffsetCommitRequest(
        transactional_id="pay",
        group_id="riders",
        producer_id=4_000_000_000,
        producer_epoch=2,
        generation_id_or_member_epoch=9,
        member_id="m-1",
        topics=[k28_txn_offset_commit.TxnOffsetCommitRequestTopic(topic_id=TOPIC_ID, partitions=[partition])],
    ), 6


def txn_offset_commit_response() -> tuple[Any, int]:
    partition = k28_txn_offset_commit.TxnOffsetCommitResponsePartition(partition_index=1, error_code=100)
    return k28_txn_offset_commit.TxnOffsetCommitResponse(
        throttle_time_ms=5,
        topics=[k28_txn_offset_commit.TxnOffsetCommitResponseTopic(topic_id=TOPIC_ID, partitions=[partition])],
    ), 6


def delete_groups_request() -> tuple[Any, int]:
    return k42_delete_groups.DeleteGroupsRequest(groups_names=["riders", "cars"]), 3


def delete_groups_response() -> tuple[Any, int]:
    result = k42_delete_groups.DeletableGroupResult
    return k42_delete_groups.DeleteGroupsResponse(
        results=[
            result(group_id="riders"),
            result(group_id="cars", error_code=68, error_message="The group still has members."),
        ]
    ), 3


def streams_group_heartbeat_request() -> tuple[Any, int]:
    streams = k88_streams_group_heartbeat
    store = streams.TopicInfo(
        name="fares-changelog",
        partitions=2,
        replication_factor=1,
        topic_configs=[streams.KeyValue(key="cleanup.policy", value="compact")],
    )
    subtopology = streams.Subtopology(
        subtopology_id="0",
        source_topics=["rides"],
        source_topic_regex=[],
        state_changelog_topics=[store],
        repartition_sink_topics=[],
        repartition_source_topics=[],
        copartition_groups=[
            streams.CopartitionGroup(source_topics=[0], source_topic_regex=[], repartition_source_topics=[])
        ],
    )
    return streams.StreamsGroupHeartbeatRequest(
        group_id="fares",
        member_id="m-1",
        member_epoch=0,
        endpoint_information_epoch=-1,
        rebalance_timeout_ms=45_000,
        topology=streams.Topology(epoch=1, subtopologies=[subtopology]),
        active_tasks=[streams.TaskIds(subtopology_id="0", partitions=[0, 1])],
        user_endpoint=streams.Endpoint(host="localhost", port=65_535),
        task_offsets=[streams.TaskOffset(subtopology_id="0", partition=1, offset=12)],
    ), 1


def streams_group_heartbeat_response() -> tuple[Any, int]:
    streams = k88_streams_group_heartbeat
    return streams.StreamsGroupHeartbeatResponse(
        member_id="m-1",
        member_epoch=3,
        heartbeat_interval_ms=5_000,
        task_offset_interval_ms=60_000,
        acceptable_recovery_lag=10_000,
        status=[streams.Status(status_code=1, status_detail="a source topic is missing")],
        active_tasks=[streams.TaskIds(subtopology_id="0", partitions=[0])],
        topology_description_required=True,
        endpoint_information_epoch=2,
        partitions_by_user_endpoint=[
            streams.EndpointToPartitions(
                user_endpoint=streams.Endpoint(host="localhost", port=80),
                active_partitions=[streams.TopicPartition(topic="rides", partitions=[0])],
                standby_partitions=[],
            )
        ],
    ), 1


def streams_group_describe_request() -> tuple[Any, int]:
    return k89_streams_group_describe.StreamsGroupDescribeRequest(
        group_ids=["fares"], include_authorized_operations=False, include_topology_description=True
    ), 1


def streams_group_describe_response() -> tuple[Any, int]:
    streams = k89_streams_group_describe
    tasks = [streams.TaskIds(subtopology_id="0", partitions=[0, 1])]
    source = streams.TopologyDescriptionNode(
        name="source", node_type=0, source_topics=["rides"], stores=[], successors=["sum"]
    )
    processor = streams.TopologyDescriptionNode(
        name="sum", node_type=1, source_topics=[], sink_topic="fares", stores=["fares"], successors=[]
    )
    member = streams.Member(
        member_id="m-1",
        member_epoch=3,
        client_id="app",
        client_host="/127.0.0.1",
        topology_epoch=1,
        process_id="p-1",
        client_tags=[],
        task_offsets=[],
        task_end_offsets=[],
        assignment=streams.Assignment(active_tasks=tasks, standby_tasks=[], warmup_tasks=[]),
        target_assignment=streams.Assignment(active_tasks=tasks, standby_tasks=[], warmup_tasks=[]),
        is_classic=False,
    )
    group = streams.DescribedGroup(
        group_id="fares",
        group_state="Stable",
        group_epoch=3,
        assignment_epoch=3,
        topology=streams.Topology(epoch=1),
        members=[member],
        topology_description=streams.TopologyDescription(
            subtopologies=[streams.TopologyDescriptionSubtopology(subtopology_id="0", nodes=[source, processor])],
            global_stores=[streams.TopologyDescriptionGlobalStore(source=source, processor=processor)],
        ),
        topology_description_status=1,
        assignor_name="sticky",
    )
    return streams.StreamsGroupDescribeResponse(groups=[group]), 1


def topology_description_update_request() -> tuple[Any, int]:
    streams = k93_streams_group_topology_description_update
    node = streams.TopologyDescriptionNode(
        name="source", node_type=0, source_topics=["rides"], stores=[], successors=[]
    )
    return streams.StreamsGroupTopologyDescriptionUpdateRequest(
        group_id="fares",
        member_id="m-1",
        topology_epoch=1,
        topology_description=streams.TopologyDescription(
            subtopologies=[streams.TopologyDescriptionSubtopology(subtopology_id="0", nodes=[node])], global_stores=[]
        ),
    ), 0


def topology_description_update_response() -> tuple[Any, int]:
    return k93_streams_group_topology_description_update.StreamsGroupTopologyDescriptionUpdateResponse(
        throttle_time_ms=1, error_code=135, error_message="Another topology is newer."
    ), 0


JAVA: dict[Any, str] = {
    api_versions_request: (
        "126170616368652d6b61666b612d6a61766106342e342e30174d6b55334f4556424e5463774e544a454e444d3251670000000700"
    ),
    api_versions_response: (
        "00810200000000000d0000000000030014020e67726f75702e76657273696f6e000000010001080000000000000003021402"
        "0e67726f75702e76657273696f6e0001000100"
    ),
    txn_offset_commit_request: (
        "047061790772696465727300000000ee6b2800000200000009046d2d310002000102030405060708090a0b0c0d0e0f020000"
        "0001000000003b9aca070000000400000000"
    ),
    txn_offset_commit_response: "0000000502000102030405060708090a0b0c0d0e0f02000000010064000000",
    delete_groups_request: "0307726964657273056361727300",
    delete_groups_response: (
        "00000000030772696465727300000000056361727300441d5468652067726f7570207374696c6c20686173206d656d626572732e0000"
    ),
    streams_group_heartbeat_request: (
        "066661726573046d2d3100000000ffffffff00000000afc801000000010202300206726964657301021066617265732d6368"
        "616e67656c6f67000000020001020f636c65616e75702e706f6c69637908636f6d7061637400000101020200000101000000"
        "02023003000000000000000100000000010a6c6f63616c686f7374ffff000002023000000001000000000000000c00000000"
    ),
    streams_group_heartbeat_response: (
        "00000000000000046d2d3100000003000013880000ea60000000000000271002011a6120736f7572636520746f7069632069"
        "73206d697373696e670002023002000000000000000100000002020a6c6f63616c686f737400500002067269646573020000"
        "000000010000"
    ),
    streams_group_describe_request: "02066661726573000100",
    streams_group_describe_response: (
        "000000000200000006666172657307537461626c6500000003000000030100000001000002046d2d31000000030000046170"
        "700b2f3132372e302e302e310000000104702d31ff0101010202300300000000000000010001010002023003000000000000"
        "000100010100000080000000010202300307736f7572636500020672696465730001020473756d000473756d010106666172"
        "6573020666617265730100000207736f7572636500020672696465730001020473756d000473756d01010666617265730206"
        "6661726573010000000107737469636b790000"
    ),
    topology_description_update_request: (
        "066661726573046d2d31000000010202300207736f7572636500020672696465730001010000010000"
    ),
    topology_description_update_response: "0000000100871b416e6f7468657220746f706f6c6f6779206973206e657765722e00",
}


@pytest.mark.parametrize("build", JAVA, ids=lambda build: build.__name__)
def test_bytes_are_those_of_the_java_client(build: Any) -> None:
    message, version = build()
    expected = bytes.fromhex(JAVA[build])
    assert b"".join(encoder(type(message), version)(message)) == expected
    assert decoder(type(message), version)(expected, 0) == (message, len(expected))
