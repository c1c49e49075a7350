"""The sticky task assignor: who is to run what.

    1  an active task stays with the member that has it, as long as that has no more than its share
    2  else it goes to a member that keeps a standby of it, likewise
    3  else to the least loaded process, and there to the least loaded member
       then the standbys of stateful tasks, in the same way, each on a process that does not have the task yet

Its laws: every task is active once; when nobody had any, members differ by one active task at most; nothing moves
without need; no process has a task twice. A process is a Kafka Streams instance, a member one of its threads; load is
tasks for each member. These are the rules of Kafka's assignor; where two are equally good it takes what its hash table
gives first, and we the lesser name, so that the same group gets the same assignment on every broker.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from drave.broker.coordinator.streams.configuring import ConfiguredSubtopology
from drave.broker.coordinator.streams.tasks import TaskId, Tasks

STICKY: Final = "sticky"
"""The assignor's name, as Kafka has it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member that can be given tasks, and what it was to have so far."""

    process_id: str
    target: Tasks


def assign(
    candidates: Mapping[str, Candidate], subtopologies: Iterable[ConfiguredSubtopology], *, standby_replicas: int
) -> dict[str, Tasks]:
    """The tasks of each member, by its id."""
    subtopologies = list(subtopologies)
    if not candidates:
        return {}
    assignment = _Assignment(candidates, subtopologies, standby_replicas)
    assignment.assign_active(_tasks(subtopologies))
    if standby_replicas:
        assignment.assign_standbys(_tasks(each for each in subtopologies if each.is_stateful))
    return assignment.result()


def _tasks(subtopologies: Iterable[ConfiguredSubtopology]) -> list[TaskId]:
    return [TaskId(each.subtopology_id, partition) for each in subtopologies for partition in range(each.tasks)]


def _by_partition(task: TaskId) -> tuple[int, str]:
    return task.partition, task.subtopology_id


