"""A checkpoint, a piece at a time: afterwards recovery begins at the new points, and the journal file is free.

Preparation      a slice of a snapshot of very many producers, on the loop, between everything else
CheckpointStep   for each partition written since the last one: sync segments, indexes, names; producer snapshot,
                 leader epochs
PointsWrite      replace recovery-points
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drave.log.producer_snapshots import assemble
from drave.store.recovery_points import write_recovery_points

if TYPE_CHECKING:
    from drave.log.flusher import Flusher, Work
    from drave.log.partition import PartitionLog


class Checkpoint:
    """One checkpoint on its way: a step for each partition, and then the recovery points."""

    def __init__(self, flusher: Flusher, logs: list[PartitionLog], generation: int, *, clean: bool) -> None:
        self._flusher = flusher
        self._waiting = logs
        self.generation = generation
        self.clean = clean
        self.covered: list[PartitionLog] = []
        self.new_folders = False
        """Whether the folder of all partitions has names that are not durable yet."""

    def next_work(self) -> Work:
        while self._waiting:
            log = self._waiting[-1]
            is_there = not log.removed and log.files is not None
            if is_there and not log.is_ready_for_checkpoint:
                return Preparation(self._flusher, log)
            self._waiting.pop()
            if is_there:
                return CheckpointStep(self._flusher, self, log)
        return PointsWrite(self._flusher, self)

    def again(self, log: PartitionLog) -> None:
        """The step could not be made; try it later."""
        self._waiting.append(log)


class Preparation:
    """A slice of what a partition's step begins with, on the loop."""

    folder: Path | None = None

    def __init__(self, flusher: Flusher, log: PartitionLog) -> None:
        self._flusher = flusher
        self._log = log

    def run(self) -> None:
        """Nothing waits for the disk."""

    def finish(self) -> None:
        self._flusher.chore_done()
        self._log.prepare_checkpoint()


class CheckpointStep:
    """One partition's part of a checkpoint: afterwards, everything below its new point is in its own files."""

    def __init__(self, flusher: Flusher, checkpoint: Checkpoint, log: PartitionLog) -> None:
        assert log.files is not None, "a partition without files has nothing to sync"
        self._flusher = flusher
        self._checkpoint = checkpoint
        self._log = log
        self.folder: Path | None = log.folder
        self._sync = log.files.sync(indexes=True)
        self._part = log.checkpoint()
        if self._part.epochs is not None:
            self._sync.replace(*self._part.epochs)
        checkpoint.new_folders |= self._sync.new_folder
        self._error: OSError | None = None

    def run(self) -> None:
        if self._part.snapshot is not None:
            path, producers = self._part.snapshot
            self._sync.replace(path, assemble(producers))
        try:
            self._sync.run(self._flusher.disk)
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        self._flusher.chore_done()
        if self._log.removed:
            return
        if self._error is None:
            self._sync.done()
            self._log.points.made(self._part)
            self._checkpoint.covered.append(self._log)
        else:
            self._sync.undone()
            self._log.checkpoint_failed(self._part)
            self._checkpoint.again(self._log)
            self._flusher.postpone(self._error)


class PointsWrite:
    """The end of a checkpoint: the new recovery points."""

    folder: Path | None = None

    def __init__(self, flusher: Flusher, checkpoint: Checkpoint) -> None:
        self._flusher = flusher
        self._checkpoint = checkpoint
        self._points = [point for log in flusher.logs() if (point := log.points.encoded(log.start)) is not None]
        self._error: OSError | None = None

    def run(self) -> None:
        flusher, checkpoint = self._flusher, self._checkpoint
        try:
            if checkpoint.new_folders:
                flusher.disk.sync_folder(flusher.topics)
            write_recovery_points(
                flusher.disk,
                flusher.folder,
                generation=checkpoint.generation,
                clean=checkpoint.clean,
                epoch_floor=flusher.epoch_floor,
                points=self._points,
            )
        except OSError as error:
            self._error = error

    def finish(self) -> None:
        self._flusher.chore_done()
        if self._error is None:
            self._flusher.checkpointed(self._checkpoint)
        else:
            self._flusher.postpone(self._error)
