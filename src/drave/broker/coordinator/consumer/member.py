"""One member of a consumer group: what it wants, what it has, and how far it has come.

    wants   topics by name, and by one regular expression; perhaps an assignor
    has     assigned ┬ it may read them                                      ┐ nobody else is given
            revoking ┴ it was asked to give them back, and has not said yet  ┘ any of these
    epoch   the target's that it has been led to, or the one before

A member never changes: each step makes a new one, in two halves, as the log keeps them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from drave.broker.coordinator.schemas.consumer_groups import (
    ClassicMemberMetadata,
    ConsumerCurrentValue,
    ConsumerMemberValue,
    CurrentPartitions,
)
from drave.model.ids import TopicId

Owned = Mapping[TopicId, Mapping[int, int]]
"""Partitions by topic, each with the epoch at which the member was given it."""
Assignment = Mapping[TopicId, frozenset[int]]
"""Partitions by topic."""

NOTHING_OWNED: Final[Owned] = {}
NOTHING_ASSIGNED: Final[Assignment] = {}

AWAY_EPOCH: Final = -2
"""A static member that has left for a while: its partitions stay with its instance id."""


class MemberState(enum.IntEnum):
    """Where a member stands on its way to the target; the numbers are those of the log."""

    STABLE = 0
    UNREVOKED_PARTITIONS = 1
    """It has to give something back first."""
    UNRELEASED_PARTITIONS = 2
    """It is at the target's epoch, and waits for partitions that others have yet to give back."""


class Subscription(NamedTuple):
    """What a member wants to read."""

    topics: frozenset[str] = frozenset()
    regex: str = ""


NO_SUBSCRIPTION: Final = Subscription()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerMember:
    """One member, at one moment."""

    member_id: str
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout_ms: int = -1
    subscription: Subscription = NO_SUBSCRIPTION
    assignor: str | None = None
    classic: ClassicMemberMetadata | None = None
    """Set for a member that uses the classic protocol."""

    member_epoch: int = 0
    previous_epoch: int = -1
    """What a member says whose last answer was lost."""
    state: MemberState = MemberState.STABLE
    assigned: Owned = field(default_factory=dict)
    revoking: Owned = field(default_factory=dict)

    @property
    def must_give_back(self) -> bool:
        return self.state is MemberState.UNREVOKED_PARTITIONS

    def is_reconciled_to(self, epoch: int) -> bool:
        return self.state is MemberState.STABLE and self.member_epoch == epoch

    def at(self, epoch: int, state: MemberState, assigned: Owned, revoking: Owned = NOTHING_OWNED) -> ConsumerMember:
        """The same member, a step further."""
        return replace(
            self,
            member_epoch=epoch,
            previous_epoch=self.member_epoch,
            state=state,
            assigned=assigned,
            revoking=revoking,
        )

    def away(self) -> ConsumerMember:
        """The same static member, gone for a while. Who comes back has everything from the beginning."""
        assigned = {topic_id: dict.fromkeys(partitions, 0) for topic_id, partitions in self.assigned.items()}
        return replace(self, member_epoch=AWAY_EPOCH, assigned=assigned, revoking=NOTHING_OWNED)

    def owned(self) -> Iterator[tuple[TopicId, int]]:
        """All partitions that nobody else may have."""
        for places in (self.assigned, self.revoking):
            for topic_id, partitions in places.items():
                for partition in partitions:
                    yield topic_id, partition

    def given_at(self, topic_id: TopicId, partition: int) -> int | None:
        """The epoch at which it was given the partition; None where it does not have it."""
        for places in (self.assigned, self.revoking):
            epoch = places.get(topic_id, {}).get(partition)
            if epoch is not None:
                return epoch
        return None

    # -- the log

    def metadata(self) -> ConsumerMemberValue:
        """What it wants, for the log."""
        return ConsumerMemberValue(
            instance_id=self.instance_id,
            rack_id=self.rack_id,
            client_id=self.client_id,
            client_host=self.client_host,
            subscribed_topic_names=sorted(self.subscription.topics),
            subscribed_topic_regex=self.subscription.regex,
            rebalance_timeout_ms=self.rebalance_timeout_ms,
            server_assignor=self.assignor,
            classic_member_metadata=self.classic,
        )

    def with_metadata(self, value: ConsumerMemberValue) -> ConsumerMember:
        """The member, wanting what the log says."""
        return replace(
            self,
            instance_id=value.instance_id,
            rack_id=value.rack_id,
            client_id=value.client_id,
            client_host=value.client_host,
            rebalance_timeout_ms=value.rebalance_timeout_ms,
            subscription=Subscription(frozenset(value.subscribed_topic_names), value.subscribed_topic_regex or ""),
            assignor=value.server_assignor,
            classic=value.classic_member_metadata,
        )

    def current(self) -> ConsumerCurrentValue:
        """What it has, for the log."""
        return ConsumerCurrentValue(
            member_epoch=self.member_epoch,
            previous_member_epoch=self.previous_epoch,
            state=self.state,
            assigned_partitions=_as_records(self.assigned),
            partitions_pending_revocation=_as_records(self.revoking),
        )

    def with_current(self, value: ConsumerCurrentValue) -> ConsumerMember:
        """The member, having what the log says. Raises ValueError for a state that is none."""
        return replace(
            self,
            member_epoch=value.member_epoch,
            previous_epoch=value.previous_member_epoch,
            state=MemberState(value.state),
            assigned=_from_records(value.assigned_partitions, value.member_epoch),
            revoking=_from_records(value.partitions_pending_revocation, value.member_epoch),
        )

    def without_current(self) -> ConsumerMember:
        """The member, having nothing."""
        return replace(
            self,
            member_epoch=-1,
            previous_epoch=-1,
            state=MemberState.STABLE,
            assigned=NOTHING_OWNED,
            revoking=NOTHING_OWNED,
        )


def partitions_of(owned: Owned) -> Assignment:
    """The partitions alone."""
    return {topic_id: frozenset(partitions) for topic_id, partitions in owned.items()}


def _as_records(owned: Owned) -> list[CurrentPartitions]:
    return [
        CurrentPartitions(
            topic_id=topic_id,
            partitions=sorted(partitions),
            assignment_epochs=[partitions[each] for each in sorted(partitions)],
        )
        for topic_id, partitions in owned.items()
    ]


def _from_records(stored: Iterable[CurrentPartitions], epoch: int) -> Owned:
    """Logs of before KIP-1251 do not say when a partition was given; then it counts as given at the member's epoch."""
    return {
        each.topic_id: dict(zip(each.partitions, each.assignment_epochs or [epoch] * len(each.partitions), strict=True))
        for each in stored
    }
