"""Members of streams groups (KIP-1071): threads of Kafka Streams. By heartbeats they join, hear their tasks, and leave.

    heartbeat ─▶ other tasks? ─▶ commit, give back, take ─▶ heartbeat: this is what I have ─▶ …

            orders ─▶ subtopology 0 ─▶ app-between ─┐
                                           ledger ──┴▶ subtopology 1 ─▶ app-counts, its changelog

A task is held from when it was told to be this member's, until the heartbeat is sent that no longer names it. Members
of one process have its id in common, and so has the next process in its place, for the id lies in the folder of its
state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from drave.model.errors import ErrorCode
from drave.wire.api import ApiKey
from drave.wire.messages.k88_streams_group_heartbeat import (
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    Subtopology,
    TaskIds,
    TopicInfo,
    Topology,
)
from drave.wire.messages.k89_streams_group_describe import (
    DescribedGroup,
    StreamsGroupDescribeRequest,
    StreamsGroupDescribeResponse,
)
from drave.wire.messages.k89_streams_group_describe import Member as DescribedMember
from drave.wire.messages.k89_streams_group_describe import TaskIds as DescribedTaskIds
from simulation.clients.caller import TRY_AGAIN, Caller, Unanswered
from simulation.clients.grouping import Member, Rejoin
from simulation.history import Epoch, Gathered, GatheredMember, Held, HeldTask, Partition, Presence, Task

SESSION_MS: Final = 6_000
"""What the broker is set to."""
REBALANCE_MS: Final = 60_000
LEAVE: Final = -1
COMMITS_SINCE: Final = 9
"""The version of OffsetCommit from which on its epoch may be a member's."""
REPEATS: Final = 0.7
"""How often a member says what it has though that is known."""
BUSY_CHANCE: Final = 0.5
"""How often a member goes on for a while with what it is to give up."""
STALE_TOPOLOGY: Final = 0
STABLE: Final = "Stable"
TURN_MS: Final = 500
TURNS_MAX: Final = 60
"""So many heartbeats of each member until their group has come together: some of them may find it load."""

_MISSED: Final = (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.GROUP_ID_NOT_FOUND)


class Application(NamedTuple):
    """What the members of one streams group run."""

    group: str
    subtopologies: tuple[Subtopology, ...]

    @property
    def topics(self) -> list[str]:
        """All that are read."""
        return [topic for each in self.subtopologies for topic in _inputs(each)]

    def inputs(self, task: Task) -> list[str]:
        """The topics of which a task reads its partition."""
        return next(list(_inputs(each)) for each in self.subtopologies if each.subtopology_id == task.subtopology)

    async def tasks(self, caller: Caller) -> dict[Task, bool]:
        """All that there are to run; and whether each has a state."""
        known = await caller.partitions(*self.topics)
        return {
            Task(each.subtopology_id, index): bool(each.state_changelog_topics)
            for each in self.subtopologies
            for index in range(max(len(known.get(topic, ())) for topic in _inputs(each)))
        }


def counting(group: str, source: str, other: str) -> Application:
    """An application that sends one topic on to itself, and counts what comes of it beside another topic."""
    between = _internal(f"{group}-between")
    return Application(
        group,
        (
            _subtopology("0", sources=[source], sinks=[between]),
            _subtopology("1", sources=[other], repartitioned=[between], changelogs=[_internal(f"{group}-counts")]),
        ),
    )


def passing_on(group: str, source: str) -> Application:
    """An application that only reads."""
    return Application(group, (_subtopology("0", sources=[source]),))


def _subtopology(
    subtopology_id: str,
    *,
    sources: list[str],
    sinks: Sequence[TopicInfo] = (),
    repartitioned: Sequence[TopicInfo] = (),
    changelogs: Sequence[TopicInfo] = (),
) -> Subtopology:
    return Subtopology(
        subtopology_id=subtopology_id,
        source_topics=sources,
        source_topic_regex=[],
        state_changelog_topics=list(changelogs),
        repartition_sink_topics=[info.name for info in sinks],
        repartition_source_topics=list(repartitioned),
        copartition_groups=[],
    )


def _internal(name: str) -> TopicInfo:
    return TopicInfo(name=name, partitions=0, replication_factor=0, topic_configs=[])


def _inputs(subtopology: Subtopology) -> Iterator[str]:
    yield from subtopology.source_topics
    for info in subtopology.repartition_source_topics:
        yield info.name


