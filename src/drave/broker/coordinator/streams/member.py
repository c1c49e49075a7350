"""One member of a streams group, and its way from the tasks that it has to those that it is to have.

                 tasks to give up                        tasks that others still have
    Stable ───────────────────────→ UnrevokedTasks ──┐ ┌────────────────────────→ UnreleasedTasks
      ↑                              it gave them up └─┤                            they were given up │
      └────────────────────────────────────────────────┴──────────────────────────────────────────────┘

The law: an active task is given to nobody while another member has it, or has yet to say that it gave it up; and a
process is given no task that it has already, in whatever role. A member is at the target's epoch once it has no more to
give up. A member is a value: a step makes the next one, its record makes it true.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from drave.broker.coordinator.group import Caller
from drave.broker.coordinator.modern import JOIN_EPOCH
from drave.broker.coordinator.schemas.streams_groups import StreamsCurrentValue, StreamsMemberValue
from drave.broker.coordinator.streams.tasks import (
    NO_TASKS,
    HeldTasks,
    TaskId,
    Tasks,
    TaskSet,
    active_epochs,
    active_task_ids,
    held_task_ids,
    task_set,
)
from drave.model.errors import ErrorCode, Refused
from drave.wire.messages.k88_streams_group_heartbeat import KeyValue, StreamsGroupHeartbeatRequest

UNCHANGED: Final = -1
"""A rebalance timeout that a request does not repeat."""

NOTHING_SAID: Final = StreamsMemberValue(
    instance_id=None,
    rack_id=None,
    client_id="",
    client_host="",
    topology_epoch=-1,
    process_id="",
    client_tags=[],
)


class MemberState(enum.IntEnum):
    """Kafka's numbers, which are in the records."""

    STABLE = 1
    UNREVOKED_TASKS = 2
    UNRELEASED_TASKS = 3
    UNKNOWN = 127
    """Of a version that is not known here."""

    @classmethod
    def of(cls, number: int) -> MemberState:
        return cls(number) if number in cls._value2member_map_ else cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class StreamsMember:
    """A member as it is in the log."""

    member_id: str
    said: StreamsMemberValue = NOTHING_SAID
    member_epoch: int = 0
    previous_epoch: int = 0
    state: MemberState = MemberState.STABLE
    tasks: HeldTasks = field(default_factory=HeldTasks)
    revoking: HeldTasks = field(default_factory=HeldTasks)
    """What it is to give up, and has not said that it did."""

    @property
    def process_id(self) -> str:
        return self.said.process_id

    @property
    def rebalance_timeout_ms(self) -> int:
        return self.said.rebalance_timeout_ms

    @property
    def must_give_back(self) -> bool:
        return self.state is MemberState.UNREVOKED_TASKS

    def is_reconciled_to(self, epoch: int) -> bool:
        return self.state is MemberState.STABLE and self.member_epoch == epoch

    def active_epoch(self, task: TaskId) -> int | None:
        """Since which epoch it has an active task, also one that it is to give up."""
        epoch = self.tasks.active.get(task)
        return self.revoking.active.get(task) if epoch is None else epoch

    # -- its record

    def as_record(self) -> StreamsCurrentValue:
        return StreamsCurrentValue(
            member_epoch=self.member_epoch,
            previous_member_epoch=self.previous_epoch,
            state=self.state,
            active_tasks=active_task_ids(self.tasks.active),
            standby_tasks=held_task_ids(self.tasks.standby),
            warmup_tasks=held_task_ids(self.tasks.warmup),
            active_tasks_pending_revocation=active_task_ids(self.revoking.active),
            standby_tasks_pending_revocation=held_task_ids(self.revoking.standby),
            warmup_tasks_pending_revocation=held_task_ids(self.revoking.warmup),
        )

    def with_record(self, value: StreamsCurrentValue) -> StreamsMember:
        epoch = value.member_epoch
        return replace(
            self,
            member_epoch=epoch,
            previous_epoch=value.previous_member_epoch,
            state=MemberState.of(value.state),
            tasks=HeldTasks(
                active_epochs(value.active_tasks, epoch), task_set(value.standby_tasks), task_set(value.warmup_tasks)
            ),
            revoking=HeldTasks(
                active_epochs(value.active_tasks_pending_revocation, epoch),
                task_set(value.standby_tasks_pending_revocation),
                task_set(value.warmup_tasks_pending_revocation),
            ),
        )

    def without_tasks(self) -> StreamsMember:
        """As one that has just joined."""
        return StreamsMember(self.member_id, self.said)


def told(before: StreamsMemberValue, request: StreamsGroupHeartbeatRequest, caller: Caller) -> StreamsMemberValue:
    """What a member has said of itself after this request; what it leaves out stands."""
    timeout_ms, topology, tags = request.rebalance_timeout_ms, request.topology, request.client_tags
    return StreamsMemberValue(
        instance_id=before.instance_id,
        rack_id=before.rack_id if request.rack_id is None else request.rack_id,
        client_id=caller.client_id,
        client_host=caller.client_host,
        rebalance_timeout_ms=before.rebalance_timeout_ms if timeout_ms == UNCHANGED else timeout_ms,
        topology_epoch=before.topology_epoch if topology is None else topology.epoch,
        process_id=before.process_id if request.process_id is None else request.process_id,
        user_endpoint=before.user_endpoint if request.user_endpoint is None else request.user_endpoint,
        client_tags=before.client_tags if tags is None else sorted(tags, key=_by_key),
    )


