"""One consumer group: its holdings, and the deadlines by which its members are missed."""

from __future__ import annotations

from typing import ClassVar

from drave.broker.coordinator.consumer.holdings import Holdings
from drave.broker.coordinator.consumer.leaving import remove_members
from drave.broker.coordinator.group import REBALANCE, SESSION, GroupType
from drave.broker.coordinator.outcome import Outcome
from drave.broker.coordinator.schemas.offsets_topic import GroupRecord


class ConsumerGroup(Holdings):
    """One group. What members and tools ask of it is in `requests` and `guests`."""

    __slots__ = ()

    type: ClassVar[GroupType] = GroupType.CONSUMER
    records: ClassVar[frozenset[GroupRecord]] = frozenset(
        {
            GroupRecord.CONSUMER,
            GroupRecord.CONSUMER_PARTITIONS,
            GroupRecord.CONSUMER_MEMBER,
            GroupRecord.CONSUMER_TARGET,
            GroupRecord.CONSUMER_TARGET_MEMBER,
            GroupRecord.CONSUMER_CURRENT,
            GroupRecord.CONSUMER_REGEX,
        }
    )

    def is_overdue(self, kind: str, member_id: str) -> bool:
        """Whether a deadline that has come is still one: the member may have moved on since it was set."""
        member = self.members.get(member_id)
        if member is None or (kind == SESSION and member.member_epoch < 0):
            return member is not None
        return kind != REBALANCE or member.must_give_back

    def timer_fired(self, kind: str, member_id: str, now_ms: int, out: Outcome) -> None:
        member = self.members.get(member_id)
        if member is not None and self.is_overdue(kind, member_id):
            remove_members(self, [member], now_ms, out)
