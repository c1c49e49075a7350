"""Members of streams groups come, share and go; heartbeats that are not as they should be."""

from __future__ import annotations

from typing import Any

from differential.scenario import scenario
from differential.scenarios.streams_groups.members import (
    LEAVE,
    Member,
    describe,
    known_topic,
    one_member,
    owned,
    reading,
    two_members,
)
from differential.stage import Stage
from drave.wire.messages.k88_streams_group_heartbeat import Endpoint, KeyValue, TaskIds, TaskOffset


@scenario()
def a_member_comes_and_goes(stage: Stage) -> None:
    _, group, member = one_member(stage, partitions=3)
    member.send()
    member.beat()
    describe(stage, group)
    member.beat(rack_id="r", client_tags=[KeyValue(key="k", value="v")], user_endpoint=Endpoint(host="h", port=1))
    member.beat()
    describe(stage, group)
    member.send(LEAVE)
    describe(stage, group)
    member.beat()


@scenario()
def a_member_joins_again(stage: Stage) -> None:
    topic, group = known_topic(stage, partitions=3), stage.group()
    said = reading(topic)
    member = Member(stage, group, "a")
    member.join(said)
    member.join(said)
    member.join(said, process_id="another")
    member.beat()
    describe(stage, group)


@scenario()
def two_members_share(stage: Stage) -> None:
    _, first, second = two_members(stage, partitions=4)
    describe(stage, first.group)
    has = first.active
    first.beat()
    describe(stage, first.group)
    second.beat()
    first.send(2, **owned(has, {}))
    first.beat()
    describe(stage, first.group)
    second.beat()
    second.beat()
    describe(stage, first.group)
    first.send(LEAVE)
    second.beat()
    describe(stage, first.group)


@scenario()
def two_threads_of_one_process(stage: Stage) -> None:
    _, first, second = two_members(stage, partitions=2, process="p")
    first.beat()
    first.beat()
    second.beat()
    describe(stage, first.group)


@scenario()
def a_member_comes_back_with_less_than_it_was_given(stage: Stage) -> None:
    _, first, _ = two_members(stage, partitions=4)
    first.beat()
    first.beat()
    first.send(2, **owned({"0": first.active["0"][:1]}, {}))
    first.send(2, **owned({}, {}))
    first.send(2)
    first.send(1, **owned({}, {}))
    describe(stage, first.group)


@scenario(epoch=(-3, -2, 1, 3, 99))
def an_epoch_that_is_not_the_members(stage: Stage, epoch: int) -> None:
    *_, member = one_member(stage, partitions=2)
    member.send(epoch)
    member.send(epoch, **owned(member.active, {}))


@scenario()
def nobody_and_nothing(stage: Stage) -> None:
    topic, group = known_topic(stage), stage.group()
    Member(stage, group, "a", epoch=1).send()
    Member(stage, group, "a").send(LEAVE)
    Member(stage, group, "a").join(reading(topic))
    Member(stage, group, "b", epoch=1).send()
    Member(stage, group, "b").send(LEAVE)
    Member(stage, "", "b").join(reading(topic))
    Member(stage, group, "").join(reading(topic))
    Member(stage, " ", " ").send(LEAVE)


def _instance() -> dict[str, Any]:
    return {"instance_id": "i"}


def _rack() -> dict[str, Any]:
    return {"rack_id": ""}


def _offsets() -> dict[str, Any]:
    return {"task_offsets": [TaskOffset(subtopology_id="0", partition=0, offset=1)]}


def _end_offsets() -> dict[str, Any]:
    return {"task_end_offsets": []}


def _warmups() -> dict[str, Any]:
    return {"warmup_tasks": [TaskIds(subtopology_id="0", partitions=[0])]}


def _actives_only() -> dict[str, Any]:
    return {"active_tasks": [], "standby_tasks": None, "warmup_tasks": None}


def _no_timeout() -> dict[str, Any]:
    return {"rebalance_timeout_ms": -1}


def _no_topology() -> dict[str, Any]:
    return {"topology": None}


def _tasks() -> dict[str, Any]:
    return owned({"0": [0]}, {})


def _standbys() -> dict[str, Any]:
    return owned({}, {"0": [0]})


ODD = (
    _instance, _rack, _offsets, _end_offsets, _warmups, _actives_only, _no_timeout, _no_topology, _tasks, _standbys,
)  # fmt: skip


@scenario(odd=ODD)
def an_odd_join(stage: Stage, odd: Any) -> None:
    topic, group = known_topic(stage), stage.group()
    Member(stage, group, "a").join(reading(topic), **odd())
    describe(stage, group)


@scenario(odd=(*ODD[:6],))
def an_odd_heartbeat(stage: Stage, odd: Any) -> None:
    *_, member = one_member(stage)
    member.beat(**odd())
    member.send(LEAVE, **odd())


@scenario(tasks=("9", "0"), partition=(-1, 0, 1, 7))
def tasks_that_it_cannot_have(stage: Stage, tasks: str, partition: int) -> None:
    topic, _, member = one_member(stage)
    member.send(**owned({tasks: [partition]}, {}))
    member.send(topology=reading(topic))
    member.send(**owned({}, {tasks: [partition]}))
