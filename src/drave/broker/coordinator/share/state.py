"""What a share group asks of those who keep its share-partitions' state.

    initialize   a partition that the group subscribed to, or whose start an administrator has moved
    summarize    how far it has come, for people
    delete       the group, or the administrator, has no use for it any more

A share-partition is one partition of one topic as one group reads it. Its start offset is the first that may still be
delivered; -1 stands for one that has begun nowhere yet, so that the first fetch decides (`share.auto.offset.reset`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from drave.model.errors import ErrorCode
from drave.model.ids import Offset, TopicId

UNDECIDED_START: Final = -1
"""The start offset of a share-partition that nobody has fetched from."""
UNKNOWN_COUNT: Final = -1


class SharePartition(NamedTuple):
    """Which partition; the group is always named beside it."""

    topic_id: TopicId
    partition: int


class Summary(NamedTuple):
    """How far a share-partition has come; as it stands here for one that has no state."""

    start_offset: Offset = UNDECIDED_START
    leader_epoch: int = 0
    delivery_complete_count: int = UNKNOWN_COUNT
    """Records from the start offset on that are accepted, rejected or given up, so no lag; -1: unknown."""


class ShareState(Protocol):
    """Who keeps the state of share-partitions. What is answered without an error is durable."""

    async def initialize(
        self, group_id: str, starts: Mapping[SharePartition, Offset], *, state_epoch: int
    ) -> Mapping[SharePartition, ErrorCode]:
        """Begin anew at these offsets, with nothing delivered, whatever there was. Deliveries of before are fenced.

        The epoch is the group's own, and never falls: FENCED_STATE_EPOCH for a lower one.
        """
        ...

    async def summarize(
        self, group_id: str, partitions: Iterable[SharePartition]
    ) -> Mapping[SharePartition, Summary | ErrorCode]:
        """How far each has come."""
        ...

    async def delete(self, group_id: str, partitions: Iterable[SharePartition]) -> Mapping[SharePartition, ErrorCode]:
        """Forget these; one that is not there is no error."""
        ...
