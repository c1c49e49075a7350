"""Tasks: one subtopology on one partition of its inputs, and the roles in which members have them.

active    runs it; there is one at a time
standby   keeps a copy of its state, on another process than the active one
warmup    catches up, to become the active one
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from drave.broker.coordinator.schemas.streams_groups import HeldTaskIds, StreamsTargetValue
from drave.wire.messages.k88_streams_group_heartbeat import TaskIds


class TaskId(NamedTuple):
    """Which subtopology, on which partition."""

    subtopology_id: str
    partition: int


TaskSet = frozenset[TaskId]
NO_TASKS: TaskSet = frozenset()

Epochs = Mapping[TaskId, int]
"""Active tasks, each with the epoch at which its member was given it: commits from before that are not its own."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks that a member is to have, or says that it has."""

    active: TaskSet = NO_TASKS
    standby: TaskSet = NO_TASKS
    warmup: TaskSet = NO_TASKS

    @property
    def all(self) -> TaskSet:
        return self.active | self.standby | self.warmup


NOTHING = Tasks()


@dataclass(frozen=True, slots=True)
class HeldTasks:
    """The tasks that a member has."""

    active: Epochs = field(default_factory=dict)
    standby: TaskSet = NO_TASKS
    warmup: TaskSet = NO_TASKS

    def __bool__(self) -> bool:
        return bool(self.active or self.standby or self.warmup)

    def __or__(self, other: HeldTasks) -> HeldTasks:
        return HeldTasks({**self.active, **other.active}, self.standby | other.standby, self.warmup | other.warmup)

    def are_among(self, owned: Tasks) -> bool:
        """Whether the member still owns one of these."""
        return not (
            owned.active.isdisjoint(self.active)
            and owned.standby.isdisjoint(self.standby)
            and owned.warmup.isdisjoint(self.warmup)
        )

    def contain(self, owned: Tasks) -> bool:
        """Whether the member owns none but these."""
        return owned.active <= self.active.keys() and owned.standby <= self.standby and owned.warmup <= self.warmup


# -- as messages and records say it


def task_set(said: Iterable[TaskIds] | Iterable[HeldTaskIds]) -> TaskSet:
    """The tasks that a message or record names."""
    return frozenset(TaskId(each.subtopology_id, partition) for each in said for partition in each.partitions)


def task_ids(tasks: Iterable[TaskId]) -> list[TaskIds]:
    """Tasks as messages say them, in order."""
    return [
        TaskIds(subtopology_id=subtopology_id, partitions=partitions)
        for subtopology_id, partitions in by_subtopology(tasks).items()
    ]


def by_subtopology(tasks: Iterable[TaskId]) -> dict[str, list[int]]:
    """The partitions of each subtopology, all in order."""
    found: dict[str, list[int]] = {}
    for subtopology_id, partition in sorted(tasks):
        found.setdefault(subtopology_id, []).append(partition)
    return found


def target_value(target: Tasks) -> StreamsTargetValue:
    return StreamsTargetValue(
        active_tasks=task_ids(target.active),
        standby_tasks=task_ids(target.standby),
        warmup_tasks=task_ids(target.warmup),
    )


def target_of(value: StreamsTargetValue) -> Tasks:
    return Tasks(task_set(value.active_tasks), task_set(value.standby_tasks), task_set(value.warmup_tasks))


def held_task_ids(tasks: Iterable[TaskId]) -> list[HeldTaskIds]:
    return [
        HeldTaskIds(subtopology_id=subtopology_id, partitions=partitions)
        for subtopology_id, partitions in by_subtopology(tasks).items()
    ]


def active_task_ids(active: Epochs) -> list[HeldTaskIds]:
    return [
        HeldTaskIds(
            subtopology_id=subtopology_id,
            partitions=partitions,
            assignment_epochs=[active[TaskId(subtopology_id, partition)] for partition in partitions],
        )
        for subtopology_id, partitions in by_subtopology(active).items()
    ]


def active_epochs(said: Iterable[HeldTaskIds], member_epoch: int) -> dict[TaskId, int]:
    """Active tasks of a record; where it does not give each an epoch (before Kafka 4.2), it is the member's."""
    found: dict[TaskId, int] = {}
    for each in said:
        epochs = each.assignment_epochs
        if epochs is None or len(epochs) != len(each.partitions):
            epochs = [member_epoch] * len(each.partitions)
        for partition, epoch in zip(each.partitions, epochs, strict=True):
            found[TaskId(each.subtopology_id, partition)] = epoch
    return found
