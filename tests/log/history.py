"""What one partition was given, and what that makes of it: the model that a `World` judges a log by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drave import records
from drave.log import PartitionLog
from drave.log.producers import Producers
from drave.records import ControlKind


@dataclass(frozen=True)
class Sent:
    """One batch, as it lies on the disk."""

    data: bytes
    header: records.BatchHeader

    @property
    def base(self) -> int:
        return self.header.base_offset

    @property
    def end(self) -> int:
        return self.header.last_offset + 1

    @property
    def marker(self) -> records.Marker | None:
        """What it says if it ends a transaction."""
        if not self.header.is_control:
            return None
        (record,) = records.read_records(self.data)
        return records.parse_control(record)


@dataclass
class History:
    """What one partition was given."""

    batches: list[Sent] = field(default_factory=list)
    refused: list[Sent] = field(default_factory=list)
    """Those that a failing disk refused. Their senders heard so, and yet a crash may bring one back."""
    appended: int = 0
    """The end of what `append` has returned for."""
    acknowledged: int = 0
    stable: int = 0
    """The last stable offset that somebody has seen."""
    start: int = 0
    start_asked: int = 0
    checkpointed: int = 0
    epoch: int = -1
    known: bytes = Producers().snapshot()
    """The producers before the first batch."""
    sequences: dict[int, tuple[int, int]] = field(default_factory=dict)
    """For each producer its epoch and next sequence."""

    def up_to(self, end: int) -> list[Sent]:
        return [sent for sent in self.batches if sent.end <= end]

    def cut(self, end: int) -> None:
        """What came after `end` is gone."""
        self.batches = self.up_to(end)
        self.sequences = {
            producer_id: (
                producer.epoch,
                (producer.batches[-1].last_sequence + 1) & 0x7FFFFFFF if producer.batches else 0,
            )
            for producer_id, producer in self.producers(end)
        }

    def producers(self, end: int) -> Producers:
        """What the batches say."""
        producers = Producers.restore(self.known)
        for sent in self.up_to(end):
            if sent.header.producer_id >= 0:
                producers.add(sent.header, sent.base, 0, sent.marker)
        return producers

    def transactions(self, end: int) -> tuple[dict[int, int], list[tuple[int, int, int]]]:
        """Where those begin that are open at `end`, and those that were aborted: producer, first offset, marker."""
        began = dict(Producers.restore(self.known).open_transactions)
        aborted = []
        for sent in self.up_to(end):
            producer_id, marker = sent.header.producer_id, sent.marker
            if marker is not None:
                first = began.pop(producer_id, None)
                if first is not None and marker.kind is ControlKind.ABORT:
                    aborted.append((producer_id, first, sent.base))
            elif sent.header.is_transactional:
                began.setdefault(producer_id, sent.base)
        return began, aborted

    def stable_at(self, end: int, start: int) -> int:
        """The last stable offset once everything below `end` is durable."""
        return max(start, min([end, *self.transactions(end)[0].values()]))


def facts(producers: Producers) -> dict[int, Any]:
    """Producers, without the times at which they were heard of."""
    return {producer_id: (producer.epoch, list(producer.batches)) for producer_id, producer in producers}


def decided(producers: Producers) -> dict[int, Any]:
    """What is known of their transactions."""
    return {
        producer_id: (producer.coordinator_epoch, producer.transaction_start) for producer_id, producer in producers
    }


def placed(batch: bytes, log: PartitionLog, at: int | None = None) -> Sent:
    """A batch as it lies in `log` when it is appended at its end, or was `at` another offset."""
    data = bytearray(batch)
    records.place(data, log.end if at is None else at, log.leader_epoch)
    return Sent(bytes(data), records.parse_header(data))
