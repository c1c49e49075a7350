"""What others see of consumer groups: tools, and members of other kinds of groups."""

from __future__ import annotations

from differential.calls import commit, committed, join, subscription, sync
from differential.scenario import scenario
from differential.scenarios.consumer_groups.members import LEAVE, Member, describe, one_member
from differential.stage import Stage
from drave.wire.api import ApiKey
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from drave.wire.messages.k13_leave_group import LeaveGroupRequest, MemberIdentity
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k16_list_groups import ListGroupsRequest
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest
from drave.wire.messages.k69_consumer_group_describe import ConsumerGroupDescribeRequest

DESCRIBE = ApiKey.CONSUMER_GROUP_DESCRIBE


@scenario(DESCRIBE)
def what_is_described(stage: Stage, version: int) -> None:
    topic, group, classic = stage.topic(partitions=2), stage.group(), stage.group("classic")
    Member(stage, group, "a", "i").join(topic, rack_id="r", server_assignor="range")
    stage.quietly(commit(classic, topic, {0: 1}))
    groups = [group, classic, stage.name("nobody"), ""]
    stage.ask(ConsumerGroupDescribeRequest(group_ids=groups, include_authorized_operations=True), version)


@scenario()
def other_requests_about_a_consumer_group(stage: Stage) -> None:
    _, group, _ = one_member(stage)
    stage.ask(DescribeGroupsRequest(groups=[group]), 5)
    stage.ask(DescribeGroupsRequest(groups=[group]), 6)
    for states, types in ([], []), ([], ["consumer"]), ([], ["Classic"]), (["stable"], []), (["Empty"], ["consumer"]):
        stage.ask(ListGroupsRequest(states_filter=states, types_filter=types), 5, mine=True)
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    stage.ask(HeartbeatRequest(group_id=group, generation_id=1, member_id="a"))
    stage.ask(sync(group, 1, "a"))
    stage.ask(LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id="b")]))
    stage.ask(LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id="a")]))
    describe(stage, group)
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    describe(stage, group)


@scenario()
def an_empty_group_becomes_one_of_the_other_kind(stage: Stage) -> None:
    topic, group = stage.topic(), stage.group()
    member = Member(stage, group, "a")
    stage.quietly(commit(group, topic, {0: 5}))
    member.join(topic)
    member.send(LEAVE)
    stage.ask(committed(group, topic, 0))
    classic = stage.quietly(join(group, metadata=subscription(topic))).member_id
    joined = stage.quietly(join(group, classic, metadata=subscription(topic)))
    stage.quietly(sync(group, joined.generation_id, classic, {classic: b""}))
    stage.ask(DescribeGroupsRequest(groups=[group]), 6)
    stage.ask(committed(group, topic, 0))
    stage.quietly(LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id=classic)]))
    member.join(topic)
    stage.ask(committed(group, topic, 0))
    describe(stage, group)
