"""Logs on a simulated disk where nothing happens by itself: the test commits, runs chores, cuts the power."""

from __future__ import annotations

from typing import Any

from drave import records
from drave.log import Appended, Logs, PartitionLog
from drave.log.flusher import Work
from drave.model.ids import TopicId
from drave.model.log_config import LogConfig
from drave.model.storage_settings import StorageSettings
from drave.testing.disk import SimulatedDisk
from tests.log.world import ROOT, HandClock, Topic

RIDES = TopicId(b"rides-topic-id-1")
CARS = TopicId(b"cars-topic-id-02")


def batch(
    *values: bytes, timestamp: int = 1000, producer: int = -1, epoch: int = -1, sequence: int = -1, **more: Any
) -> bytes:
    """A batch of records with these values."""
    return records.build_batch(
        [(None, value) for value in values or (b"value",)],
        timestamp_ms=timestamp,
        producer_id=producer,
        producer_epoch=epoch,
        base_sequence=sequence,
        **more,
    )


class Still:
    """A broker's logs, and the disk and the clock under them."""

    def __init__(self, *, partitions: int = 1, seed: int = 0, config: LogConfig | None = None, **settings: Any) -> None:
        self.disk = SimulatedDisk(seed)
        self.clock = HandClock()
        self.settings = StorageSettings(**{"journal_fill_bytes": 0, **settings})
        self.topics = {RIDES: Topic("rides", RIDES, partitions, config or LogConfig())}
        self.tombstones: set[TopicId] = set()
        self.open()

    def open(self) -> None:
        self.logs = Logs.open(
            ROOT,
            disk=self.disk,
            clock=self.clock,
            settings=self.settings,
            topics=self.topics.values(),
            tombstones=self.tombstones,
        )

    def power_cut(self) -> None:
        self.disk.power_cut()
        self.open()

    def kill(self) -> None:
        self.disk.kill()
        self.open()

    @property
    def log(self) -> PartitionLog:
        return self.partition(0)

    def partition(self, index: int, topic_id: TopicId = RIDES) -> PartitionLog:
        log = self.logs.partition(topic_id, index)
        assert log is not None
        return log

    def append(self, data: bytes | None = None, *, to: PartitionLog | None = None) -> Appended:
        data = data if data is not None else batch()
        return (to or self.log).append(data, records.parse_header(data), now_ms=self.clock.now_ms)

    def commit(self) -> Work:
        """Begin and end one commit."""
        work = self.logs.flusher.next_commit()
        assert work is not None
        work.run()
        work.finish()
        return work

    def chores(self) -> None:
        """Do every chore that waits."""
        while (work := self.logs.flusher.next_chore()) is not None:
            work.run()
            work.finish()

    def checkpoint(self) -> None:
        self.logs.flush()
        self.logs.flusher.begin_checkpoint()
        self.logs.flush()

    def read(self, start: int = 0, *, log: PartitionLog | None = None, bytes_max: int = 1 << 20) -> list[bytes]:
        """The values of the records from `start` on."""
        log = log or self.log
        found: list[bytes] = []
        at = start
        while at < log.high_watermark:
            batches = log.read_now(at, bytes_max=bytes_max, limit=log.high_watermark, whole_first=True)
            assert batches is not None
            for part in batches.parts:
                for header, data in records.split(part):
                    found += [r.value or b"" for r in records.read_records(data) if r.offset >= start]
                    at = header.last_offset + 1
        return found
