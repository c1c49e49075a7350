"""StreamsGroupHeartbeat and StreamsGroupDescribe: what passes between Kafka Streams and the broker (KIP-1071)."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k16_list_groups import ListGroupsRequest
from drave.wire.messages.k88_streams_group_heartbeat import StreamsGroupHeartbeatRequest, Topology
from drave.wire.messages.k89_streams_group_describe import StreamsGroupDescribeRequest
from tests.broker.coordinator.streams.virtual_streams import SIMPLE, WORDS, internal, subtopology, topology

pytestmark = pytest.mark.parametrize("version", range(2))


def joining(said: Topology, member_id: str = "m", group_id: str = "app") -> StreamsGroupHeartbeatRequest:
    return StreamsGroupHeartbeatRequest(
        group_id=group_id,
        member_id=member_id,
        member_epoch=0,
        endpoint_information_epoch=-1,
        rebalance_timeout_ms=60_000,
        topology=said,
        active_tasks=[],
        standby_tasks=[],
        warmup_tasks=[],
        process_id="process",
        client_tags=[],
    )


async def test_a_member_has_its_tasks_in_its_first_answer_and_the_internal_topics_are_there(
    see, asker, broker, version
) -> None:
    """Kafka makes the topics while the member waits for its next heartbeat."""
    await asker.create_topic("lines", partitions=3)
    told = await see(joining(WORDS), version)
    assert (told.error_code, told.member_id, told.status) == (0, "m", [])
    assert {each.subtopology_id: each.partitions for each in told.active_tasks} == {"0": [0, 1, 2], "1": [0, 1, 2]}
    topics = {name: broker.catalog.topic(name) for name in ("by-word", "counts")}
    assert {name: topic.partitions for name, topic in topics.items()} == {"by-word": 3, "counts": 3}
    assert topics["counts"].configs == {"cleanup.policy": "compact"}


async def test_internal_topics_that_cannot_be_made_are_told_with_the_reason(see, asker, broker, version) -> None:
    await asker.create_topic("lines", partitions=3)
    said = topology(
        subtopology("0", "lines", changelogs=(internal("good"), internal("odd", retention_ms="soon"))),
        subtopology("1", "lines", changelogs=(internal("copies", 0, 3),)),
    )
    told = await see(joining(said), version)
    (status,) = told.status
    assert (told.error_code, status.status_code, told.active_tasks) == (0, 3, [])
    assert "Creation failed" in status.status_detail
    assert all(name in status.status_detail for name in ("odd", "retention.ms", "copies", "replication factor"))
    assert broker.catalog.topic("good") is not None


async def test_a_repartition_topic_is_no_wider_than_any_topic_may_be(see, asker, broker, version) -> None:
    await asker.create_topic("lines")
    said = topology(subtopology("0", "lines", writes=("r",)), subtopology("1", reads=(internal("r", 1_000_000_000),)))
    told = await see(joining(said), version)
    assert [each.status_code for each in told.status] == [3]
    assert broker.catalog.topic("r") is None


@pytest.mark.parametrize("name", ["__consumer_offsets", "with/slash"])
async def test_topics_that_nobody_may_read_are_refused_before_the_group_is_asked(see, version, name) -> None:
    told = await see(joining(topology(subtopology("0", name))), version)
    assert told.error_code == ErrorCode.STREAMS_INVALID_TOPOLOGY
    assert name in told.error_message


async def test_a_group_is_listed_and_described(see, asker, version) -> None:
    await asker.create_topic("lines", partitions=2)
    await see(joining(WORDS), version)
    (listed,) = (await see(ListGroupsRequest(types_filter=["streams"]))).groups
    assert (listed.group_id, listed.protocol_type, listed.group_state, listed.group_type) == (
        "app",
        "streams",
        "Stable",
        "streams",
    )
    asked = StreamsGroupDescribeRequest(group_ids=["app"], include_authorized_operations=True)
    asked.include_topology_description = version > 0
    (group,) = (await see(asked, version)).groups
    assert (group.error_code, group.group_state, group.group_epoch, group.assignment_epoch) == (0, "Stable", 2, 2)
    assert group.authorized_operations == 0b1101_0100_1000
    first, second = group.topology.subtopologies
    assert (group.topology.epoch, first.source_topics, first.repartition_sink_topics) == (0, ["lines"], ["by-word"])
    assert [(each.name, each.partitions) for each in second.state_changelog_topics] == [("counts", 2)]
    (member,) = group.members
    assert (member.member_id, member.member_epoch, member.client_id, member.process_id) == ("m", 2, "test", "process")
    assert [each.partitions for each in member.assignment.active_tasks] == [[0, 1], [0, 1]]
    assert member.target_assignment == member.assignment
    told = (group.topology_description_status, group.topology_description, group.assignor_name)
    assert told == ((1, None, "sticky") if version else (0, None, None))


async def test_a_group_whose_topics_are_missing_is_described_with_the_topology_as_it_was_told(see, version) -> None:
    await see(joining(WORDS), version)
    (group,) = (await see(StreamsGroupDescribeRequest(group_ids=["app"], include_authorized_operations=False))).groups
    assert group.group_state == "NotReady"
    (changelog,) = group.topology.subtopologies[1].state_changelog_topics
    assert (changelog.name, changelog.partitions) == ("counts", 0)
    assert [(config.key, config.value) for config in changelog.topic_configs] == [("cleanup.policy", "compact")]


async def test_what_is_no_streams_group_is_not_described_as_one_nor_the_other_way_round(see, asker, version) -> None:
    await asker.create_topic("lines")
    await see(joining(SIMPLE), version)
    asked = StreamsGroupDescribeRequest(group_ids=["", "nobody"], include_authorized_operations=True)
    unnamed, unknown = (await see(asked, version)).groups
    assert (unnamed.error_code, unknown.error_code) == (ErrorCode.INVALID_GROUP_ID, ErrorCode.GROUP_ID_NOT_FOUND)
    assert unknown.error_message == "Group nobody not found."
    assert unknown.authorized_operations == -(2**31)
    (classic,) = (await see(DescribeGroupsRequest(groups=["app"]))).groups
    assert classic.error_code == ErrorCode.GROUP_ID_NOT_FOUND


async def test_who_leaves_is_gone_when_it_is_told(see, asker, version) -> None:
    await asker.create_topic("lines")
    await see(joining(SIMPLE), version)
    leaving = StreamsGroupHeartbeatRequest(group_id="app", member_id="m", member_epoch=-1, endpoint_information_epoch=0)
    assert (await see(leaving, version)).member_epoch == -1
    (listed,) = (await see(ListGroupsRequest())).groups
    assert listed.group_state == "Empty"