class StreamsMember(Member):
    """One thread's place in a streams group."""

    def __init__(self, caller: Caller, application: Application, *, process: str, topology_epoch: int = 0) -> None:
        super().__init__(caller, application.group, application.topics)
        caller.version(ApiKey.OFFSET_COMMIT, low=COMMITS_SINCE)
        self._application = application
        self._process = process
        self._topology_epoch = topology_epoch
        self._member = caller.name
        self._begin()

    def _begin(self) -> None:
        """It is nobody's member, and has nothing."""
        self._generation = 0
        self._assigned: dict[Task, bool] = {}
        """What it was last told; and whether as the active one."""
        self._told = self.caller.history.now()
        self._tasks: dict[Task, HeldTask] = {}
        self._held: dict[Partition, Held] = {}
        self._said: dict[Task, bool] | None = None
        """What it said last that it has; None where that may not have arrived."""
        self._presence = Presence(self.group, self._member, None, self._told, self._process)

    @property
    def has(self) -> dict[Task, bool]:
        """The tasks that it holds; and whether as the active one."""
        return {task: held.is_active for task, held in self._tasks.items()}

    @property
    def is_settled(self) -> bool:
        """Whether it has what it was told, and has said so."""
        return self._generation > 0 and self._assigned == self.has == self._said

    def as_gathered(self) -> GatheredMember:
        """What it was told."""
        active = frozenset(task for task, is_active in self._assigned.items() if is_active)
        return GatheredMember(self._process, active, frozenset(self._assigned) - active)

    async def enter(self) -> list[Partition]:
        """Have what was assigned, and say so."""
        while True:
            try:
                if self._generation <= 0:
                    await self._beat()
                places = await self._take()
                await self._beat()
                return places
            except (Rejoin, Unanswered):
                await self.caller.back_off()

    async def beat(self) -> None:
        """One heartbeat. Raises Rejoin where the member is to have other tasks now."""
        try:
            await self._beat()
        except Unanswered:
            await self._beat()
        if self._assigned != self.has and self.caller.random.random() > BUSY_CHANCE:
            raise Rejoin

    # -- tasks

    async def _take(self) -> list[Partition]:
        """Give back what is no longer assigned, or not in this role; and begin with what is new."""
        known = await self.caller.partitions(*self.topics)
        assigned, history = self._assigned, self.caller.history
        self._give_back(task for task, is_active in self.has.items() if assigned.get(task) is not is_active)
        for task, is_active in assigned.items():
            if task not in self._tasks:
                held = self._tasks[task] = HeldTask(self._presence, task, is_active, self._told)
                history.held_tasks.append(held)
        active = [task for task, is_active in assigned.items() if is_active]
        places = [
            known[topic][task.partition]
            for task in active
            for topic in self._application.inputs(task)
            if task.partition < len(known.get(topic, ()))
        ]
        for place in places:
            if place not in self._held:
                self._held[place] = Held(self._presence, place, self._told)
                history.held.append(self._held[place])
        return places

    def _give_back(self, tasks: Iterable[Task]) -> None:
        now = self.caller.history.now()
        for task in list(tasks):
            held = self._tasks.pop(task)
            held.until = now
            for topic in self._application.inputs(task) if held.is_active else ():
                for place in [each for each in self._held if (each.topic, each.index) == (topic, task.partition)]:
                    self._held.pop(place).until = now

    # -- heartbeats

    async def _beat(self) -> None:
        """Say what it has, if that is news; and in the first one all that there is to say."""
        history = self.caller.history
        joins, has = self._generation <= 0, self.has
        is_said = joins or has != self._said or self.caller.random.random() < REPEATS
        request = self._request(joins=joins, has=has if is_said else None)
        self._said = None
        asked = history.now()
        try:
            reply: StreamsGroupHeartbeatResponse = await self.caller.ask(request, timeout_ms=SESSION_MS)
        except Unanswered:
            if is_said:
                self._presence.lost.append(frozenset(has) | frozenset(self._held))
            raise
        code = ErrorCode(reply.error_code)
        if code in TRY_AGAIN:
            raise Unanswered
        if joins and code is ErrorCode.INVALID_REQUEST and self._topology_epoch:
            self._topology_epoch -= 1  # the group runs an older one: whoever deployed this takes it back
            raise Rejoin
        self.check(code, "StreamsGroupHeartbeat")
        self._said = has
        self._presence.heard, self._generation = asked, reply.member_epoch
        self._presence.epoch = reply.member_epoch
        is_stale = any(status.status_code == STALE_TOPOLOGY for status in reply.status or ())
        told = history.now()
        history.epochs.append(
            Epoch(self._presence, reply.member_epoch, joins, self._topology_epoch, is_stale, asked, told)
        )
        if reply.active_tasks is not None:
            self._told = told
            self._assigned = dict.fromkeys(_named(reply.standby_tasks or ()), False)
            self._assigned |= dict.fromkeys(_named(reply.active_tasks), True)

    def _request(self, *, joins: bool, has: dict[Task, bool] | None) -> StreamsGroupHeartbeatRequest:
        request = StreamsGroupHeartbeatRequest(
            group_id=self.group,
            member_id=self._member,
            member_epoch=self._generation,
            endpoint_information_epoch=0,
        )
        if has is not None:
            request.active_tasks = _task_ids(task for task, is_active in has.items() if is_active)
            request.standby_tasks = _task_ids(task for task, is_active in has.items() if not is_active)
            request.warmup_tasks = []
        if joins:
            request.rebalance_timeout_ms = REBALANCE_MS
            request.process_id = self._process
            request.topology = Topology(epoch=self._topology_epoch, subtopologies=list(self._application.subtopologies))
        return request

    def check(self, code: ErrorCode, about: str) -> None:
        if code is ErrorCode.NONE:
            return
        if code is ErrorCode.STALE_MEMBER_EPOCH:
            raise Rejoin  # it hears of its epoch by the next heartbeat
        self._give_back(self._tasks)
        if code in _MISSED:
            self._presence.missed = self.caller.history.now()
        elif code is not ErrorCode.FENCED_MEMBER_EPOCH and code not in TRY_AGAIN:
            self.caller.history.complain(self.caller.name, code, f"{about} in {self.group}")
        self._begin()
        raise Rejoin

    async def leave(self) -> None:
        """Give everything back and say goodbye; whether it arrives does not matter."""
        self._give_back(self._tasks)
        request = StreamsGroupHeartbeatRequest(
            group_id=self.group, member_id=self._member, member_epoch=LEAVE, endpoint_information_epoch=0
        )
        try:
            await self.caller.ask(request)
        except Unanswered:
            return


