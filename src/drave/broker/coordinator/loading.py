"""Reading a coordinator's partition: which records count.

Of each key only the last record does, for that is what compaction may leave of the log at any time. One that takes its
key back is not given: there is nothing yet to take back, and it would meet a group of which half has been read. Records
of a transaction count once its commit marker has come, unless a later record of their key came before that. Those that
no marker has come for are given apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.undecided import Undecided
from drave.records import BatchHeader, Buffer, ControlKind, Record, parse_control, read_records

_Latest = tuple[int, bytes | None]
"""Offset and value."""


class LatestRecords:
    """Takes batches in the order of the log, and gives the records to replay."""

    def __init__(self) -> None:
        self._latest: dict[bytes, _Latest] = {}
        self._undecided: dict[int, list[Record]] = {}
        """By producer id."""
        self._epochs: dict[int, int] = {}

    def take(self, header: BatchHeader, batch: Buffer) -> None:
        """Raises `InvalidRecord` where the batch is not what it says."""
        records = read_records(batch, header)
        if header.is_control:
            for record in records:
                self._decide(header.producer_id, parse_control(record).kind)
        elif header.is_transactional:
            self._undecided.setdefault(header.producer_id, []).extend(records)
            self._epochs[header.producer_id] = header.producer_epoch
        else:
            for record in records:
                self._keep(record)

    def _decide(self, producer_id: int, kind: ControlKind) -> None:
        records = self._undecided.pop(producer_id, [])
        if kind is ControlKind.COMMIT:
            for record in records:
                self._keep(record)

    def _keep(self, record: Record) -> None:
        key = record.key
        if key is None:
            return
        earlier = self._latest.pop(key, None)
        if earlier is not None and earlier[0] > record.offset:
            self._latest[key] = earlier
        else:
            self._latest[key] = record.offset, record.value

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        for key, (_, value) in self._latest.items():
            if value is not None:
                yield key, value

    def undecided(self) -> Iterator[Undecided]:
        """Records of transactions that are still open, in the order of the log."""
        found = [
            (record.offset, Undecided(Writer(producer_id, self._epochs[producer_id]), record.key, record.value))
            for producer_id, records in self._undecided.items()
            for record in records
            if record.key is not None and record.offset > self._latest.get(record.key, (-1, None))[0]
        ]
        found.sort(key=itemgetter(0))
        for _, each in found:
            yield each


class OrderedRecords:
    """The same, where records build on those before them: all count, in the order of the log."""

    def __init__(self) -> None:
        self._records: list[tuple[bytes, bytes | None]] = []

    def take(self, header: BatchHeader, batch: Buffer) -> None:
        """Raises `InvalidRecord` where the batch is not what it says."""
        self._records += [(each.key, each.value) for each in read_records(batch, header) if each.key is not None]

    def __iter__(self) -> Iterator[tuple[bytes, bytes | None]]:
        return iter(self._records)

    def undecided(self) -> Iterator[Undecided]:
        """None: such records are part of no transaction."""
        return iter(())
