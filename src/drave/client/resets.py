"""Where a group's offset in a partition goes when it is reset.

    start ├───────┬──────────────┬───────────────┤ end
                  committed      target          nothing lies outside, so neither may a target

Pure: what is known goes in, the plan comes out; `groups.py` asks and carries out.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from drave.client.topics import Bounds, TopicPartitionId


class Toward(enum.Enum):
    """What a reset aims at."""

    EARLIEST = "earliest"
    LATEST = "latest"
    TIME = "time"
    OFFSET = "offset"
    SHIFT = "shift"


@dataclass(frozen=True, slots=True)
class Target:
    """`amount` is a time in ms, an offset, or how far to shift, as `toward` says."""

    toward: Toward
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Reset:
    """One partition's old and new offset; `committed` is None where the group has none."""

    partition: TopicPartitionId
    committed: int | None
    offset: int
    bounds: Bounds


def plan_resets(
    target: Target,
    committed: Mapping[TopicPartitionId, int],
    bounds: Mapping[TopicPartitionId, Bounds],
    since: Mapping[TopicPartitionId, int],
) -> list[Reset]:
    """One Reset for each partition in `bounds`. `since` holds the offsets of the target's time, where it is one."""
    return [
        Reset(
            partition,
            committed.get(partition),
            aim(target, committed.get(partition), where, since.get(partition)),
            where,
        )
        for partition, where in sorted(bounds.items())
    ]


def aim(target: Target, committed: int | None, bounds: Bounds, since: int | None) -> int:
    """The offset that `target` means in one partition; `since` is that of the target's time, where it is one."""
    match target.toward:
        case Toward.EARLIEST:
            aimed = bounds.start
        case Toward.LATEST:
            aimed = bounds.end
        case Toward.TIME:
            aimed = bounds.end if since is None else since
        case Toward.OFFSET:
            aimed = target.amount
        case Toward.SHIFT:
            aimed = (bounds.start if committed is None else committed) + target.amount
    return min(max(aimed, bounds.start), bounds.end)
