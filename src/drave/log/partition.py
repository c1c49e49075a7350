"""One partition's log.

    start                        durable             end
      ├── durable, readable ────────┼── in the window ─┤
      | segment | segment |        active segment      |

An append checks what can be refused, writes the segment (the operating system has it then), moves the end and the
producer state, and joins the window that the flusher commits. What is durable is what consumers see, unless the topic
has a delay (`readable.py`); with durability = "os" everything is, at once.

Everything here runs on the thread that owns the log.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from drave.log.epochs import LeaderEpochs
from drave.log.errors import LogClosed, OffsetOutOfRange, StorageError
from drave.log.files import PartitionFiles
from drave.log.loading import load_partition
from drave.log.points import CheckpointPart, PartitionPoints, State
from drave.log.producers import Producers
from drave.log.readable import ReadableLog
from drave.log.removal import FileRemoval, FolderRemoval
from drave.log.rolling import NOTHING_YET, index_entries_max, roll_after
from drave.log.shared import Shared
from drave.model.ids import Offset, TopicId
from drave.model.log_config import LogConfig
from drave.records import APPEND_TIME, BatchHeader, ControlKind, Marker, control_batch, parse_header
from drave.store.disk import Buffer
from drave.store.names import SNAPSHOT, doomed_name, offset_name, partition_folder
from drave.store.recovery_points import RecoveryPoint
from drave.store.segment import POSITION_MAX, Segment

logger = logging.getLogger("drave.log")

COPY_BYTES_MAX: Final = 64 * 1024
"""Up to here a batch is copied to have its header written; above, header and body are written as two parts."""

NOT_TOLD: Final = "%s: what waited for it failed"

_PLACE: Final = struct.Struct(">qii")  # base offset, length, leader epoch
_HEAD_SIZE: Final = _PLACE.size
_NO_PRODUCERS: Final = Producers()


class Appended(msgspec.Struct, gc=False):
    """Where a batch went. A msgspec struct: one is made for every batch that passes."""

    base_offset: int
    end: Offset
    """The offset after the batch: it is durable when `durable` has come here."""
    log_start: Offset
    append_time_ms: int
    """-1 for CreateTime."""
    duplicate: bool
    """Whether the batch was here before, and these are the offsets that it had then."""


class PartitionLog(ReadableLog):
    """The log of one partition. One without records is an object and nothing on disk."""

    __slots__ = (
        "_first_timestamp",
        "_flusher",
        "_has_folder",
        "_index_interval_bytes",
        "_is_delayed",
        "_joined",
        "_journal_bytes_max",
        "_makes_durable",
        "_pending",
        "_pending_bytes",
        "_pending_start",
        "_producers",
        "_roll_above",
        "_segment_bytes",
        "compacted",
        "config",
        "on_advance",
        "points",
        "removed",
    )

    def __init__(
        self,
        shared: Shared,
        name: str,
        topic_id: TopicId,
        index: int,
        config: LogConfig,
        point: RecoveryPoint | None = None,
    ) -> None:
        super().__init__(shared, name, topic_id, index)
        self.on_advance: Callable[[PartitionLog], None] | None = None
        """Called after the high watermark, the last stable offset or the start has moved."""
        self.removed = False
        self.compacted = 0
        """Below it there is at most one record of each key, as far as compaction has come."""
        self._flusher = shared.flusher
        self._makes_durable = shared.settings.durability == "fsync"
        self._journal_bytes_max = shared.settings.journal_entry_bytes_max if self._makes_durable else -1
        self.points = PartitionPoints(None)
        self._has_folder = point is not None
        self._first_timestamp = NOTHING_YET
        """Of the active segment, whose file may be closed when configs change."""
        self._roll_above = 0
        self._producers = _NO_PRODUCERS
        self._joined = False
        self._pending: list[bytearray] = []
        self._pending_bytes = 0
        self._pending_start = -1
        self._is_delayed = False
        self.configure(config)
        if point is not None:
            self._begin(point)

    def configure(self, config: LogConfig) -> None:
        """Take other configs from now on."""
        self.config = config
        was_delayed, self._is_delayed = self._is_delayed, config.delivery_delay_ms > 0
        if self._is_delayed or was_delayed:
            self._shared.deliveries.reconsider(self)
        self._segment_bytes = min(config.segment_bytes, POSITION_MAX)
        self._index_interval_bytes = config.index_interval_bytes
        if self._active is not None:
            self._active.index_entries_max = index_entries_max(config)
            self._set_roll_time(self._active)

    # -- appending

    def append(self, batch: Buffer, header: BatchHeader, *, now_ms: int, marker: Marker | None = None) -> Appended:
        """Append one batch that `records.check` has passed; its base offset and leader epoch are given here.

        A batch without a sequence is the broker's own, and `marker` is what it says if it ends a transaction (see
        `append_marker`). Raises OutOfOrderSequence, InvalidProducerEpoch, NotInTransaction, or StorageError when the
        disk does not take it: then nothing was appended.
        """
        if self._flusher.refusal is not None:
            raise self._flusher.refusal
        active = self._active
        if active is None:
            active = self._begin_writing_for(header, marker)
        idempotent = header.producer_id >= 0
        if idempotent and marker is None:
            sent = self._producers.check(header)
            if sent is not None:
                return Appended(sent.base_offset, sent.last_offset + 1, self.start, -1, True)
        size = len(batch)
        base = self.end
        end = base + header.last_offset_delta + 1
        if (
            active.size + size > self._segment_bytes
            or header.max_timestamp > self._roll_above
            or active.full
            or end - active.base > POSITION_MAX
        ):
            active = self._roll_for(active, header.max_timestamp)
        pending_bytes = self._pending_bytes + size
        journaled = pending_bytes <= self._journal_bytes_max
        try:
            file = active.file or self._shared.pool.open(active)
            if journaled or size <= COPY_BYTES_MAX:
                data = bytearray(batch)
                _PLACE.pack_into(data, 0, base, size - 12, self.leader_epoch)
                taken = file.pwrite(data, active.size)
            else:
                head = _PLACE.pack(base, size - 12, self.leader_epoch)
                taken = file.pwritev((head, memoryview(batch)[_HEAD_SIZE:]), active.size)
        except OSError as error:
            raise self._refused(active, error.strerror or str(error)) from error
        if taken != size:
            raise self._refused(active, f"the disk took {taken} of {size} bytes")
        if not active.unsynced and self.files is not None:
            self.files.written(active)
        active.recent = True
        active.appended(size, end - 1, header.max_timestamp, self._index_interval_bytes)
        self.end = end
        if idempotent:
            aborted = self._producers.add(header, base, now_ms, marker)
            if aborted is not None:
                active.aborted.add(aborted)
        if self._makes_durable:
            if journaled:
                self._pending.append(data)
            self._pending_bytes = pending_bytes
            self._flusher.waiting += 1
            if not self._joined:
                self.join()
        else:
            self._flusher.written(self, size)
            self._advance(end, active, active.size)
        append_time_ms = header.max_timestamp if header.attributes & APPEND_TIME else -1
        return Appended(base, end, self.start, append_time_ms, False)

    def append_marker(
        self,
        kind: ControlKind,
        producer_id: int,
        producer_epoch: int,
        coordinator_epoch: int,
        *,
        now_ms: int,
        transaction_version: int,
    ) -> Appended:
        """End a producer's transaction in this partition, as transactions of this version (0 to 2) are ended.

        It is ended when the marker is durable. Where none is open the marker is appended all the same, as in Kafka: it
        may be what fences the producer. Raises InvalidProducerEpoch, TransactionCoordinatorFenced or StorageError.
        """
        self.producers.check_marker(producer_id, producer_epoch, coordinator_epoch, transaction_version)
        batch = control_batch(kind, producer_id, producer_epoch, coordinator_epoch, now_ms)
        return self.append(batch, parse_header(batch), now_ms=now_ms, marker=Marker(kind, coordinator_epoch))

    def _refused(self, active: Segment, why: str) -> StorageError:
        active.cut_back()
        if not active.unsynced and self.files is not None:
            self.files.written(active)
        self._flusher.touched(self)
        return StorageError(str(self), f"the batch was not appended: {why}")

    def _begin_writing_for(self, header: BatchHeader, marker: Marker | None) -> Segment:
        """A segment to write to. Its producer is heard of before the disk may refuse it: see `Producers.expect`."""
        self.load()
        if header.producer_id >= 0 and marker is None:
            self._producers.check(header)
        return self._begin_writing()

    def _begin_writing(self) -> Segment:
        """Files, if there are none, and a segment to write to."""
        if self.removed:
            raise StorageError(str(self), "the topic was deleted")
        files = self.files
        folder = self.folder
        try:
            if files is None or not files.segments:
                files = PartitionFiles(self._shared.disk, self._shared.pool, folder)
                if self._flusher.is_busy_with(folder):
                    raise StorageError(str(self), "a deleted topic of this name is still on its way out")
                self._has_folder = True
                files.make_folder(self.topic_id)
                files.roll(self.end)
                self.files = files
                self._flusher.touched(self)
        except OSError as error:
            raise StorageError(str(self), f"no files could be made: {error}") from error
        active = files.active
        assert active is not None, "there is at least one segment"
        self._opened_size = active.size
        self._epochs.assign(self.leader_epoch, self.end)
        self._use(active)
        return active

    def _use(self, active: Segment) -> None:
        assert self.files is not None, "an active segment is one of the files"
        self.files.file(active)
        self._active = active
        active.index_entries_max = index_entries_max(self.config)
        self._first_timestamp = active.first_timestamp() if active.size else NOTHING_YET
        self._set_roll_time(active)

    def _set_roll_time(self, active: Segment) -> None:
        first = self._first_timestamp
        self._roll_above = first if first == NOTHING_YET else roll_after(self, active.base, first)

    def _roll_for(self, active: Segment, timestamp: int) -> Segment:
        """A segment for the next batch: a new one, unless this one is still empty."""
        if active.size:
            active = self._roll(active)
        self._first_timestamp = timestamp
        self._set_roll_time(active)
        return active

    def roll(self) -> None:
        """Begin a new segment, which the active one must not be empty for. Raises StorageError."""
        self.load()
        self._roll(self._active or self._begin_writing())

    def _roll(self, active: Segment) -> Segment:
        assert self.files is not None, "an active segment is one of the files"
        assert active.base < self.end, "the segment is empty, and two cannot have one base"
        try:
            fresh = self.files.roll(self.end)
        except OSError as error:
            raise StorageError(str(self), f"no new segment could be begun: {error}") from error
        self._flusher.touched(self)
        self._opened_size = 0
        self._use(fresh)
        return fresh

    # -- opening what an earlier life left

    @property
    def folder(self) -> Path:
        return partition_folder(self._shared.topics, self.name, self.index)

    def load(self) -> None:
        """Open the partition, if this life has not done so. Raises StorageError."""
        if self._loaded:
            return
        self._epochs, self._producers = LeaderEpochs(), Producers()
        point = self.points.durable
        if point is not None:
            loaded = load_partition(self._shared, self.folder, self.config, point)
            self._producers, self._epochs = loaded.producers, loaded.epochs
            if loaded.point is not point:
                self._begin(loaded.point)
            if loaded.files.active is not None:
                self.files = loaded.files
                self._stable_segment, self._stable_position = loaded.files.active, loaded.files.active.size
        self._loaded = True

    def _begin(self, point: RecoveryPoint) -> None:
        self.points = PartitionPoints(point)
        self.compacted = point.compacted
        self._begin_at(point, readable=point.start if self._is_delayed else point.offset)
        if self._is_delayed:
            self._shared.deliveries.expect(self)

    @property
    def size_bytes(self) -> int:
        """Of all segments."""
        if self.files is not None:
            return self.files.size_bytes
        point = self.points.durable
        return point.size_bytes if point is not None else 0

    @property
    def producers(self) -> Producers:
        """The producers that are known here."""
        self.load()
        return self._producers

    # -- becoming durable

    def join(self) -> None:
        """Have what is pending committed with the next window."""
        self._joined = True
        self._flusher.join(self)

    def take_pending(self) -> tuple[list[bytearray], int, int]:
        """For a commit: the batches that the journal would need, all bytes that were written, a new start or -1."""
        taken = self._pending, self._pending_bytes, self._pending_start
        self._joined = False
        self._pending = []
        self._pending_bytes = 0
        self._pending_start = -1
        return taken

    def put_start_back(self, start: int) -> None:
        """The journal had no room for a new log start; it is taken along with the next window."""
        self._pending_start = max(self._pending_start, start)

    def committed(self, end: int, segment: Segment | None, position: int, start: int) -> None:
        """Everything up to `end` is durable, and so is `start` when it is not -1."""
        if start >= 0:
            self._start_is_durable(start)
        if end > self.durable:
            self._advance(end, segment, position)

    def _advance(self, end: int, segment: Segment | None, position: int) -> None:
        self.durable = end
        self._stable_segment = segment
        self._stable_position = position
        if self._is_delayed:
            self.deliver(self.high_watermark)  # a transaction's end counts from now on
            self._shared.deliveries.expect(self)
        else:  # `_show`, without the call
            self.high_watermark = end
            unstable = self._producers.first_unstable(end)
            self.last_stable = end if unstable is None or unstable >= end else max(unstable, self.start)
        waiting = self._waiting.ends
        while waiting and waiting[0][0] <= end:
            callback = waiting.popleft()[1]
            try:  # `_tell`, without the call: this is once for every request
                callback()
            except Exception:
                logger.exception(NOT_TOLD, self)
        if self.on_advance is not None and not self._is_delayed:
            self._tell(self.on_advance, self)

    def _show(self, end: int) -> None:
        """Consumers see what lies below `end`, or of it what is stable."""
        self.high_watermark = end
        unstable = self._producers.first_unstable(self.durable)
        self.last_stable = end if unstable is None or unstable >= end else max(unstable, self.start)

    def deliver(self, end: Offset) -> None:
        """What lies below `end` is durable and due. Nothing is taken back that consumers could see."""
        before = self.high_watermark, self.last_stable
        self._show(max(end, self.high_watermark))
        if self.on_advance is not None and before != (self.high_watermark, self.last_stable):
            self._tell(self.on_advance, self)

    def _tell(self, callback: Callable[..., None], *args: object) -> None:
        """Nobody who waits may stop the others from hearing it."""
        try:
            callback(*args)
        except Exception:
            logger.exception(NOT_TOLD, self)

    def close(self) -> None:
        """The broker has stopped, and everything that can be durable is."""
        self._waiting.give_up(LogClosed(str(self), "the broker is stopping"))

    # -- a new start

    def delete_records(self, before: Offset) -> asyncio.Future[Offset]:
        """Let the log begin at `before`; gives its start once it is durable. Raises OffsetOutOfRange, StorageError."""
        if not 0 <= before <= self.high_watermark:
            raise OffsetOutOfRange(str(self), before, self.start, self.high_watermark)
        moved: asyncio.Future[Offset] = asyncio.get_running_loop().create_future()
        if before > self.start:
            self.move_start(before)
            self._waiting.for_start(before, moved)
        else:
            moved.set_result(self.start)
        return moved

    def move_start(self, start: int) -> None:
        """Let the log begin at `start`, which no read sees before it is durable."""
        if self._flusher.refusal is not None:
            raise self._flusher.refusal
        self.load()
        self._pending_start = max(self._pending_start, start)
        if not self._joined:
            self.join()

    def _start_is_durable(self, start: int) -> None:
        if start > self.start and not self.removed:
            self.start = start
            self.last_stable = max(self.last_stable, start)
            self._epochs.cut_start(start)
            self.drop_segments()
            if self.on_advance is not None:
                self._tell(self.on_advance, self)
        wanted = self._waiting.started(self.start)
        if wanted >= 0 and not self.removed:
            self.move_start(wanted)

    def drop_segments(self) -> None:
        """Remove segments that are wholly below the start, as far as the recovery point lets them go."""
        if self.files is None or self.removed:
            return
        paths = self.files.drop(self.start, self.points.offset)
        if paths:
            self._flusher.remove(FileRemoval(self._flusher, self, paths))

    # -- checkpoints

    @property
    def is_ready_for_checkpoint(self) -> bool:
        """Whether `checkpoint` is quick; while it is not, `prepare_checkpoint` does a slice of it."""
        return self.points.is_quick(self._producers)

    def prepare_checkpoint(self) -> None:
        self._producers.draft_snapshot()

    def checkpoint(self) -> CheckpointPart:
        """What has to be written so that recovery may begin at the present end."""
        assert self.files is not None, "only what has files is checkpointed"
        state = State(self.topic_id, self.index, self.leader_epoch, self.start, self.end, self.compacted)
        return self.points.prepare(state, self.files, self._producers, self._epochs)

    def checkpoint_failed(self, part: CheckpointPart) -> None:
        """It could not be written."""
        if part.epochs is not None:
            self._epochs.changed = True

    def checkpointed(self) -> None:
        """The recovery points say what `checkpoint` gave."""
        obsolete = self.points.take_effect()
        if self.removed:
            return
        if obsolete >= 0:
            path = self.folder / offset_name(obsolete, SNAPSHOT)
            self._flusher.remove(FileRemoval(self._flusher, self, [path]))
        self.drop_segments()

    # -- the end of it

    def remove(self) -> None:
        """The topic was deleted. Its name is free at once; the files go when nobody writes to them any more."""
        self.removed = True
        self._shared.deliveries.forget(self)
        self._active = None
        self._waiting.give_up(StorageError(str(self), "the topic was deleted"))
        if self.files is not None:
            self.files.forget()
        self._flusher.forget(self)

    def remove_folder(self) -> bool:
        """Rename the folder, and have it removed. False when the disk does not let us now."""
        doomed = self.folder.with_name(doomed_name(self.folder.name, self.topic_id))
        try:
            if self._has_folder:
                self._shared.disk.rename(self.folder, doomed)
        except OSError as error:
            logger.warning("%s could not be removed yet: %s", self.folder, error)
            return isinstance(error, FileNotFoundError)
        if self._has_folder:
            self._flusher.remove(FolderRemoval(self._flusher, doomed, self.topic_id))
        return True
