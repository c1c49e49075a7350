"""Who runs and copies what in a streams group, who can be asked for it, and the end of an application."""

from __future__ import annotations

from differential.scenario import scenario
from differential.scenarios.streams_groups.members import (
    LEAVE,
    Member,
    configure_group,
    describe,
    internal,
    known_topic,
    reading,
    subtopology,
    topology,
    two_members,
)
from differential.stage import Stage
from drave.wire.messages.k88_streams_group_heartbeat import Endpoint


@scenario(replicas=("0", "1", "2"))
def standbys(stage: Stage, replicas: str) -> None:
    topic, group = known_topic(stage, partitions=1), stage.group()
    known_topic(stage, "c", partitions=1)
    configure_group(stage, group, streams_num_standby_replicas=replicas)
    said = topology(subtopology("0", topic, changelogs=(internal(stage.name("c")),)))
    members = [Member(stage, group, name) for name in "ab"]
    for member in (*members, *members, *members):
        member.beat() if member.epoch else member.join(said)
    describe(stage, group)
    members[0].send(LEAVE)
    for _ in range(3):
        members[1].beat()
    describe(stage, group)


@scenario()
def another_number_of_standbys(stage: Stage) -> None:
    topic, group = known_topic(stage, partitions=1), stage.group()
    known_topic(stage, "c", partitions=1)
    said = topology(subtopology("0", topic, changelogs=(internal(stage.name("c")),)))
    members = [Member(stage, group, name) for name in "ab"]
    for member in (*members, *members):
        member.beat() if member.epoch else member.join(said)
    describe(stage, group)
    configure_group(stage, group, streams_num_standby_replicas="1")
    for member in (*members, *members):
        member.beat()
    describe(stage, group)


@scenario()
def endpoints(stage: Stage) -> None:
    topic, group = known_topic(stage, partitions=2), stage.group()
    said = reading(topic)
    first, second = Member(stage, group, "a"), Member(stage, group, "b")
    first.join(said, user_endpoint=Endpoint(host="first", port=1), endpoint_information_epoch=-1)
    second.join(said, user_endpoint=Endpoint(host="second", port=65_535))
    first.beat(endpoint_information_epoch=9)
    first.beat()
    second.beat(endpoint_information_epoch=9)
    told = second.beat(endpoint_information_epoch=9)
    second.beat(endpoint_information_epoch=told.endpoint_information_epoch)


@scenario(leaving=(False, True))
def the_end_of_an_application(stage: Stage, leaving: bool) -> None:
    topic, first, second = two_members(stage, partitions=2)
    first.send(LEAVE if leaving else None, shutdown_application=True)
    second.beat()
    second.send(shutdown_application=True)
    second.send(LEAVE)
    if not leaving:
        first.send(LEAVE)
    first.join(reading(topic))
