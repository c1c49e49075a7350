"""Whether a partition is due for compaction, and how far it may go. As Kafka decides.

    | clean | clean | dirty | dirty | young | active |
    start           └─ due when they are more than min.cleanable.dirty.ratio of all up to here,
                       or hold something older than max.compaction.lag.ms

Whole closed segments below the last stable offset only. A segment is young while its newest record is younger than
min.compaction.lag.ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Final, NamedTuple

from drave.model.config import LONG_MAX
from drave.model.log_config import LogConfig
from drave.store.segment import POSITION_MAX, Segment, peek

GROUP_SEGMENTS_MAX: Final = 64
"""All of them are kept open while their names change hands."""


class Closed(NamedTuple):
    """What the decision has to know of a closed segment."""

    end: int
    """The base of the next one."""
    size: int
    oldest: Callable[[], int]
    """The timestamp of its first batch, and the largest one; asked for only where they matter."""
    latest: Callable[[], int]


class Section(NamedTuple):
    """What a compaction would do now."""

    end: int
    """It would come so far."""
    clean_bytes: int
    dirty_bytes: int
    is_overdue: bool

    def is_due(self, config: LogConfig) -> bool:
        if not self.dirty_bytes:
            return False
        ratio = self.dirty_bytes / (self.clean_bytes + self.dirty_bytes)
        return self.is_overdue or ratio > config.min_cleanable_dirty_ratio


def closed_segments(segments: Sequence[Segment]) -> list[Closed]:
    """All but the active one."""
    return [
        Closed(after.base, segment.size, partial(first_timestamp, segment), partial(latest, segment))
        for segment, after in pairwise(segments)
    ]


def first_timestamp(segment: Segment) -> int:
    """The maximum timestamp of a segment's first batch; -1 when it has none."""
    return next((header.max_timestamp for _, header in peek(segment.open(), 0, segment.size)), -1)


def latest(segment: Segment) -> int:
    return segment.largest_timestamp()[0]


def section(closed: Sequence[Closed], start: int, stable: int, config: LogConfig, now_ms: int) -> Section:
    """What is clean below `start` and what has become dirty since, up to the last stable offset."""
    end, clean_bytes, dirty_bytes, is_overdue = start, 0, 0, False
    for segment in closed:
        if segment.end <= start:
            clean_bytes += segment.size
            continue
        is_young = config.min_compaction_lag_ms > 0 and segment.latest() > now_ms - config.min_compaction_lag_ms
        if segment.end > stable or is_young:
            break
        end = segment.end
        dirty_bytes += segment.size
        is_overdue = is_overdue or is_older(segment.oldest, config, now_ms)
    return Section(end, clean_bytes, dirty_bytes, is_overdue)


def is_older(timestamp: Callable[[], int], config: LogConfig, now_ms: int) -> bool:
    """Whether a record of that time has to be compacted by now."""
    if config.max_compaction_lag_ms == LONG_MAX:
        return False
    return 0 < timestamp() < now_ms - config.max_compaction_lag_ms


def groups(segments: Sequence[Segment], end: int, bytes_max: int) -> Iterator[list[Segment]]:
    """Neighbours that become one segment: no larger than a new one may be. `end` is where the last one ends."""
    group: list[Segment] = []
    size = 0
    ends = [segment.base for segment in segments[1:]] + [end]
    for segment, segment_end in zip(segments, ends, strict=True):
        size += segment.size
        if group and (
            size > bytes_max or segment_end - group[0].base > POSITION_MAX or len(group) == GROUP_SEGMENTS_MAX
        ):
            yield group
            group, size = [], segment.size
        group.append(segment)
    if group:
        yield group
