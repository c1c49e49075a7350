"""What is done for a partition now and then, whether anybody asks for it or not: retention, forgetting producers,
compaction."""

from __future__ import annotations

import logging

from drave.log.compaction_plan import closed_segments, first_timestamp, is_older, section
from drave.log.errors import StorageError
from drave.log.partition import PartitionLog
from drave.log.retention import Kept, may_be_due, new_start
from drave.log.shared import Shared

logger = logging.getLogger("drave.log")


def keep_house(log: PartitionLog, shared: Shared, now_ms: int) -> None:
    """Quick where nothing is due: a partition that nobody has opened is opened only when something may be."""
    if log.removed or (log.files is None and not may_be_due(log.points.durable, log.config, now_ms)):
        return
    try:
        producers = log.producers
        _forget_segments(log, shared, now_ms)
    except (OSError, StorageError) as error:
        logger.warning("%s: housekeeping waits: %s", log, error)
        return
    if len(producers):
        producers.expire(now_ms, shared.settings.producer_id_expiration_ms)


def _forget_segments(log: PartitionLog, shared: Shared, now_ms: int) -> None:
    files = log.files
    if files is None or files.active is None or files.replacing:
        return
    kept = [Kept.of(segment, shared.disk) for segment in files.segments]
    start = new_start(kept, log.end, log.high_watermark, log.config, now_ms)
    if start is not None and start > log.start:
        if start > files.active.base:
            log.roll()
        log.move_start(start)
    if files.has_droppable(log.start):
        shared.flusher.begin_checkpoint_for(log)


def look_for_compaction(log: PartitionLog, shared: Shared, now_ms: int) -> None:
    """Have it compacted if enough of it is out of date. Quick where it is not, or is not to be compacted at all."""
    if log.removed or not log.config.cleanup_compact or shared.flusher.is_compacting(log):
        return
    point = log.points.durable
    if log.files is None and (point is None or not point.size_bytes):
        return
    try:
        log.load()
        _compact_if_due(log, shared, now_ms)
    except (OSError, StorageError) as error:
        logger.warning("%s: compaction waits: %s", log, error)


def _compact_if_due(log: PartitionLog, shared: Shared, now_ms: int) -> None:
    files, config = log.files, log.config
    if files is None or files.active is None:
        return
    active = files.active
    if active.size and is_older(lambda: first_timestamp(active), config, now_ms):
        log.roll()
    start = max(log.compacted, log.start)
    due = section(closed_segments(files.segments), start, log.last_stable, config, now_ms)
    if due.is_due(config):
        if due.end > log.points.settled:
            shared.flusher.begin_checkpoint_for(log)
        shared.flusher.compact(log)


def free_segments(log: PartitionLog, shared: Shared) -> None:
    """Somebody has deleted records: what lies wholly below the log's start goes soon.

    A segment that was being written goes too when nothing in it is left; a new one takes its place.
    """
    files = log.files
    if log.removed or shared.flusher.refusal is not None or files is None:
        return
    active = files.active
    try:
        if active is not None and active.base < log.start == log.end:
            log.roll()
    except StorageError as error:
        logger.warning("%s: a segment without records stays for now: %s", log, error)
    log.drop_segments()
    if files.has_droppable(log.start):
        shared.flusher.begin_checkpoint_for(log)