class _Share:
    """How many tasks a member may have: what is left, divided evenly among those who have not had their share."""

    def __init__(self, tasks: int, members: int) -> None:
        self._tasks = tasks
        self._members = members
        self.each = -(-tasks // members)

    def taken(self, count: int) -> None:
        """A member has this many now; one that has its share is out, and the others share what is left."""
        if count == self.each:
            self._members -= 1
            self._tasks -= count
            self.each = -(-self._tasks // self._members) if self._members else 0


class _Member:
    __slots__ = ("active", "member_id", "process", "standby")

    def __init__(self, member_id: str, process: _Process) -> None:
        self.member_id = member_id
        self.process = process
        self.active: set[TaskId] = set()
        self.standby: set[TaskId] = set()

    @property
    def count(self) -> int:
        return len(self.active) + len(self.standby)

    def __lt__(self, other: _Member) -> bool:
        return (self.count, self.member_id) < (other.count, other.member_id)


class _Process:
    __slots__ = ("members", "process_id", "tasks")

    def __init__(self, process_id: str) -> None:
        self.process_id = process_id
        self.members: list[_Member] = []
        self.tasks: set[TaskId] = set()

    @property
    def load(self) -> float:
        return len(self.tasks) / len(self.members)

    def __lt__(self, other: _Process) -> bool:
        return (self.load, self.process_id) < (other.load, other.process_id)


class _Assignment:
    """An assignment in the making."""

    def __init__(
        self, candidates: Mapping[str, Candidate], subtopologies: list[ConfiguredSubtopology], standby_replicas: int
    ) -> None:
        active = sum(each.tasks for each in subtopologies)
        stateful = sum(each.tasks for each in subtopologies if each.is_stateful)
        self._active_share = _Share(active, len(candidates))
        self._share = _Share(active + stateful * standby_replicas, len(candidates))
        self._standby_replicas = standby_replicas
        self._processes: dict[str, _Process] = {}
        self._members: dict[str, _Member] = {}
        self._was_active: dict[TaskId, _Member] = {}
        self._was_standby: dict[TaskId, list[_Member]] = {}
        for member_id, candidate in sorted(candidates.items()):
            process_id = candidate.process_id
            process = self._processes.get(process_id)
            if process is None:
                process = self._processes[process_id] = _Process(process_id)
            member = self._members[member_id] = _Member(member_id, process)
            process.members.append(member)
            for task in candidate.target.active:
                self._was_active[task] = member
            for task in candidate.target.standby:
                self._was_standby.setdefault(task, []).append(member)

    def result(self) -> dict[str, Tasks]:
        return {
            member_id: Tasks(frozenset(member.active), frozenset(member.standby))
            for member_id, member in self._members.items()
        }

    # -- active tasks

    def assign_active(self, tasks: list[TaskId]) -> None:
        tasks = [task for task in sorted(tasks, key=_by_partition) if not self._keep(task, self._was_active.get(task))]
        tasks = [task for task in tasks if not self._keep(task, self._least_loaded(self._was_standby.get(task, [])))]
        least = _LeastLoaded(self._processes.values())
        for task in sorted(tasks):
            with_it = least.take(without=None)
            assert with_it is not None, "there is at least one member, and no process is passed over"
            self._run(task, with_it)
            least.give_back()

    def _keep(self, task: TaskId, member: _Member | None) -> bool:
        """Whether this member runs the task: it does if it has not had its share."""
        if member is None or member.count >= self._active_share.each:
            return False
        self._run(task, member)
        return True

    def _run(self, task: TaskId, member: _Member) -> None:
        member.active.add(task)
        member.process.tasks.add(task)
        self._active_share.taken(member.count)
        self._share.taken(member.count)

    # -- standbys

    def assign_standbys(self, tasks: list[TaskId]) -> None:
        """What no former holder can keep goes to whoever has least. Where there are too few processes, some tasks have
        fewer copies than they should."""
        left = [
            (task, replicas)
            for task in sorted(tasks, key=_by_partition, reverse=True)
            if (replicas := self._standby_replicas - self._stand_by_again(task))
        ]
        least = _LeastLoaded(self._processes.values())
        for task, replicas in sorted(left, reverse=True):
            for _ in range(replicas):
                member = least.take(without=task)
                if member is not None:
                    self._stand_by(task, member)
                least.give_back()

    def _stand_by_again(self, task: TaskId) -> int:
        """Leave copies with those who have the state; how many were left."""
        for kept in range(self._standby_replicas):
            member = self._former_holder(task)
            if member is None:
                return kept
            self._stand_by(task, member)
        return self._standby_replicas

    def _former_holder(self, task: TaskId) -> _Member | None:
        """Who ran the task and no longer does, else the least loaded of those with a standby; none with its share."""
        before = self._was_active.get(task)
        if before is not None and self._can_stand_by(before, task):
            return before
        holders = [each for each in self._was_standby.get(task, []) if task not in each.process.tasks]
        member = self._least_loaded(holders)
        return member if member is not None and self._can_stand_by(member, task) else None

    def _can_stand_by(self, member: _Member, task: TaskId) -> bool:
        return task not in member.process.tasks and member.count < self._share.each

    def _stand_by(self, task: TaskId, member: _Member) -> None:
        member.standby.add(task)
        member.process.tasks.add(task)
        self._share.taken(member.count)

    @staticmethod
    def _least_loaded(members: list[_Member]) -> _Member | None:
        return min(members, key=lambda member: (member.process, member), default=None)


class _LeastLoaded:
    """Members by load: of the least loaded process, the least loaded one.

    Whoever is taken out is changed and given back, so the heaps stay in order.
    """

    def __init__(self, processes: Iterable[_Process]) -> None:
        self._processes = list(processes)
        heapq.heapify(self._processes)
        self._members = {process.process_id: list(process.members) for process in self._processes}
        for members in self._members.values():
            heapq.heapify(members)
        self._out: list[_Process] = []
        self._member: _Member | None = None

    def take(self, without: TaskId | None) -> _Member | None:
        """The least loaded member whose process does not have this task; None where all have it."""
        while self._processes:
            process = heapq.heappop(self._processes)
            self._out.append(process)
            if without is None or without not in process.tasks:
                self._member = heapq.heappop(self._members[process.process_id])
                return self._member
        return None

    def give_back(self) -> None:
        """After the change: all that was taken, or passed over."""
        if self._member is not None:
            heapq.heappush(self._members[self._member.process.process_id], self._member)
            self._member = None
        for process in self._out:
            heapq.heappush(self._processes, process)
        self._out.clear()
