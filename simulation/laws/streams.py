"""Laws about streams groups: who runs which task, who keeps a copy of its state, and how far they have come (KIP-1071).

That an active task is one member's at a time, `groups` says of the partitions that it reads.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from simulation.history import Epoch, Gathered, GatheredMember, HeldTask, Moment, Task
from simulation.laws.facts import Facts, in_order
from simulation.laws.law import law


@law
def a_process_has_a_task_once(facts: Facts) -> Iterator[str]:
    """No copy of a task's state is given to the process that has the task already, nor the task to the process that has
    a copy: not before that one has sent word that it gave it up, and not before its session is over. A heartbeat of
    before it was given may arrive later, and says that too."""
    holds: dict[tuple[str, str | None, Task], list[HeldTask]] = defaultdict(list)
    for after in in_order(facts.history.held_tasks):
        known = holds[after.by.group, after.by.process, after.task]
        for before in known:
            may_have_said_so = any(before.task not in said for said in before.by.lost)
            over_ms = before.by.heard.ms + facts.history.session_ms
            still_there = after.told < before.until and after.told.ms < over_ms
            if before.is_active is not after.is_active and still_there and not may_have_said_so:
                yield f"{after}; there is {before}"
        known.append(after)


@law
def who_was_missed_commits_nothing(facts: Facts) -> Iterator[str]:
    """Once a member was told that its group does not know it, its commits are refused, unless they are of an epoch with
    which it came back: that is the one before where the group waits with its next assignment."""
    told: dict[tuple[str, str], list[Epoch]] = defaultdict(list)
    for each in facts.history.epochs:
        told[each.by.group, each.by.member].append(each)
    for commit in facts.history.commits:
        known = told[commit.group, commit.member] if commit.is_done else []
        for by in dict.fromkeys(each.by for each in known):
            if not by.missed < commit.asked or commit.generation > by.epoch:
                continue
            is_back = any(by.missed < each.told and each.joins and each.epoch <= commit.generation for each in known)
            if not is_back and not _deleted(facts, by.group, by.heard, commit.told):
                yield f"{commit}, after it was told at {by.missed} that it is no member"
                break


@law
def epochs_never_go_back(facts: Facts) -> Iterator[str]:
    """A member's epoch never falls; who joins a group is at none that is lower than one that any member had reached."""
    for told, before in _in_order(facts):
        if told.epoch < before.epoch and (told.joins or told.by is before.by):
            yield f"{told}, after {before}"


@law
def older_topologies_are_told_apart(facts: Facts) -> Iterator[str]:
    """A member whose topology is older than one with which another was let in is told so."""
    for told, before in _in_order(facts):
        if told.topology_epoch < before.topology_epoch and not told.is_stale:
            yield f"{told}, and nothing of its topology, {told.topology_epoch} after {before.topology_epoch}"


def _in_order(facts: Facts) -> Iterator[tuple[Epoch, Epoch]]:
    """What a member was told, with each that was told to somebody of the same group before it asked; unless the group
    may have been deleted meanwhile."""
    known: dict[str, list[Epoch]] = defaultdict(list)
    for told in facts.history.epochs:
        for before in known[told.by.group]:
            if before.told < told.asked and not _deleted(facts, told.by.group, before.asked, told.told):
                yield told, before
        known[told.by.group].append(told)


def _deleted(facts: Facts, group: str, since: Moment, until: Moment) -> bool:
    return any(
        deleted.group == group and deleted.may_have_happened and deleted.asked < until and deleted.told > since
        for deleted in facts.history.group_deletions
    )


@law
def streams_groups_come_together(facts: Facts) -> Iterator[str]:
    """When members do nothing but send heartbeats, their group is stable; each task is run once, and its state is kept
    as often as it should be, as far as there are processes, and in no process twice."""
    for gathered in facts.history.gathered:
        what = f"{gathered.group} is {gathered.state}, epochs {sorted(gathered.epochs)}"
        if gathered.state != "Stable" or len(gathered.epochs) != 1:
            yield what
        if gathered.told != gathered.shown:
            yield f"{what}; members were told {gathered.told}, and tools are shown {gathered.shown}"
        for flaw in _misplaced(gathered):
            yield f"{what}; {flaw}"


def _misplaced(gathered: Gathered) -> Iterator[str]:
    members = list(gathered.told.values())
    running = Counter(task for member in members for task in member.active)
    if running != Counter(dict.fromkeys(gathered.tasks, 1)):
        yield f"of {sorted(gathered.tasks)} are run {sorted(running.elements())}"
    for task, has_state in gathered.tasks.items():
        processes = [member.process for member in members for _ in range(_times(member, task))]
        if len(processes) != len(set(processes)):
            yield f"{task} is in {processes}"
        copies = min(gathered.copies, len({member.process for member in members}) - 1) if has_state else 0
        if len(processes) != 1 + copies:
            yield f"{task} is in {processes}, and {copies} copies are wanted"


def _times(member: GatheredMember, task: Task) -> int:
    return (task in member.active) + (task in member.standby)
