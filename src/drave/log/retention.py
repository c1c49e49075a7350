"""Which closed segments a partition may forget: by time, by size. As Kafka counts.

    | 0..99 | 100..250 | 251..400 | 401..      |        a log begins at the base of its first kept segment
      old     old        young      active

By time: segments from the oldest on, as long as their largest timestamp is older than `retention.ms`; when all are,
the active one is rolled first, so that it may go too. By size: the oldest, as long as what is left is at least
`retention.bytes`. Only what could be read may go, so the time of a topic with a delay begins with the delivery. A
compacted topic loses nothing this way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from drave.model.log_config import LogConfig
from drave.store.disk import Disk
from drave.store.recovery_points import RecoveryPoint
from drave.store.segment import Segment


class Kept(NamedTuple):
    """What retention has to know of a segment."""

    base: int
    size: int
    timestamp: Callable[[], int]
    """The largest timestamp in it, in milliseconds since 1970; asked for only where it matters."""

    @classmethod
    def of(cls, segment: Segment, disk: Disk) -> Kept:
        """A segment. Where no record has a timestamp, it counts when it was last written."""

        def timestamp() -> int:
            largest, _ = segment.largest_timestamp()
            if largest >= 0:
                return largest
            stat = disk.stat(segment.path)
            return stat.modified_ms if stat is not None else 0

        return cls(segment.base, segment.size, timestamp)


def may_be_due(point: RecoveryPoint | None, config: LogConfig, now_ms: int) -> bool:
    """Whether a partition that nobody has opened yet should be, by what is known of it."""
    if point is None or not point.size_bytes or not config.cleanup_delete:
        return False
    too_old = 0 <= config.retention_ms < now_ms - point.oldest_timestamp - config.delivery_delay_ms
    return too_old or 0 <= config.retention_bytes < point.size_bytes


def new_start(segments: Sequence[Kept], end: int, readable: int, config: LogConfig, now_ms: int) -> int | None:
    """The offset at which the log should begin; None when nothing may go.

    `end` means: all segments may go, once the last one is closed.
    """
    if not config.cleanup_delete:
        return None
    ends = [segment.base for segment in segments[1:]] + [end]
    count = max(_too_old(segments, config, now_ms), _too_much(segments, config))
    while count and (ends[count - 1] > readable or (count == len(segments) and not segments[-1].size)):
        count -= 1
    return ends[count - 1] if count else None


def _too_old(segments: Sequence[Kept], config: LogConfig, now_ms: int) -> int:
    if config.retention_ms < 0:
        return 0
    count = 0
    for segment in segments:
        if now_ms - segment.timestamp() - config.delivery_delay_ms <= config.retention_ms:
            break
        count += 1
    return count


def _too_much(segments: Sequence[Kept], config: LogConfig) -> int:
    if config.retention_bytes < 0:
        return 0
    left = sum(segment.size for segment in segments)
    count = 0
    for segment in segments[:-1]:
        left -= segment.size
        if left < config.retention_bytes:
            break
        count += 1
    return count
