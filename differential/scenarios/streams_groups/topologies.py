"""Topologies of streams groups, and the topics that they read, need and have made."""

from __future__ import annotations

from typing import Any

from differential.calls import (
    TOPIC,
    creatable,
    create_partitions,
    create_topics,
    delete_topics,
    describe_configs,
    metadata,
)
from differential.scenario import scenario
from differential.scenarios.streams_groups.members import (
    LEAVE,
    Member,
    describe,
    internal,
    known_topic,
    one_member,
    subtopology,
    topology,
)
from differential.stage import Stage, Topic
from drave.wire.messages.k88_streams_group_heartbeat import TopicInfo, Topology
from drave.wire.messages.k89_streams_group_describe import StreamsGroupDescribeRequest


@scenario()
def another_topology(stage: Stage) -> None:
    topic, group = known_topic(stage), stage.group()
    other = known_topic(stage, "b")
    first, second = Member(stage, group, "a"), Member(stage, group, "b")
    first.join(topology(subtopology("0", topic), epoch=3))
    second.join(topology(subtopology("0", other), epoch=3))
    second.join(topology(subtopology("0", topic), epoch=4))
    second.join(topology(subtopology("0", other), epoch=2))
    second.beat()
    first.beat()
    describe(stage, group)
    first.send(LEAVE)
    second.send(LEAVE)
    first.join(topology(subtopology("0", other), epoch=4))


def _named_twice(topic: Topic) -> Topology:
    return topology(subtopology("0", topic), subtopology("0", topic))


def _no_inputs(topic: Topic) -> Topology:
    return topology(subtopology("0", topic), subtopology("1"))


def _nothing_at_all(_: Topic) -> Topology:
    return topology()


def _a_circle(_: Topic) -> Topology:
    return topology(subtopology("0", reads=(internal("x"),), writes=("x",)))


def _nobody_writes_it(topic: Topic) -> Topology:
    return topology(subtopology("0", topic, reads=(internal("x"),)))


def _a_changelog_that_counts(topic: Topic) -> Topology:
    return topology(subtopology("0", topic, changelogs=(internal("x", 2),)))


def _an_internal_name(_: Topic) -> Topology:
    return topology(subtopology("0", "__consumer_offsets"))


def _no_name(topic: Topic) -> Topology:
    return topology(subtopology("0", topic, changelogs=(internal("a/b"),)))


def _an_odd_place(topic: Topic) -> Topology:
    return topology(subtopology("0", topic, joined=(((1,), ()),)))


def _an_odd_epoch(topic: Topic) -> Topology:
    return topology(subtopology("0", topic), epoch=-1)


@scenario(
    odd=(
        _named_twice, _no_inputs, _nothing_at_all, _a_circle, _nobody_writes_it, _a_changelog_that_counts,
        _an_internal_name, _no_name, _an_odd_place, _an_odd_epoch,
    )
)  # fmt: skip
def an_odd_topology(stage: Stage, odd: Any) -> None:
    topic, group = known_topic(stage), stage.group()
    Member(stage, group, "a").join(odd(topic))
    describe(stage, group)


# -- topics


def _one_after_the_other(stage: Stage, topic: Topic) -> tuple[Topology, list[str]]:
    names = [stage.name(word) for word in ("r", "s", "c")]
    r, s, c = names
    said = topology(
        subtopology("0", topic, writes=(r,)),
        subtopology("1", reads=(internal(r),), writes=(s,)),
        subtopology("2", reads=(internal(s, 5),), changelogs=(internal(c, cleanup_policy="compact"),)),
    )
    return said, names


def _joined_with_a_source(stage: Stage, topic: Topic) -> tuple[Topology, list[str]]:
    table, r = known_topic(stage, "table", partitions=2), stage.name("r")
    return topology(
        subtopology("0", topic, writes=(r,)), subtopology("1", table, reads=(internal(r),), joined=(((0,), (0,)),))
    ), [r]


def _joined_with_one_another(stage: Stage, topic: Topic) -> tuple[Topology, list[str]]:
    wide, r, s = known_topic(stage, "wide", partitions=4), stage.name("r"), stage.name("s")
    said = topology(
        subtopology("0", topic, writes=(r,)),
        subtopology("1", wide, writes=(s,)),
        subtopology("2", reads=(internal(r), internal(s)), joined=(((), (0, 1)),)),
    )
    return said, [r, s]


