"""Offsets of consumer groups."""

from __future__ import annotations

from differential.calls import commit, committed, delete_offsets
from differential.scenario import scenario
from differential.scenarios.consumer_groups.members import LEAVE, Member, one_member, two_members
from differential.stage import Stage
from drave.wire.api import ApiKey

COMMIT = ApiKey.OFFSET_COMMIT
FETCH = ApiKey.OFFSET_FETCH


@scenario(COMMIT, since=8)
def commits_of_a_member(stage: Stage, version: int) -> None:
    topic, group = stage.topic(partitions=2), stage.group()
    stage.ask(commit(group, topic, {0: 1}, generation=1, member="a"), version)
    member = Member(stage, group, "a")
    member.join(topic)
    stage.ask(commit(group, topic, {0: 2}, generation=1, member="a"), version)
    stage.ask(commit(group, topic, {0: 3}, generation=0, member="a"), version)
    stage.ask(commit(group, topic, {0: 3}, generation=2, member="a"), version)
    stage.ask(commit(group, topic, {0: 3}, generation=1, member="b"), version)
    stage.ask(commit(group, topic, {0: 3}), version)
    stage.ask(committed(group, topic, 0))
    member.send(LEAVE)
    stage.ask(commit(group, topic, {0: 4}), version)
    stage.ask(committed(group, topic, 0))


@scenario()
def a_commit_of_before_the_last_rebalance(stage: Stage) -> None:
    """KIP-1251: it counts where the member has been reading since then."""
    topic, group, first, second = two_members(stage, partitions=4)
    first.send()
    first.beat()
    second.beat()
    stage.ask(commit(group, topic, {0: 1, 1: 1, 2: 1, 3: 1}, generation=1, member="a"))
    stage.ask(commit(group, topic, {0: 1, 1: 1, 2: 1, 3: 1}, generation=1, member="b"))


@scenario(FETCH, since=9)
def fetches_of_a_member(stage: Stage, version: int) -> None:
    topic, group, _ = one_member(stage)
    stage.quietly(commit(group, topic, {0: 7}, generation=1, member="a"))
    for member_id, epoch in ((None, -1), ("a", 1), ("a", 0), ("a", 2), ("b", 1), ("", -1), (None, 1)):
        stage.ask(committed(group, topic, 0, member_id=member_id, member_epoch=epoch), version)


@scenario()
def offsets_are_deleted_where_nobody_reads(stage: Stage) -> None:
    first, second, group = stage.topic("a"), stage.topic("b"), stage.group()
    stage.quietly(commit(group, first, {0: 1}))
    stage.quietly(commit(group, second, {0: 1}))
    Member(stage, group, "a").join(first)
    stage.ask(delete_offsets(group, (first, [0]), (second, [0])))
    stage.ask(committed(group, first, 0))
    stage.ask(committed(group, second, 0))
