"""What the requests that describe groups share, whatever the kind of group."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from drave.model.errors import ErrorCode

if TYPE_CHECKING:
    from drave.broker.coordinator.shard import GroupShard
    from drave.broker.core import Broker

ALL_OPERATIONS: Final = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11
"""KIP-430: read, delete, describe, describe and alter configs, by their codes in Kafka. Without authorization everybody
may do all that can be done to a group."""


class Described(Protocol):
    """The description of a group, or why there is none."""

    error_code: int
    authorized_operations: int


D = TypeVar("D", bound=Described)


def describe_each(
    broker: Broker,
    group_ids: Iterable[str],
    describe: Callable[[GroupShard, str], D],
    refused: Callable[[str, ErrorCode], D],
) -> list[D]:
    """The groups of a new kind, as their shards describe them. One that is named twice is described once."""

    def one(group_id: str) -> D:
        if not group_id:
            return refused(group_id, ErrorCode.INVALID_GROUP_ID)
        shard = broker.groups.shard(group_id)
        return refused(group_id, shard) if isinstance(shard, ErrorCode) else describe(shard, group_id)

    return [one(group_id) for group_id in dict.fromkeys(group_ids)]


def tell_operations(groups: Iterable[Described]) -> None:
    """Say of each group that is there what may be done to it."""
    for group in groups:
        if not group.error_code:
            group.authorized_operations = ALL_OPERATIONS