def _by_key(tag: KeyValue) -> tuple[str, str]:
    return tag.key, tag.value


def check_epoch(member: StreamsMember, epoch: int, owned: Tasks | None) -> None:
    """That a request is of the member as it is, or as it was when it did not hear the last answer. Raises Refused."""
    if epoch in (JOIN_EPOCH, member.member_epoch):
        return
    if (
        epoch == member.previous_epoch
        and epoch < member.member_epoch
        and owned is not None
        and member.tasks.contain(owned)
    ):
        return
    compared = "greater" if epoch > member.member_epoch else "smaller"
    raise Refused(
        ErrorCode.FENCED_MEMBER_EPOCH,
        f"The member's epoch {epoch} is {compared} than the coordinator's, {member.member_epoch}: "
        "it must give up all its tasks and join again.",
    )


class Holders:
    """Which processes have which tasks, those included that are yet to be given up."""

    def __init__(self) -> None:
        self._active: dict[TaskId, str] = {}
        self._others: dict[TaskId, set[str]] = {}
        """By task, the processes that have it as a standby or to warm up."""

    def add(self, member: StreamsMember) -> None:
        process_id = member.process_id
        for held in (member.tasks, member.revoking):
            for task in held.active:
                self._active[task] = process_id
            for task in held.standby | held.warmup:
                self._others.setdefault(task, set()).add(process_id)

    def remove(self, member: StreamsMember) -> None:
        process_id = member.process_id
        for held in (member.tasks, member.revoking):
            for task in held.active:
                if self._active.get(task) == process_id:
                    del self._active[task]
            for task in held.standby | held.warmup:
                processes = self._others.get(task)
                if processes is not None:
                    processes.discard(process_id)
                    if not processes:
                        del self._others[task]

    def may_run(self, task: TaskId, process_id: str) -> bool:
        """Whether nobody runs it, and this process has no copy of it."""
        return task not in self._active and process_id not in self._others.get(task, ())

    def may_copy(self, task: TaskId, process_id: str) -> bool:
        """Whether this process has it in no role."""
        return self._active.get(task) != process_id and process_id not in self._others.get(task, ())


def reconcile(
    member: StreamsMember, target: Tasks, target_epoch: int, owned: Tasks | None, holders: Holders
) -> StreamsMember:
    """The member one step nearer to its target, or as it is. `owned` is what it says that it has, if it does.

    Raises Refused for a member in a state that is not known here: it has to begin anew.
    """
    if member.is_reconciled_to(target_epoch):
        return member
    epoch = member.member_epoch
    match member.state:
        case MemberState.UNREVOKED_TASKS:
            if owned is None or member.revoking.are_among(owned):
                return member
            epoch += 1
        case MemberState.UNKNOWN:
            if owned is None or owned.all:
                raise Refused(
                    ErrorCode.FENCED_MEMBER_EPOCH,
                    "The member is in a state that this broker does not know: it must give up all its tasks and join "
                    "again.",
                )
            epoch = target_epoch
    return _towards(member, epoch, target, target_epoch, owned, holders)


def _towards(
    member: StreamsMember, epoch: int, target: Tasks, target_epoch: int, owned: Tasks | None, holders: Holders
) -> StreamsMember:
    has, process_id = member.tasks, member.process_id
    kept = HeldTasks(
        {task: since for task, since in has.active.items() if task in target.active},
        has.standby & target.standby,
        has.warmup & target.warmup,
    )
    surplus = HeldTasks(
        {task: since for task, since in has.active.items() if task not in target.active},
        has.standby - target.standby,
        has.warmup - target.warmup,
    )
    if surplus and (owned is None or surplus.are_among(owned)):
        return replace(
            member,
            member_epoch=epoch,
            previous_epoch=member.member_epoch,
            state=MemberState.UNREVOKED_TASKS,
            tasks=kept,
            revoking=surplus,
        )
    active, waits_for_active = _granted(target.active - kept.active.keys(), process_id, holders.may_run)
    standby, waits_for_standby = _granted(target.standby - kept.standby, process_id, holders.may_copy)
    warmup, waits_for_warmup = _granted(target.warmup - kept.warmup, process_id, holders.may_copy)
    waits = waits_for_active or waits_for_standby or waits_for_warmup
    return replace(
        member,
        member_epoch=target_epoch,
        previous_epoch=member.member_epoch,
        state=MemberState.UNRELEASED_TASKS if waits else MemberState.STABLE,
        tasks=kept | HeldTasks(dict.fromkeys(active, target_epoch), standby, warmup),
        revoking=HeldTasks(),
    )


def _granted(wanted: TaskSet, process_id: str, may: Callable[[TaskId, str], bool]) -> tuple[TaskSet, bool]:
    """Those of the wanted tasks that can be given now, and whether others cannot."""
    if not wanted:
        return NO_TASKS, False
    granted = frozenset(task for task in wanted if may(task, process_id))
    return granted, len(granted) < len(wanted)
