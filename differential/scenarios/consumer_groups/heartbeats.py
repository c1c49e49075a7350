"""Members of consumer groups come, share and go; heartbeats that are not as they should be."""

from __future__ import annotations

from typing import Any

from differential.scenario import scenario
from differential.scenarios.consumer_groups.members import LEAVE, Member, describe, new_members, two_members
from differential.stage import Stage
from drave.wire.api import ApiKey
from drave.wire.messages.k68_consumer_group_heartbeat import TopicPartitions

HEARTBEAT = ApiKey.CONSUMER_GROUP_HEARTBEAT


@scenario(HEARTBEAT)
def a_member_comes_and_goes(stage: Stage, version: int) -> None:
    topic, group = stage.topic(partitions=3), stage.group()
    member = Member(stage, group, "a" if version else "", version=version)
    member.join(topic)
    member.send()
    member.beat()
    member.beat(rebalance_timeout_ms=60_000, subscribed_topic_names=[topic.name])
    describe(stage, group)
    member.send(LEAVE)
    describe(stage, group)
    member.send(epoch=4)


@scenario()
def a_second_member_waits_for_what_the_first_gives_back(stage: Stage) -> None:
    _, group, first, second = two_members(stage, partitions=4)
    describe(stage, group)
    second.beat()
    first.send()
    first.send()
    describe(stage, group)
    first.beat()
    second.beat()
    describe(stage, group)
    second.send(LEAVE)
    first.beat()
    describe(stage, group)


@scenario(
    what=(
        {"member_id": ""},
        {"group_id": ""},
        {"instance_id": ""},
        {"rack_id": ""},
        {"rebalance_timeout_ms": -1},
        {"topic_partitions": None},
        {"topic_partitions": [TopicPartitions(topic_id=bytes(15) + b"\1", partitions=[0])]},
        {"subscribed_topic_names": None},
        {"subscribed_topic_names": []},
        {"server_assignor": "random"},
        {"server_assignor": "range"},
        {"member_epoch": -2},
        {"member_epoch": -3},
        {"member_epoch": -1},
        {"member_epoch": 1},
        {"member_epoch": -2, "instance_id": "i"},
        {"member_epoch": 1, "instance_id": "i"},
        {"subscribed_topic_regex": "(a"},
        {"subscribed_topic_regex": ""},
        {"subscribed_topic_regex": "(?=a)a"},
        {"subscribed_topic_regex": r"(a)\1"},
        {"subscribed_topic_regex": r"a\Z"},
        {"subscribed_topic_regex": "a**"},
        {"subscribed_topic_regex": "a{1001}"},
        {"subscribed_topic_regex": r"\p{Nothing}"},
    )
)
def an_odd_first_heartbeat(stage: Stage, what: dict[str, Any]) -> None:
    topic, group = stage.topic(), stage.group()
    request = Member(stage, group, "a").request(
        rebalance_timeout_ms=1000, subscribed_topic_names=[topic.name], topic_partitions=[]
    )
    for name, value in what.items():
        setattr(request, name, value)
    stage.ask(request, 1)
    describe(stage, group)


@scenario()
def an_odd_first_heartbeat_of_the_oldest_version(stage: Stage) -> None:
    stage.ask(Member(stage, stage.group(), "").request(1), 0)
    stage.ask(Member(stage, stage.group(), "").request(-1), 0)
    stage.ask(Member(stage, stage.group(), "").request(0), 0)


@scenario()
def epochs_that_are_not_the_members(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    first, second = new_members(stage, group, "a", "b")
    first.join(topic)
    first.send(epoch=2)
    first.send(epoch=-7)
    second.join(topic)
    first.send()
    before, has = first.epoch, dict(first.has)
    first.beat()
    now = first.epoch
    first.send(epoch=before, topic_partitions=[])
    first.send(epoch=before, topic_partitions=None)
    first.has = {topic.id: [0, 1]}
    first.send(epoch=before, topic_partitions=first.owned())
    first.has = has
    first.send(epoch=before - 1, topic_partitions=[])
    first.epoch = now
    first.join(topic)
    describe(stage, group)


@scenario()
def a_lost_answer_is_asked_for_again(stage: Stage) -> None:
    topic, _, first, second = two_members(stage, partitions=2)
    first.send()
    first.beat()
    second.beat()
    second.send(epoch=0, rebalance_timeout_ms=60_000, subscribed_topic_names=[topic.name], topic_partitions=[])
    first.beat(rebalance_timeout_ms=60_000, subscribed_topic_names=[topic.name])


@scenario()
def a_member_that_keeps_what_it_should_give_back(stage: Stage) -> None:
    topic, group, first, second = two_members(stage, partitions=2)
    first.send()
    first.has = {topic.id: [0, 1]}
    first.beat()
    second.beat()
    first.has = {topic.id: [0]}
    first.beat()
    second.beat()
    describe(stage, group)


@scenario()
def one_leaves_while_the_other_gives_back(stage: Stage) -> None:
    _, group, first, second = two_members(stage, partitions=2)
    first.send()
    second.send(LEAVE)
    first.beat()
    first.beat()
    describe(stage, group)
