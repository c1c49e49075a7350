"""ShareGroupHeartbeat, ShareGroupDescribe and the offsets of share groups: what clients and administrators see.

What the group does is in `tests/broker/coordinator/share/`.
"""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.model.ids import ZERO_TOPIC_ID
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from drave.wire.messages.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from drave.wire.messages.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k16_list_groups import ListGroupsRequest
from drave.wire.messages.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest
from drave.wire.messages.k47_offset_delete import OffsetDeleteRequest
from drave.wire.messages.k76_share_group_heartbeat import ShareGroupHeartbeatRequest
from drave.wire.messages.k77_share_group_describe import ShareGroupDescribeRequest
from drave.wire.messages.k90_describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsRequestTopic,
)
from drave.wire.messages.k91_alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
)
from drave.wire.messages.k92_delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsRequestTopic,
)


def heartbeat(member_id: str = "a", epoch: int = 0, *topics: str, **more) -> ShareGroupHeartbeatRequest:
    named = {"group_id": "s", "subscribed_topic_names": list(topics) or None, "rack_id": None, **more}
    return ShareGroupHeartbeatRequest(member_id=member_id, member_epoch=epoch, **named)


def alteration(group_id: str, topic: str, *starts: tuple[int, int]) -> AlterShareGroupOffsetsRequest:
    partitions = [
        AlterShareGroupOffsetsRequestPartition(partition_index=at, start_offset=start) for at, start in starts
    ]
    named = [AlterShareGroupOffsetsRequestTopic(topic_name=topic, partitions=partitions)]
    return AlterShareGroupOffsetsRequest(group_id=group_id, topics=named)


@pytest.fixture
def offsets(see):
    """`await offsets(topic, *partitions)`: start, leader epoch and lag in each; of all of the group without a topic."""

    async def offsets(topic: str | None = None, *partitions: int, group: str = "s", version: int = 1):
        named = [DescribeShareGroupOffsetsRequestTopic(topic_name=topic or "", partitions=list(partitions))]
        asked = DescribeShareGroupOffsetsRequestGroup(group_id=group, topics=None if topic is None else named)
        (found,) = (await see(DescribeShareGroupOffsetsRequest(groups=[asked]), version)).groups
        assert (found.group_id, found.error_code) == (group, 0)
        return {
            (topic.topic_name, each.partition_index): (each.start_offset, each.leader_epoch, each.lag)
            for topic in found.topics
            for each in topic.partitions
        }

    return offsets


async def test_a_member_joins_and_is_told_what_to_read(see, asker):
    topic = await asker.create_topic("t", 2)
    response = await see(heartbeat("a", 0, "t"))
    assert (response.error_code, response.member_id, response.heartbeat_interval_ms) == (0, "a", 5_000)
    (given,) = response.assignment.topic_partitions
    assert (given.topic_id, given.partitions) == (topic.topic_id, [0, 1])
    again = await see(heartbeat("a", response.member_epoch))
    assert (again.error_code, again.member_epoch, again.assignment) == (0, response.member_epoch, None)


@pytest.mark.parametrize(
    "wrong",
    [
        heartbeat("", 0, "t"),
        heartbeat("a" * 37, 0, "t"),
        heartbeat("a", 0, "t", group_id=""),
        heartbeat("a", 0, "t", rack_id=""),
        heartbeat("a", 0),
        heartbeat("a", -2, "t"),
    ],
)
async def test_a_heartbeat_that_is_wrong_by_itself_is_refused_with_a_sentence(see, wrong):
    response = await see(wrong)
    assert response.error_code == ErrorCode.INVALID_REQUEST
    assert response.error_message


async def test_a_group_is_described_with_its_members(see, asker):
    topic = await asker.create_topic("t", 1)
    epoch = (await see(heartbeat("a", 0, "t", rack_id="r"))).member_epoch
    (group,) = (await see(ShareGroupDescribeRequest(group_ids=["s"], include_authorized_operations=True))).groups
    assert (group.group_state, group.assignor_name, group.group_epoch) == ("Stable", "simple", epoch)
    assert group.authorized_operations > 0
    (member,) = group.members
    assert (member.member_id, member.rack_id, member.client_id) == ("a", "r", "test")
    assert (member.client_host, member.subscribed_topic_names) == ("/127.0.0.1", ["t"])
    (assigned,) = member.assignment.topic_partitions
    assert (assigned.topic_id, assigned.topic_name, assigned.partitions) == (topic.topic_id, "t", [0])


async def test_what_is_no_share_group_is_not_described_as_one(see):
    protocol = JoinGroupRequestProtocol(name="range", metadata=b"")
    request = JoinGroupRequest(
        group_id="classic",
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        member_id="",
        protocol_type="consumer",
        protocols=[protocol],
    )
    await see(request, 3)
    asked = ["classic", "nobody", ""]
    groups = (await see(ShareGroupDescribeRequest(group_ids=asked, include_authorized_operations=False))).groups
    assert [group.error_code for group in groups] == [
        ErrorCode.GROUP_ID_NOT_FOUND,
        ErrorCode.GROUP_ID_NOT_FOUND,
        ErrorCode.INVALID_GROUP_ID,
    ]


