"""A streams group under chaos, a seed at a time: members come, go and miss answers, topics grow, the coordinator
restarts, its log refuses. Whatever happens, no task runs twice; when it is over, every task runs once.

A failing seed is reproduced with `run(seed)`.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from drave.broker.coordinator.group import GroupState
from drave.broker.coordinator.streams.group import StreamsGroup
from drave.broker.coordinator.streams.tasks import NOTHING, TaskId, Tasks
from drave.model.errors import ErrorCode
from drave.wire.messages.k88_streams_group_heartbeat import Topology
from tests.broker.coordinator.streams.virtual_streams import VirtualStreams, given, internal, subtopology, topology

STEPS = 250
PROCESSES = ("P", "Q", "R")
ROUNDS_MAX = 12
"""Heartbeats of every member until all have what they should, once nothing else happens."""

APPLICATION = topology(
    subtopology("0", "lines", writes=("between",)),
    subtopology("1", reads=(internal("between"),), changelogs=(internal("counts"),)),
)


class Member:
    """A thread of a Kafka Streams application that keeps to the protocol."""

    def __init__(self, groups: VirtualStreams, number: int, process_id: str, said: Topology) -> None:
        self.groups = groups
        self.member_id = f"m{number}"
        self.process_id = process_id
        self.topology = said
        self.epoch = 0
        self.holds = NOTHING

    def beat(self, *, is_heard: bool = True) -> None:
        """One heartbeat; its answer may be lost."""
        if self.epoch == 0:
            told = self.groups.enter(self.member_id, self.topology, process_id=self.process_id)
        else:
            told = self.groups.beat(self.member_id, self.epoch, self.holds)
        if not is_heard:
            return
        match told.error_code:
            case ErrorCode.NONE:
                self.epoch = told.member_epoch
                if told.active_tasks is not None:
                    self.holds = given(told)
            case ErrorCode.FENCED_MEMBER_EPOCH | ErrorCode.UNKNOWN_MEMBER_ID | ErrorCode.GROUP_ID_NOT_FOUND:
                self.epoch, self.holds = 0, NOTHING
            case _:
                assert told.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE, told


class World:
    """One run."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.groups = VirtualStreams()
        self.groups.configs["streams.assignment.interval.ms"] = self.chance.choice(["0", "1000"])
        for name in ("lines", "between", "counts"):
            self.groups.topics.create(name, 3)
        self.members: list[Member] = []
        self.started = 0

    def step(self) -> None:
        chance, groups = self.chance, self.groups
        kinds = ["beat"] * 12 + ["lose"] * 2 + ["start"] * 2 + ["leave", "die", "grow", "restart", "refuse", "standbys"]
        kind = chance.choice([*kinds, "wait", "wait", "freeze"])
        member = chance.choice(self.members) if self.members else None
        if kind == "start" and len(self.members) < 6:
            self.members.append(Member(groups, self.started, chance.choice(PROCESSES), APPLICATION))
            self.started += 1
        elif kind == "grow":
            self._grow()
        elif kind == "restart":
            groups.restart()
        elif kind == "standbys":
            groups.configs["streams.num.standby.replicas"] = chance.choice("012")
        elif kind == "wait":
            groups.advance(chance.randrange(3_000))
        elif member is not None:
            self._member_step(kind, member)

    def _member_step(self, kind: str, member: Member) -> None:
        match kind:
            case "beat":
                member.beat()
            case "lose":
                member.beat(is_heard=False)
            case "refuse":
                self.groups.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
                member.beat()
                self.groups.log_refuses_with = None
            case "leave":
                self.groups.beat(member.member_id, -1)
                self.members.remove(member)
            case "die":
                self.members.remove(member)
            case "freeze":
                self.groups.advance(self.chance.randrange(30_000))

    def _grow(self) -> None:
        """All three topics at once, as whoever administers them does."""
        topic = self.groups.topics.topic("lines")
        assert topic is not None
        if topic.partitions < 6 and self.chance.random() < 0.3:
            for name in ("lines", "between", "counts"):
                self.groups.topics.create(name, topic.partitions + 1)

    @property
    def group(self) -> StreamsGroup | None:
        return self.groups.shard._table.get("g", StreamsGroup)

    def check(self) -> None:
        group = self.group
        if group is None:
            return
        inside = [member for member in self.members if member.member_id in group.members]
        running = Counter(task for member in inside for task in member.holds.active)
        assert set(running.values()) <= {1}, f"two members run {running.most_common(1)}"
        assert sorted(self.groups.shard.live_records()) == sorted(self.groups.replayed().live_records())
        given_away = Counter(
            task for member in group.members.values() for task in (*member.tasks.active, *member.revoking.active)
        )
        assert set(given_away.values()) <= {1}, f"{given_away.most_common(1)} was given to two members"

    def settle(self) -> None:
        """Nothing but heartbeats any more: everybody is led to what it is to have."""
        self.groups.log_refuses_with = None
        self.members = self.members or [Member(self.groups, self.started, "P", APPLICATION)]
        for member in self.members:
            member.beat()
        for _ in range(2):  # those who died are missed, and the others are not
            self.groups.advance(40_000)
            for member in self.members:
                member.beat()
        for _ in range(ROUNDS_MAX):
            self.groups.advance(1_000)
            for member in self.members:
                member.beat()
            self.check()
        group = self.group
        assert group is not None
        assert group.state is GroupState.STABLE
        self._check_all_run(group)

    def _check_all_run(self, group: StreamsGroup) -> None:
        topic = self.groups.topics.topic("lines")
        assert topic is not None
        wanted = Counter(TaskId(name, index) for name in "01" for index in range(topic.partitions))
        assert Counter(task for member in self.members for task in member.holds.active) == wanted
        for member in self.members:
            has = group.members[member.member_id].tasks
            assert member.holds == Tasks(frozenset(has.active), has.standby, has.warmup)
        placed = Counter((member.process_id, task) for member in self.members for task in member.holds.all)
        assert set(placed.values()) == {1}, "a process has a task twice"


def run(seed: int) -> None:
    world = World(seed)
    for _ in range(STEPS):
        world.step()
        world.check()
    world.settle()


@pytest.mark.parametrize("seed", range(12))
def test_no_task_runs_twice_whatever_happens_and_each_runs_once_when_it_is_over(seed: int) -> None:
    run(seed)
