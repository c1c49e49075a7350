"""What others see of streams groups: tools, and members of other kinds of groups."""

from __future__ import annotations

from differential.calls import commit, committed, delete_offsets, join
from differential.scenario import scenario
from differential.scenarios.streams_groups.members import LEAVE, Member, describe, known_topic, one_member, reading
from differential.stage import Stage, Topic
from drave.wire.messages.k15_describe_groups import DescribeGroupsRequest
from drave.wire.messages.k16_list_groups import ListGroupsRequest
from drave.wire.messages.k42_delete_groups import DeleteGroupsRequest
from drave.wire.messages.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from drave.wire.messages.k69_consumer_group_describe import ConsumerGroupDescribeRequest
from drave.wire.messages.k88_streams_group_heartbeat import Endpoint
from drave.wire.messages.k89_streams_group_describe import StreamsGroupDescribeRequest


@scenario()
def what_is_described(stage: Stage) -> None:
    topic, group, classic = known_topic(stage, partitions=2), stage.group(), stage.group("classic")
    Member(stage, group, "a").join(reading(topic), rack_id="r", user_endpoint=Endpoint(host="h", port=7))
    stage.quietly(commit(classic, topic, {0: 1}))
    groups = [group, classic, stage.name("nobody"), ""]
    stage.ask(StreamsGroupDescribeRequest(group_ids=groups, include_authorized_operations=True))


@scenario()
def other_requests_about_a_streams_group(stage: Stage) -> None:
    topic, group, member = one_member(stage)
    stage.ask(DescribeGroupsRequest(groups=[group]), 5)
    stage.ask(DescribeGroupsRequest(groups=[group]), 6)
    stage.ask(ConsumerGroupDescribeRequest(group_ids=[group], include_authorized_operations=False))
    for states, types in ([], []), ([], ["streams"]), ([], ["Consumer"]), (["stable"], []), (["Empty"], ["streams"]):
        stage.ask(ListGroupsRequest(states_filter=states, types_filter=types), 5, mine=True)
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    stage.ask(join(group), 3)
    stage.ask(consumer_heartbeat(group, topic))
    member.send(LEAVE)
    stage.ask(ListGroupsRequest(states_filter=["Empty"], types_filter=["streams"]), 5, mine=True)
    stage.ask(consumer_heartbeat(group, topic))
    stage.ask(DeleteGroupsRequest(groups_names=[group]))
    describe(stage, group)


def consumer_heartbeat(group: str, topic: Topic) -> ConsumerGroupHeartbeatRequest:
    return ConsumerGroupHeartbeatRequest(
        group_id=group,
        member_id="c",
        member_epoch=0,
        rebalance_timeout_ms=60_000,
        subscribed_topic_names=[topic.name],
        topic_partitions=[],
    )


@scenario()
def groups_of_other_kinds(stage: Stage) -> None:
    topic, simple, classic, consumer = known_topic(stage), stage.group("s"), stage.group("k"), stage.group("c")
    said = reading(topic)
    stage.quietly(commit(simple, topic, {0: 1}))
    Member(stage, simple, "a").join(said)
    stage.ask(committed(simple, topic, 0))
    stage.quietly(join(classic), 3)
    Member(stage, classic, "a").join(said)
    stage.quietly(consumer_heartbeat(consumer, topic))
    Member(stage, consumer, "a").join(said)
    stage.quietly(consumer_heartbeat(consumer, topic).__class__(group_id=consumer, member_id="c", member_epoch=-1))
    Member(stage, consumer, "a").join(said)
    stage.ask(ListGroupsRequest(states_filter=[], types_filter=["streams"]), 5, mine=True)


@scenario()
def an_empty_streams_group_becomes_a_classic_one(stage: Stage) -> None:
    _, group, member = one_member(stage)
    member.send(LEAVE)
    stage.quietly(join(group), 3)
    stage.ask(ListGroupsRequest(states_filter=[], types_filter=["classic"]), 5, mine=True)
    describe(stage, group)


@scenario()
def offsets_are_deleted(stage: Stage) -> None:
    topic, group, other = known_topic(stage), stage.group(), known_topic(stage, "b")
    stage.quietly(commit(group, topic, {0: 1}))
    stage.quietly(commit(group, other, {0: 1}))
    member = Member(stage, group, "a")
    member.join(reading(topic))
    stage.ask(delete_offsets(group, (topic, [0]), (other, [0])))
    member.send(LEAVE)
    stage.ask(delete_offsets(group, (topic, [0]), (other, [0])))
