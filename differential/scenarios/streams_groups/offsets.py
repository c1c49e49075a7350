"""Offsets of streams groups."""

from __future__ import annotations

from differential.calls import commit, committed
from differential.scenario import scenario
from differential.scenarios.streams_groups.members import Member, known_topic, one_member, reading
from differential.stage import Stage
from differential.writers import new_writer
from drave.wire.api import ApiKey

COMMIT = ApiKey.OFFSET_COMMIT
FETCH = ApiKey.OFFSET_FETCH
TXN_COMMIT = ApiKey.TXN_OFFSET_COMMIT


@scenario(COMMIT)
def members_commit_and_fetch(stage: Stage, version: int) -> None:
    topic, group, _ = one_member(stage, partitions=2)
    for name, epoch in ("a", 2), ("a", 1), ("a", 3), ("a", -1), ("b", 2), ("", -1):
        stage.ask(commit(group, topic, {0: epoch + 10}, generation=epoch, member=name), version)
    stage.ask(committed(group, topic, 0, 1), min(version, 9))


@scenario()
def commits_of_an_epoch_that_has_passed(stage: Stage) -> None:
    topic, group = known_topic(stage, partitions=2), stage.group()
    other = known_topic(stage, "b")
    member = Member(stage, group, "a")
    member.join(reading(topic))
    member.beat(rack_id="r")
    for place, index, epoch in (topic, 0, 2), (topic, 0, 1), (other, 0, 2), (topic, 1, 3):
        stage.ask(commit(group, place, {index: 5}, generation=epoch, member="a"), 9)


@scenario(FETCH, since=9)
def members_fetch(stage: Stage, version: int) -> None:
    topic, group, _ = one_member(stage)
    for name, epoch in (None, -1), ("a", 2), ("a", 1), ("a", 3), ("b", 2), ("", -1):
        request = committed(group, topic, 0)
        request.groups[0].member_id, request.groups[0].member_epoch = name, epoch
        stage.ask(request, version)


@scenario(TXN_COMMIT, since=3)
def commits_in_a_transaction(stage: Stage, version: int) -> None:
    topic, group, writer = known_topic(stage), stage.group(), new_writer(stage)
    member = Member(stage, group, "a")
    member.join(reading(topic))
    writer.add_offsets(group)
    for name, epoch in ("", -1), ("a", 2), ("a", 1), ("a", 3), ("b", 2):
        request = writer.offsets(group, topic, {0: 7}, generation_id_or_member_epoch=epoch, member_id=name)
        stage.ask(request, version)
