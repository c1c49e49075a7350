"""When a segment is full, but for its size: its index is, or its records have become so much later than its first.

As in Kafka, records tell the time: replaying old data does not roll a segment at every batch.
"""

from __future__ import annotations

from typing import Final, Protocol
from zlib import crc32

from drave.model.ids import TopicId
from drave.model.log_config import LogConfig
from drave.store.index import TIME_ENTRY

FOREVER: Final = 1 << 63
NOTHING_YET: Final = -2
"""Below every timestamp: the first batch of a segment says when it is full."""


class Partition(Protocol):
    """Whose segment it is."""

    @property
    def topic_id(self) -> TopicId: ...

    @property
    def index(self) -> int: ...

    @property
    def config(self) -> LogConfig: ...


def roll_after(partition: Partition, base: int, timestamp: int) -> int:
    """Past which timestamp the segment at `base` is full whose first batch has `timestamp`.

    `segment.jitter.ms` spreads the rolls of many partitions; the jitter of a segment is always the same.
    """
    config = partition.config
    if timestamp < 0:
        return FOREVER
    full_ms = config.segment_ms
    if config.cleanup_compact:  # what is being written is out of compaction's reach
        full_ms = min(full_ms, config.max_compaction_lag_ms)
    jitter_max = min(config.segment_jitter_ms, full_ms)
    jitter = crc32(partition.topic_id, base + partition.index) % (jitter_max + 1) if jitter_max else 0
    return timestamp + full_ms - jitter


def index_entries_max(config: LogConfig) -> int:
    """How many entries each index of a segment may take."""
    return config.segment_index_bytes // TIME_ENTRY.size