class Gathering:
    """Members that only send heartbeats, until their group has come together, or has not for long; then it is looked
    at. Two of them are in one process."""

    def __init__(self, callers: Sequence[Caller], application: Application) -> None:
        self._application = application
        self._members = [
            StreamsMember(caller, application, process=f"gathering-{number // 2}")
            for number, caller in enumerate(callers)
        ]

    async def come_together(self, *, copies: int) -> None:
        """With so many copies of each state."""
        caller, members = self._members[0].caller, {member.caller.name: member for member in self._members}
        for _ in range(TURNS_MAX):
            for member in self._members:
                await member.enter()
            group = await described(caller, self._application.group)
            is_whole = group.group_state == STABLE and {each.member_id for each in group.members} == set(members)
            if is_whole and all(member.is_settled for member in self._members):
                break
            await caller.world.sleep(TURN_MS)
        caller.history.gathered.append(
            Gathered(
                group=self._application.group,
                state=group.group_state,
                epochs={group.group_epoch, group.assignment_epoch, *(each.member_epoch for each in group.members)},
                told={name: member.as_gathered() for name, member in members.items()},
                shown={each.member_id: _shown(each) for each in group.members},
                tasks=await self._application.tasks(caller),
                copies=copies,
            )
        )

    @property
    def may_shrink(self) -> bool:
        """Whether more than one is left."""
        return len(self._members) > 1

    async def leave(self) -> None:
        """The last one goes."""
        await self._members.pop().leave()


def _shown(member: DescribedMember) -> GatheredMember:
    active, standby = member.assignment.active_tasks, member.assignment.standby_tasks
    return GatheredMember(member.process_id, frozenset(_named(active)), frozenset(_named(standby)))


async def described(caller: Caller, group: str) -> DescribedGroup:
    """The group as tools are shown it."""
    while True:
        request = StreamsGroupDescribeRequest(group_ids=[group], include_authorized_operations=False)
        reply: StreamsGroupDescribeResponse = await caller.insist(request)
        if reply.groups[0].error_code not in TRY_AGAIN:
            return reply.groups[0]
        await caller.back_off()


def _named(said: Iterable[TaskIds] | Iterable[DescribedTaskIds]) -> Iterator[Task]:
    return (Task(each.subtopology_id, index) for each in said for index in each.partitions)


def _task_ids(tasks: Iterable[Task]) -> list[TaskIds]:
    found: dict[str, list[int]] = {}
    for task in sorted(tasks):
        found.setdefault(task.subtopology, []).append(task.partition)
    return [TaskIds(subtopology_id=name, partitions=indexes) for name, indexes in found.items()]
