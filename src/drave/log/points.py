"""What recovery knows of one partition, and what it will know after the next checkpoint.

durable     the recovery points on the disk say this
made        a checkpoint has written and synced what this needs; it counts once the recovery points say so
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from drave.log.epochs import LeaderEpochs
from drave.log.files import PartitionFiles
from drave.log.producers import Producers
from drave.model.ids import TopicId
from drave.store.names import LEADER_EPOCHS, SNAPSHOT, offset_name
from drave.store.recovery_points import RecoveryPoint


class CheckpointPart(NamedTuple):
    """What one partition contributes to a checkpoint: its point, and files to be written first."""

    point: RecoveryPoint
    snapshot: tuple[Path, Collection[bytes]] | None
    """What `assemble` makes the file of, away from the loop."""
    epochs: tuple[Path, bytes] | None
    producer_changes: int


class State(NamedTuple):
    """What a point says of a partition that its files do not."""

    topic_id: TopicId
    partition: int
    leader_epoch: int
    start: int
    end: int
    compacted: int


def stable_end(point: RecoveryPoint) -> int:
    """The last stable offset of a partition to which nothing was appended since its point."""
    return point.offset if point.first_unstable < 0 else max(point.first_unstable, point.start)


class PartitionPoints:
    """The points of one partition."""

    __slots__ = ("_encoded", "_made", "_snapshot_changes", "durable")

    def __init__(self, point: RecoveryPoint | None) -> None:
        self.durable = point
        self._encoded = point.encode() if point is not None else None
        self._made: RecoveryPoint | None = None
        self._snapshot_changes = 0

    @property
    def offset(self) -> int:
        """Everything below it is durable in segments, and recovery knows it."""
        return self.durable.offset if self.durable is not None else 0

    @property
    def settled(self) -> int:
        """Recovery believes what lies below, and every transaction that begins there is decided for good."""
        return min(self.durable.segment_base, stable_end(self.durable)) if self.durable is not None else 0

    def is_quick(self, producers: Producers) -> bool:
        """Whether `prepare` is: it is not where very many producers have to be written."""
        return producers.is_drafted or producers.changes == self._snapshot_changes

    def prepare(
        self, state: State, files: PartitionFiles, producers: Producers, epochs: LeaderEpochs
    ) -> CheckpointPart:
        """What has to be written so that recovery may begin at the present end."""
        active = files.active
        assert active is not None, "files have an active segment"
        snapshot = saved_epochs = None
        newest = self._made or self.durable
        snapshot_at = newest.snapshot if newest is not None else -1
        if producers.changes != self._snapshot_changes:
            snapshot_at = state.end if len(producers) else -1
            if snapshot_at >= 0:
                snapshot = (files.folder / offset_name(snapshot_at, SNAPSHOT), producers.take_snapshot())
        if epochs.changed:
            saved_epochs = (files.folder / LEADER_EPOCHS, epochs.encode())
            epochs.changed = False
        timestamp, timestamp_offset = active.largest_timestamp()
        point = RecoveryPoint(
            state.topic_id,
            state.partition,
            state.leader_epoch,
            state.start,
            state.end,
            active.base,
            active.size,
            files.size_bytes,
            timestamp,
            timestamp_offset,
            files.segments[0].largest_timestamp()[0],
            snapshot_at,
            active.index.flushed(),
            active.time_index.flushed(),
            producers.first_open,
            len(active.aborted),
            state.compacted,
        )
        return CheckpointPart(point, snapshot, saved_epochs, producers.changes)

    def made(self, part: CheckpointPart) -> None:
        """It was written and synced; it counts once the recovery points say so."""
        self._made = part.point
        self._snapshot_changes = part.producer_changes

    def encoded(self, start: int) -> bytes | None:
        """What the recovery points should say now; None when the partition has no files to speak of."""
        if self._made is not None:
            return self._made._replace(start=max(start, self._made.start)).encode()
        return self._encoded

    def take_effect(self) -> int:
        """The recovery points say what was made. Returns the offset of a snapshot that nobody needs now, or -1."""
        before, point = self.durable, self._made
        if point is None:
            return -1
        self.durable, self._made, self._encoded = point, None, point.encode()
        return before.snapshot if before is not None and before.snapshot != point.snapshot else -1
