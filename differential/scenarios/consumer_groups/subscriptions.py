"""What members of consumer groups want to read, and the topics that come, grow and go meanwhile."""

from __future__ import annotations

from differential.calls import creatable, create_partitions, create_topics, delete_topics
from differential.scenario import scenario
from differential.scenarios.consumer_groups.members import Member, describe, one_member
from differential.stage import Stage
from drave.wire.messages.k16_list_groups import ListGroupsRequest
from drave.wire.messages.k68_consumer_group_heartbeat import TopicPartitions
from drave.wire.messages.k69_consumer_group_describe import ConsumerGroupDescribeRequest


@scenario()
def a_member_changes_its_mind(stage: Stage) -> None:
    first, second, group = stage.topic("a", partitions=2), stage.topic("b", partitions=2), stage.group()
    member = Member(stage, group, "a")
    member.join(first)
    member.send(subscribed_topic_names=[second.name])
    member.beat()
    member.send(subscribed_topic_names=[first.name, second.name], topic_partitions=member.owned())
    member.beat(subscribed_topic_names=[])
    member.beat()
    describe(stage, group)


@scenario()
def a_topic_that_is_not_there_yet(stage: Stage) -> None:
    group, name = stage.group(), stage.name("late")
    member = Member(stage, group, "a")
    member.join(name)
    describe(stage, group)
    stage.quietly(create_topics(creatable(name, 2)))
    stage.ready("late", 2)
    stage.wait(member.request(topic_partitions=[]), lambda answer: answer.member_epoch > 2)
    describe(stage, group)


@scenario()
def a_topic_grows_and_goes(stage: Stage) -> None:
    topic, group, member = one_member(stage, partitions=1)
    stage.quietly(create_partitions((topic.name, 3, None)))
    stage.ready(partitions=3)
    stage.wait(member.request(topic_partitions=member.owned()), lambda answer: answer.member_epoch > 2)
    describe(stage, group)
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    has = [TopicPartitions(topic_id=topic.id, partitions=[0, 1, 2])]
    stage.wait(member.request(3, topic_partitions=has), lambda answer: answer.assignment is not None)
    describe(stage, group)


@scenario(
    regex=(
        ".*one",
        "(one|two)",
        "nothing",
        "((on|tw)(e|o))+",
        ".*o.*n.*e.*",
        "(?i)ONE",
        "(?P<name>one)",
        r"\Qone\E",
        r"\pL{3}",
        "[^t]*",
        "on",
    )
)
def topics_by_a_regular_expression(stage: Stage, regex: str) -> None:
    stage.topic("one", partitions=2)
    stage.topic("two", partitions=1)
    group = stage.group()
    member = Member(stage, group, "a")
    mine = stage.mark + regex
    stage.quietly(member.request(rebalance_timeout_ms=60_000, subscribed_topic_regex=mine, topic_partitions=[]))
    wanted = member.request(
        0, rebalance_timeout_ms=60_000, subscribed_topic_regex=mine, topic_partitions=[], subscribed_topic_names=[]
    )
    if regex not in ("nothing", "on"):
        stage.wait(wanted, lambda answer: bool(answer.assignment.topic_partitions))
        describe(stage, group)
    stage.ask(ListGroupsRequest(states_filter=[], types_filter=["consumer"]), 5, mine=True)


@scenario()
def a_regular_expression_is_given_up(stage: Stage) -> None:
    topic, group = stage.topic("one"), stage.group()
    member = Member(stage, group, "a")
    stage.wait(
        member.request(rebalance_timeout_ms=60_000, subscribed_topic_regex=topic.name, topic_partitions=[]),
        lambda answer: bool(answer.assignment.topic_partitions),
    )
    has = [TopicPartitions(topic_id=topic.id, partitions=[0])]
    stage.wait(
        member.request(2, topic_partitions=has, subscribed_topic_regex=""), lambda answer: bool(answer.assignment)
    )
    described = stage.quietly(ConsumerGroupDescribeRequest(group_ids=[group], include_authorized_operations=False))
    (seen,) = described.groups[0].members
    stage.see("regex", [seen.subscribed_topic_regex, len(seen.target_assignment.topic_partitions)])
