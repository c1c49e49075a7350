"""Share-partitions, and how far they have come.

A share-partition is one partition of one topic as one group reads it. Its start offset is the first that may still be
delivered; -1 stands for one that has begun nowhere yet, so that the first fetch decides (`share.auto.offset.reset`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

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
