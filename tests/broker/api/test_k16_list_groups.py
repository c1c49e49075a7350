"""For people: ListGroups, DescribeGroups, DeleteGroups and OffsetDelete."""

from __future__ import annotations

import pytest

from drave.model.errors import ErrorCode
from drave.wire.messages.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from drave.wire.messages.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k16_list_groups import ListGroupsRequest
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest
from drave.wire.messages.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)

Code = ErrorCode


@pytest.fixture(autouse=True)
async def groups(asker, see) -> None:
    """An empty group with an offset in `t`, and a busy one."""
    await asker.create_topic("t")
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=5, committed_metadata=None)
    topic = OffsetCommitRequestTopic(name="t", partitions=[partition])
    await see(OffsetCommitRequest(group_id="empty", member_id="", topics=[topic]), 9)
    protocol = JoinGroupRequestProtocol(name="range", metadata=b"")
    join = JoinGroupRequest(
        group_id="busy", session_timeout_ms=60_000, member_id="", protocol_type="consumer", protocols=[protocol]
    )
    await see(join, 3)


@pytest.mark.parametrize("version", range(6))
async def test_groups_are_listed_in_every_version(see, version: int) -> None:
    response = await see(ListGroupsRequest(), version)
    listed = {group.group_id: (group.protocol_type, group.group_state, group.group_type) for group in response.groups}
    state = ("Empty", "CompletingRebalance") if version >= 4 else ("", "")
    kind = "classic" if version >= 5 else ""
    assert listed == {"empty": ("", state[0], kind), "busy": ("consumer", state[1], kind)}


@pytest.mark.parametrize(
    ("states", "types", "listed"),
    [
        (["Empty"], [], {"empty"}),
        ([" eMPTY"], ["Classic"], {"empty"}),
        (["Empty", "CompletingRebalance"], [], {"empty", "busy"}),
        (["Nonsense"], [], set()),
        ([], ["consumer"], set()),
    ],
)
async def test_lists_are_filtered_without_minding_the_case(see, states, types, listed) -> None:
    response = await see(ListGroupsRequest(states_filter=states, types_filter=types))
    assert {group.group_id for group in response.groups} == listed


async def test_while_groups_are_loaded_no_list_pretends_to_be_whole(broker, see) -> None:
    partition = broker.groups._partition(broker.groups.partition_for("busy"))
    partition.loaded = False
    response = await see(ListGroupsRequest())
    assert (response.error_code, response.groups) == (Code.COORDINATOR_LOAD_IN_PROGRESS, [])


@pytest.mark.parametrize("version", range(7))
async def test_groups_are_described_in_every_version(see, version: int) -> None:
    described = {
        group.group_id: group for group in (await see(DescribeGroupsRequest(groups=["busy", "no"]), version)).groups
    }
    busy, no = described["busy"], described["no"]
    assert (busy.error_code, busy.group_state, len(busy.members)) == (Code.NONE, "CompletingRebalance", 1)
    found = Code.GROUP_ID_NOT_FOUND if version >= 6 else Code.NONE
    assert (no.error_code, no.group_state, no.members) == (found, "Dead", [])
    assert no.error_message == ("Group no not found." if version >= 6 else None)


async def test_what_may_be_done_to_a_group_is_told_to_who_asks(see) -> None:
    """KIP-430; without authorization everybody may do everything."""
    silent, told = [
        (await see(DescribeGroupsRequest(groups=["busy"], include_authorized_operations=ask))).groups[0]
        for ask in (False, True)
    ]
    assert (silent.authorized_operations, told.authorized_operations) == (-(1 << 31), 3400)


@pytest.mark.parametrize("version", range(4))
async def test_empty_groups_are_deleted_and_the_others_say_why_not(see, version: int) -> None:
    response = await see(DeleteGroupsRequest(groups_names=["empty", "busy", "no", "empty"]), version)
    codes = {result.group_id: result.error_code for result in response.results}
    assert codes == {"empty": Code.NONE, "busy": Code.NON_EMPTY_GROUP, "no": Code.GROUP_ID_NOT_FOUND}
    assert len(response.results) == 3
    assert any(result.error_message for result in response.results) == (version >= 3)
    assert {group.group_id for group in (await see(ListGroupsRequest())).groups} == {"busy"}


def delete_offsets(group: str, **partitions: list[int]) -> OffsetDeleteRequest:
    topics = [
        OffsetDeleteRequestTopic(
            name=name, partitions=[OffsetDeleteRequestPartition(partition_index=index) for index in indexes]
        )
        for name, indexes in partitions.items()
    ]
    return OffsetDeleteRequest(group_id=group, topics=topics)


async def test_offsets_are_deleted_where_there_are_partitions(see) -> None:
    response = await see(delete_offsets("empty", t=[0, 7], nowhere=[0]))
    codes = {
        (topic.name, each.partition_index): each.error_code for topic in response.topics for each in topic.partitions
    }
    unknown = Code.UNKNOWN_TOPIC_OR_PARTITION
    assert codes == {("t", 0): Code.NONE, ("t", 7): unknown, ("nowhere", 0): unknown}
    assert len(response.topics) == 2


async def test_an_error_of_the_group_stands_alone(see) -> None:
    for group, code in (("no", Code.GROUP_ID_NOT_FOUND), ("", Code.INVALID_GROUP_ID)):
        response = await see(delete_offsets(group, t=[0], nowhere=[0]))
        assert (response.error_code, response.topics) == (code, [])
