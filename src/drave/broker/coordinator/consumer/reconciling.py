"""One step of a member from what it has towards its target.

    target = what the assignor wants it to have

    has more than that ──▶ UNREVOKED    stays at its epoch, until it says that it has given the rest back
    has no more ─────────▶ STABLE       at the target's epoch, with all of the target
                    └────▶ UNRELEASED   at the target's epoch, with that part of the target which nobody else has

A partition is given to nobody as long as another member has it, or may have it: that is the whole of the law, and the
order of the steps follows from it. Steps are taken only when the member is heard from.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import NamedTuple

from drave.broker.coordinator.consumer.member import Assignment, ConsumerMember, MemberState, Owned
from drave.model.ids import TopicId


class Target(NamedTuple):
    """Where a member is led to."""

    epoch: int
    assignment: Assignment
    topics: Set[TopicId]
    """Those that it subscribes to; of others it keeps nothing, whatever the target says."""
    is_free: Callable[[TopicId, int], bool]
    """Whether no other member has this partition."""


def reconcile(
    member: ConsumerMember, target: Target, reported: Assignment | None, *, wants_others: bool
) -> ConsumerMember:
    """The member after its next step. `reported` is what it says it has; None where it does not say. `wants_others`
    says that it has just changed its subscription."""
    match member.state:
        case MemberState.STABLE if member.member_epoch == target.epoch:
            return _give_up_unwanted(member, target, reported) if wants_others else member
        case MemberState.UNREVOKED_PARTITIONS if _still_has(member.revoking, reported):
            return _give_up_unwanted(member, target, reported) if wants_others else member
        case _:
            return _next(member, target, reported)


def _still_has(revoking: Owned, reported: Assignment | None) -> bool:
    """Whether the member may still read something of this: it does until it says otherwise."""
    if reported is None:
        return True
    return any(not reported.get(topic_id, frozenset()).isdisjoint(revoking[topic_id]) for topic_id in revoking)


def _give_up_unwanted(member: ConsumerMember, target: Target, reported: Assignment | None) -> ConsumerMember:
    """Take back at once what the member has in topics that it no longer wants."""
    unwanted = {topic_id: owned for topic_id, owned in member.assigned.items() if topic_id not in target.topics}
    if not unwanted:
        return member
    kept = {topic_id: owned for topic_id, owned in member.assigned.items() if topic_id in target.topics}
    revoking = {topic_id: dict(owned) for topic_id, owned in member.revoking.items()}
    for topic_id, owned in unwanted.items():
        revoking.setdefault(topic_id, {}).update(owned)
    if _still_has(revoking, reported):
        return member.at(member.member_epoch, MemberState.UNREVOKED_PARTITIONS, kept, revoking)
    return member.at(member.member_epoch, member.state, kept, member.revoking)


def _next(member: ConsumerMember, target: Target, reported: Assignment | None) -> ConsumerMember:
    """What it keeps, what it must give back, what it gets, and whether something is yet to come."""
    keeps: dict[TopicId, dict[int, int]] = {}
    gives_back: dict[TopicId, dict[int, int]] = {}
    gets: dict[TopicId, list[int]] = {}
    waits = False
    for topic_id in {**target.assignment, **member.assigned}:
        wanted = target.assignment.get(topic_id, frozenset()) if topic_id in target.topics else frozenset()
        owned = member.assigned.get(topic_id, {})
        kept = {partition: epoch for partition, epoch in owned.items() if partition in wanted}
        if kept:
            keeps[topic_id] = kept
        if len(kept) < len(owned):
            gives_back[topic_id] = {partition: epoch for partition, epoch in owned.items() if partition not in wanted}
        new = [partition for partition in sorted(wanted) if partition not in kept]
        free = [partition for partition in new if target.is_free(topic_id, partition)]
        waits = waits or len(free) < len(new)
        if free:
            gets[topic_id] = free
    if gives_back and _still_has(gives_back, reported):
        return member.at(member.member_epoch, MemberState.UNREVOKED_PARTITIONS, keeps, gives_back)
    for topic_id, free in gets.items():
        keeps.setdefault(topic_id, {}).update(dict.fromkeys(free, target.epoch))
    return member.at(target.epoch, MemberState.UNRELEASED_PARTITIONS if waits else MemberState.STABLE, keeps)
