"""A checkpoint, a piece at a time: afterwards recovery begins at the new points, and the journal file is free.

Preparation      a slice of a snapshot of very many producers, on the loop, between everything else
CheckpointStep   for each partition written since the last one, before a stop for many together: sync segments,
                 indexes, names; producer snapshot, leader epochs
PointsWrite      replace recovery-points
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drave.log.producer_snapshots import assemble
from drave.store.disk import Disk
from drave.store.recovery_points import write_recovery_points

MANY: Final = 16
"""So many partitions together are worth asking the volume to write out all that it has."""
TOGETHER_MAX: Final = 500

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
                return CheckpointStep(self._flusher, self, [log, *self._more()])
        return PointsWrite(self._flusher, self)

    def _more(self) -> list[PartitionLog]:
        """Before a stop: others whose turn it would be next. While the broker serves, each has a step of its own."""
        found: list[PartitionLog] = []
        while self.clean and self._waiting and len(found) < TOGETHER_MAX:
            log = self._waiting[-1]
            if not log.removed and log.files is not None:
                if not log.is_ready_for_checkpoint:
                    break
                found.append(log)
            self._waiting.pop()
        return found

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


class Part:
    """One partition's part of a step."""

    def __init__(self, log: PartitionLog) -> None:
        assert log.files is not None, "a partition without files has nothing to sync"
        self.log = log
        self.sync = log.files.sync(indexes=True)
        self.content = log.checkpoint()
        self.error: OSError | None = None
        if self.content.epochs is not None:
            self.sync.replace(*self.content.epochs)

    def write(self, disk: Disk) -> None:
        if self.content.snapshot is not None:
            path, producers = self.content.snapshot
            self.sync.replace(path, assemble(producers))
        self.sync.write(disk)


class CheckpointStep:
    """Some partitions' part of a checkpoint: afterwards, everything below their new points is in their own files.

    Where there are many, the whole volume is asked to write out what it has before each phase of syncs. Each file is
    synced all the same, so nothing rests on that; but a sync that finds nothing to do takes a tenth of the time.
    """

    def __init__(self, flusher: Flusher, checkpoint: Checkpoint, logs: list[PartitionLog]) -> None:
        self._flusher = flusher
        self._checkpoint = checkpoint
        self.folder: Path | None = logs[0].folder if len(logs) == 1 else None
        self._parts = [Part(log) for log in logs]
        checkpoint.new_folders |= any(part.sync.new_folder for part in self._parts)

    def run(self) -> None:
        self._each(Part.write)
        self._write_out()
        self._each(lambda part, disk: part.sync.sync(disk))
        self._write_out()
        self._each(lambda part, disk: part.sync.name(disk))

    def _each(self, phase: Callable[[Part, Disk], None]) -> None:
        for part in self._parts:
            try:
                if part.error is None:
                    phase(part, self._flusher.disk)
            except OSError as error:
                part.error = error

    def _write_out(self) -> None:
        if len(self._parts) >= MANY:
            self._flusher.disk.write_out(self._flusher.topics)

    def finish(self) -> None:
        self._flusher.chore_done()
        for part in self._parts:
            log = part.log
            if log.removed:
                continue
            if part.error is None:
                part.sync.done()
                log.points.made(part.content)
                self._checkpoint.covered.append(log)
            else:
                part.sync.undone()
                log.checkpoint_failed(part.content)
                self._checkpoint.again(log)
                self._flusher.postpone(part.error)


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
