"""Members of the classic protocol in consumer groups, and groups that change from one to the other."""

from __future__ import annotations

from typing import Any

from differential.calls import NOTHING, assignment, commit, join, subscription, sync
from differential.scenario import scenario
from differential.scenarios.consumer_groups.members import LEAVE, Member, describe
from differential.stage import Stage, Topic
from drave.wire.messages.k12_heartbeat import HeartbeatRequest
from drave.wire.messages.k13_leave_group import LeaveGroupRequest, MemberIdentity
from drave.wire.messages.k14_sync_group import SyncGroupRequest
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k16_list_groups import ListGroupsRequest


def _classic(stage: Stage, group: str, topic: Topic, instance_id: str | None = None) -> tuple[str, int]:
    """A classic group of one that reads the topic's first two partitions."""
    more: dict[str, Any] = {"metadata": subscription(topic), "group_instance_id": instance_id}
    member = "" if instance_id else stage.quietly(join(group, **more)).member_id
    joined = stage.quietly(join(group, member, **more))
    given = assignment(topic, *range(topic.partitions))
    synced = sync(
        group, joined.generation_id, joined.member_id, {joined.member_id: given}, group_instance_id=instance_id
    )
    stage.quietly(synced)
    return joined.member_id, joined.generation_id


def _classic_beat(stage: Stage, group: str, member: str, generation: int) -> Any:
    return stage.ask(HeartbeatRequest(group_id=group, generation_id=generation, member_id=member))


@scenario()
def a_classic_group_is_moved_and_moves_back(stage: Stage) -> None:
    topic, group = stage.topic(partitions=4), stage.group()
    classic, generation = _classic(stage, group, topic)
    new = Member(stage, group, "a")
    new.join(topic)
    describe(stage, group)
    _classic_beat(stage, group, classic, generation)
    stage.ask(sync(group, generation, classic))
    joined = stage.ask(join(group, classic, metadata=subscription(topic)))
    stage.ask(sync(group, joined.generation_id, classic))
    _classic_beat(stage, group, classic, joined.generation_id)
    joined = stage.ask(join(group, classic, metadata=subscription(topic)))
    stage.ask(sync(group, joined.generation_id, classic))
    new.beat()
    describe(stage, group)
    stage.ask(ListGroupsRequest(states_filter=[], types_filter=[]), 5, mine=True)
    stage.ask(commit(group, topic, {0: 3}, generation=joined.generation_id, member=classic))
    stage.ask(commit(group, topic, {0: 3}, generation=9, member=classic))
    new.send(LEAVE)
    stage.ask(ListGroupsRequest(states_filter=[], types_filter=["classic"]), 5, mine=True)
    stage.ask(DescribeGroupsRequest(groups=[group]), 6)
    _classic_beat(stage, group, classic, joined.generation_id)
    joined = stage.ask(join(group, classic, metadata=subscription(topic)))
    stage.ask(sync(group, joined.generation_id, classic, {classic: b"all"}))


@scenario()
def a_classic_member_joins_a_consumer_group(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    new = Member(stage, group, "a")
    new.join(topic)
    stage.ask(join(group, protocol_type="connect"))
    classic = stage.ask(join(group, metadata=subscription(topic))).member_id
    joined = stage.ask(join(group, classic, metadata=subscription(topic)))
    stage.ask(sync(group, joined.generation_id + 1, classic))
    stage.ask(sync(group, joined.generation_id, classic, protocol_name="other"))
    stage.ask(sync(group, joined.generation_id, classic))
    _classic_beat(stage, group, classic, joined.generation_id)
    new.send()
    new.beat()
    _classic_beat(stage, group, classic, joined.generation_id)
    joined = stage.ask(join(group, classic, metadata=subscription(topic)))
    stage.ask(sync(group, joined.generation_id, classic))
    describe(stage, group)
    stage.ask(LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id=classic)]))
    describe(stage, group)


@scenario()
def a_static_member_changes_its_protocol(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    _classic(stage, group, topic, "i")
    new = Member(stage, group, "a", "i")
    new.join(topic)
    describe(stage, group)
    joined = stage.ask(join(group, metadata=subscription(topic), group_instance_id="i"))
    stage.ask(DescribeGroupsRequest(groups=[group]), 6)
    if joined is not None:
        stage.ask(sync(group, joined.generation_id, joined.member_id, group_instance_id="i"))
    new.send()


@scenario(protocol=("connect", "consumer"))
def a_classic_group_that_cannot_be_moved(stage: Stage, protocol: str) -> None:
    topic, group = stage.topic(), stage.group()
    member = stage.quietly(join(group, protocol_type=protocol, metadata=NOTHING)).member_id
    joined = stage.quietly(join(group, member, protocol_type=protocol, metadata=NOTHING))
    stage.quietly(
        SyncGroupRequest(group_id=group, generation_id=joined.generation_id, member_id=member, assignments=[])
    )
    new = Member(stage, group, "a")
    new.join(topic)
    new.send(LEAVE)
    describe(stage, group)
