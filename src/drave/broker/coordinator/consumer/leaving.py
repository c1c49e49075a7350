"""Members go: by their own will, because nobody hears of them, or because they do not do what they were asked for."""

from __future__ import annotations

from collections.abc import Sequence

from drave.broker.coordinator.consumer.changing import Change
from drave.broker.coordinator.consumer.converting import may_downgrade, write_downgrade
from drave.broker.coordinator.consumer.holdings import Holdings
from drave.broker.coordinator.consumer.member import NOTHING_ASSIGNED, ConsumerMember
from drave.broker.coordinator.outcome import Outcome


def remove_members(group: Holdings, members: Sequence[ConsumerMember], now_ms: int, out: Outcome) -> None:
    """Take them out; those who stay are given what they had, by their next heartbeats or as a classic group."""
    if not members:
        return
    gone = {member.member_id for member in members}
    staying = [member for member in group.members.values() if member.member_id not in gone]
    if may_downgrade(group, staying):
        write_downgrade(
            group,
            staying,
            lambda member: group.targets.get(member.member_id, NOTHING_ASSIGNED),
            group.epoch,
            now_ms,
            out,
            rebalance=True,
        )
        return
    change = Change(group, now_ms, out)
    for member in members:
        change.remove(member)
        group.forget_deadlines(member.member_id, out)
    change.refresh(bump=True)