def _joined_with_a_fixed_one(stage: Stage, topic: Topic) -> tuple[Topology, list[str]]:
    r, s = stage.name("r"), stage.name("s")
    said = topology(
        subtopology("0", topic, writes=(r, s)),
        subtopology("1", reads=(internal(r, 6), internal(s)), joined=(((), (0, 1)),)),
    )
    return said, [r, s]


@scenario(shape=(_one_after_the_other, _joined_with_a_source, _joined_with_one_another, _joined_with_a_fixed_one))
def internal_topics_are_made(stage: Stage, shape: Any) -> None:
    topic, group = known_topic(stage, partitions=3), stage.group()
    said, names = shape(stage, topic)
    member = Member(stage, group, "a")
    member.enter(said)
    for name in sorted(names):
        made = stage.quietly(metadata(name)).topics[0]
        stage.see(f"partitions of {name.removeprefix(stage.mark)}", len(made.partitions))
    described = stage.quietly(StreamsGroupDescribeRequest(group_ids=[group], include_authorized_operations=False))
    (shown,) = described.groups
    stage.see("state", shown.group_state)
    stage.see("tasks", [[each.subtopology_id, each.partitions] for each in shown.members[0].assignment.active_tasks])
    changelogs = [each for sub in shown.topology.subtopologies for each in sub.state_changelog_topics]
    stage.see("changelogs", [[each.partitions, each.replication_factor] for each in changelogs])


@scenario()
def configs_of_internal_topics(stage: Stage) -> None:
    topic, group, name = known_topic(stage, partitions=2), stage.group(), stage.name("c")
    changelog = internal(name, cleanup_policy="compact", segment_ms="60000")
    Member(stage, group, "a").enter(topology(subtopology("0", topic, changelogs=(changelog,))))
    stage.ask(describe_configs(TOPIC, name, ["cleanup.policy", "segment.ms"], include_synonyms=False))


def _copies(name: str) -> TopicInfo:
    return internal(name, factor=3)


def _bad_config(name: str) -> TopicInfo:
    return internal(name, cleanup_policy="nonsense")


@scenario(odd=(_copies, _bad_config))
def internal_topics_that_cannot_be_made(stage: Stage, odd: Any) -> None:
    topic, group, name = known_topic(stage, partitions=2), stage.group(), stage.name("c")
    member = Member(stage, group, "a")
    member.join(topology(subtopology("0", topic, changelogs=(odd(name),))))
    member.beat()
    describe(stage, group)


@scenario()
def source_topics_that_are_missing(stage: Stage) -> None:
    group, name = stage.group(), stage.name("late")
    member = Member(stage, group, "a")
    member.join(topology(subtopology("0", name, changelogs=(internal(stage.name("c")),))))
    member.beat()
    describe(stage, group)
    stage.quietly(create_topics(creatable(name, 2), creatable(stage.name("c"), 2)))
    stage.ready("late", 2)
    stage.ready("c", 2)
    member.wait(lambda answer: not answer.status)
    describe(stage, group)


@scenario(changelog=(1, 2, 3))
def a_changelog_that_is_there(stage: Stage, changelog: int) -> None:
    topic, group = known_topic(stage, partitions=2), stage.group()
    there = known_topic(stage, "c", partitions=changelog)
    member = Member(stage, group, "a")
    member.join(topology(subtopology("0", topic, changelogs=(internal(there.name),))))
    member.beat()
    describe(stage, group)


@scenario(other=(1, 2))
def sources_that_are_joined(stage: Stage, other: int) -> None:
    topic, group = known_topic(stage, partitions=2), stage.group()
    table = known_topic(stage, "b", partitions=other)
    member = Member(stage, group, "a")
    member.join(topology(subtopology("0", topic, table, joined=(((0, 1), ()),))))
    member.beat()
    describe(stage, group)


@scenario()
def a_source_topic_grows_and_goes(stage: Stage) -> None:
    topic, group, member = one_member(stage, partitions=1)
    stage.quietly(create_partitions((topic.name, 3, None)))
    stage.ready(partitions=3)
    member.wait(lambda answer: answer.member_epoch > 2)
    describe(stage, group)
    stage.quietly(delete_topics(topic))
    stage.gone(topic)
    member.wait(lambda answer: bool(answer.status))
    member.beat()
    describe(stage, group)
