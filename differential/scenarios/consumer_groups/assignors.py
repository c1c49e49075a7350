"""Who gets what in a consumer group."""

from __future__ import annotations

from differential.scenario import scenario
from differential.scenarios.consumer_groups.members import LEAVE, describe, new_members
from differential.stage import Stage
from drave.wire.messages.k69_consumer_group_describe import ConsumerGroupDescribeRequest


@scenario(members=(2, 3, 5))
def two_topics_are_shared_out_by_range(stage: Stage, members: int) -> None:
    first, second, group = stage.topic("a", partitions=4), stage.topic("b", partitions=3), stage.group()
    for member in new_members(stage, group, *"abcde"[:members]):
        member.join(first, second, server_assignor="range")
    describe(stage, group)


@scenario(partitions=(1, 4, 7, 12))
def a_topic_is_shared_out_as_members_come_and_go(stage: Stage, partitions: int) -> None:
    topic, group = stage.topic(partitions=partitions), stage.group()
    members = new_members(stage, group, *"abcde")
    for member in members:
        member.join(topic)
        describe(stage, group)
    for member in (members[1], members[3], members[0]):
        member.send(LEAVE)
        members[4].beat()
        describe(stage, group)


@scenario(members=(2, 3, 5))
def two_topics_are_shared_out_evenly(stage: Stage, members: int) -> None:
    """Which topic's partitions come first is by chance in Kafka; how many everybody has is not."""
    first, second, group = stage.topic("a", partitions=4), stage.topic("b", partitions=3), stage.group()
    for member in new_members(stage, group, *"abcde"[:members]):
        stage.quietly(
            member.request(
                rebalance_timeout_ms=60_000, subscribed_topic_names=[first.name, second.name], topic_partitions=[]
            )
        )
    described = stage.quietly(ConsumerGroupDescribeRequest(group_ids=[group], include_authorized_operations=False))
    sizes = [
        sum(len(topic.partitions) for topic in each.target_assignment.topic_partitions)
        for each in described.groups[0].members
    ]
    stage.see("sizes", sorted(sizes))


@scenario()
def members_that_want_different_topics_by_range(stage: Stage) -> None:
    first, second, group = stage.topic("a", partitions=4), stage.topic("b", partitions=3), stage.group()
    for member, topics in zip(new_members(stage, group, *"abc"), ((first,), (first, second), (second,)), strict=True):
        member.join(*topics, server_assignor="range")
    describe(stage, group)


@scenario()
def the_assignor_that_most_ask_for(stage: Stage) -> None:
    topic, group = stage.topic(partitions=4), stage.group()
    first, second, third = new_members(stage, group, *"abc")
    first.join(topic, server_assignor="range")
    second.join(topic, server_assignor="uniform")
    third.join(topic, server_assignor="uniform")
    describe(stage, group)