async def test_a_share_group_is_listed_by_its_type(see, asker):
    await asker.create_topic("t")
    await see(heartbeat("a", 0, "t"))
    listed = await see(ListGroupsRequest(states_filter=[], types_filter=["Share"]))
    assert [(each.group_id, each.group_type, each.group_state) for each in listed.groups] == [("s", "share", "Stable")]
    assert (await see(ListGroupsRequest(states_filter=[], types_filter=["classic"]))).groups == []


async def test_to_requests_about_other_kinds_of_groups_it_is_none(see, asker):
    await asker.create_topic("t")
    await see(heartbeat("a", 0, "t"))
    described = (await see(DescribeGroupsRequest(groups=["s"], include_authorized_operations=False))).groups[0]
    assert described.error_code == ErrorCode.GROUP_ID_NOT_FOUND
    fetched = (await see(OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="s", topics=None)]))).groups[0]
    assert (fetched.error_code, fetched.topics) == (ErrorCode.NONE, [])
    deleted = await see(OffsetDeleteRequest(group_id="s", topics=[]))
    assert deleted.error_code == ErrorCode.GROUP_ID_NOT_FOUND
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=1, committed_metadata="")
    commit = OffsetCommitRequest(
        group_id="s",
        generation_id_or_member_epoch=-1,
        member_id="",
        topics=[OffsetCommitRequestTopic(name="t", partitions=[partition])],
    )
    committed = (await see(commit, 9)).topics[0].partitions[0]
    assert committed.error_code == ErrorCode.GROUP_ID_NOT_FOUND


async def test_how_far_a_group_has_come_is_told_with_what_is_left(see, asker, append, offsets):
    topic = await asker.create_topic("t", 2)
    append(topic, 10)
    await see(alteration("s", "t", (0, 4)))
    assert await offsets() == {("t", 0): (4, 0, 6)}
    assert await offsets("t", 0, 1) == {("t", 0): (4, 0, 6), ("t", 1): (-1, 0, -1)}
    assert await offsets("t", 0, version=0) == {("t", 0): (4, 0, -1)}


async def test_who_has_come_nowhere_has_no_offset_and_that_is_no_error(offsets, asker):
    await asker.create_topic("t")
    assert await offsets("t", 0, 7, group="nobody") == {("t", 0): (-1, 0, -1), ("t", 7): (-1, 0, -1)}
    assert await offsets("none", 0) == {("none", 0): (-1, 0, -1)}
    assert await offsets(group="nobody") == {}


async def test_a_start_is_moved_only_while_nobody_reads(see, asker, offsets):
    topic = await asker.create_topic("t", 2)
    response = await see(alteration("s", "t", (0, 3), (5, 3)))
    (answer,) = response.responses
    assert (answer.topic_name, answer.topic_id) == ("t", topic.topic_id)
    codes = [partition.error_code for partition in answer.partitions]
    assert codes == [ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    await see(heartbeat("a", 0, "t"))
    assert (await see(alteration("s", "t", (0, 9)))).error_code == ErrorCode.NON_EMPTY_GROUP
    assert (await offsets("t", 0))["t", 0][0] == 3
    (unknown,) = (await see(alteration("t2", "none", (0, 9)))).responses
    assert unknown.topic_id == ZERO_TOPIC_ID
    assert unknown.partitions[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert (await see(alteration("", "t", (0, 9)))).error_code == ErrorCode.INVALID_GROUP_ID


async def test_what_a_group_remembers_of_a_topic_is_deleted(see, asker, offsets):
    await asker.create_topic("t")
    await see(alteration("s", "t", (0, 3)))
    named = [DeleteShareGroupOffsetsRequestTopic(topic_name=name) for name in ("t", "none")]
    response = await see(DeleteShareGroupOffsetsRequest(group_id="s", topics=named))
    assert [(each.topic_name, each.error_code) for each in response.responses] == [
        ("t", ErrorCode.NONE),
        ("none", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ]
    assert await offsets("t", 0) == {("t", 0): (-1, 0, -1)}
    for group_id, code in (("", ErrorCode.INVALID_GROUP_ID), ("nobody", ErrorCode.GROUP_ID_NOT_FOUND)):
        assert (await see(DeleteShareGroupOffsetsRequest(group_id=group_id, topics=named))).error_code == code


async def test_a_group_is_deleted_with_all_that_it_remembers(see, asker, offsets):
    await asker.create_topic("t")
    await see(alteration("s", "t", (0, 3)))
    await see(heartbeat("a", 0, "t"))
    (result,) = (await see(DeleteGroupsRequest(groups_names=["s"]))).results
    assert result.error_code == ErrorCode.NON_EMPTY_GROUP
    await see(heartbeat("a", -1))
    (result,) = (await see(DeleteGroupsRequest(groups_names=["s"]))).results
    assert result.error_code == ErrorCode.NONE
    assert await offsets("t", 0) == {("t", 0): (-1, 0, -1)}
    (group,) = (await see(ShareGroupDescribeRequest(group_ids=["s"], include_authorized_operations=False))).groups
    assert group.error_code == ErrorCode.GROUP_ID_NOT_FOUND


async def test_a_deleted_topic_is_forgotten(see, asker, offsets):
    await asker.create_topic("t")
    await see(alteration("s", "t", (0, 3)))
    await see(DeleteTopicsRequest(topics=[DeleteTopicState(name="t", topic_id=ZERO_TOPIC_ID)], timeout_ms=1_000))
    await asker.create_topic("t")
    assert await offsets() == {}
    assert await offsets("t", 0) == {("t", 0): (-1, 0, -1)}
