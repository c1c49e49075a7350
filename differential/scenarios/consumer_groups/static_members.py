"""Static members of consumer groups."""

from __future__ import annotations

from differential.scenario import scenario
from differential.scenarios.consumer_groups.members import AWAY, LEAVE, Member, describe, one_member
from differential.stage import Stage


@scenario()
def a_static_member_goes_and_comes_back(stage: Stage) -> None:
    topic, group = stage.topic(partitions=3), stage.group()
    member = Member(stage, group, "a", "i")
    member.join(topic)
    describe(stage, group)
    again = Member(stage, group, "b", "i")
    again.join(topic)
    member.send(AWAY)
    describe(stage, group)
    member.send()
    again.join(topic)
    describe(stage, group)
    member.send()
    member.send(LEAVE)
    again.beat()
    again.send(LEAVE)
    describe(stage, group)


@scenario()
def a_static_member_that_is_away_keeps_its_partitions(stage: Stage) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    member, other = Member(stage, group, "a", "i"), Member(stage, group, "b")
    member.join(topic)
    member.send(AWAY)
    other.join(topic)
    other.beat()
    describe(stage, group)
    again = Member(stage, group, "c", "i")
    again.join(topic)
    again.beat()
    other.beat()
    describe(stage, group)


@scenario()
def a_dynamic_member_says_that_it_is_away(stage: Stage) -> None:
    *_, member = one_member(stage)
    member.instance_id = "i"
    member.send(AWAY)
    member.send()
