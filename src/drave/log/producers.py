"""The producers of one partition (KIP-98): who they are, what they sent last, which transactions are open.

    producer 7, epoch 2   | 0..4 | 5..5 | 6..9 | 10..12 | 13..20 |      the last five batches, by sequence

    13..20 again   a duplicate: answered with the offset that it had the first time
    21..           the next: appended
    25.. or 9..    OutOfOrderSequence, nothing is appended
    epoch 1        InvalidProducerEpoch
    epoch 3, 0..   a new life of the same producer

A producer that is not known (new, or expired) may begin with any sequence, as in Kafka since KIP-360. One whose epoch
a marker has raised (KIP-890) begins again at 0.

    | a a | b | a | commit b | abort a |       transactions of two producers, and the markers that end them
     ▲ first unstable offset: nothing from here on is told to who reads only what is committed

A transaction that was ended stays unstable until its marker is durable.

Snapshots are Kafka's `.snapshot` files (`producer_snapshots.py`). Kafka keeps only the last batch of each producer
there, and after a restart no longer knows a retry of the four before; ours follow as bytes that Kafka covers by its CRC
and does not read. So do the times at which producers were heard of, by this broker's clock: the timestamp in Kafka's
part is the last batch's.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Collection, Iterator
from typing import Final

import msgspec
from crc32c import crc32c

from drave.log.errors import (
    InvalidProducerEpoch,
    NotInTransaction,
    OutOfOrderSequence,
    TransactionCoordinatorFenced,
)
from drave.log.producer_snapshots import (
    CRC_END,
    ENTRY,
    HEAD,
    HEARD,
    MORE,
    MORE_MAGIC,
    NONE,
    VERSION,
    Draft,
    assemble,
    is_quick,
)
from drave.model.errors import DraveError
from drave.records import TRANSACTIONAL, BatchHeader, ControlKind, Marker
from drave.store.transaction_index import AbortedTransaction

BATCHES_KEPT: Final = 5
"""Kafka's `max.in.flight.requests.per.connection` of an idempotent producer."""

LOOKED_AT_MAX: Final = 10_000
"""Producers that one call of `expire` looks at, in some 1 ms."""

SEQUENCE_MAX: Final = (1 << 31) - 1
BUMPING: Final = 2
"""The transaction version from which on a marker has a higher epoch than the transaction that it ends (KIP-890)."""
EPOCH_MAX: Final = (1 << 15) - 1


class DamagedSnapshot(DraveError):
    """A producer snapshot that is not whole, or not one."""


class SentBatch(msgspec.Struct, gc=False):
    """One batch that was appended. A msgspec struct: one is made for every batch that passes."""

    base_sequence: int
    last_sequence: int
    base_offset: int
    last_offset: int


class Producer:
    """One producer id in this partition."""

    __slots__ = ("batches", "coordinator_epoch", "epoch", "last_ms", "last_timestamp", "transaction_start")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.batches: list[SentBatch] = []
        """The last ones. A list, for a deque takes six times the memory, and there may be very many producers."""
        self.last_ms = NONE
        """When it was last heard of, by this broker's clock."""
        self.last_timestamp = NONE
        """The largest of its last batch."""
        self.coordinator_epoch = NONE
        self.transaction_start = NONE
        """Where its open transaction begins."""


class Producers:
    """Every producer of one partition."""

    __slots__ = ("_asking", "_by_id", "_draft", "_ended", "_open", "_to_look_at", "changes")

    def __init__(self) -> None:
        self._by_id: dict[int, Producer] = {}
        self._open: dict[int, int] = {}
        self._ended: deque[tuple[int, int]] = deque()
        self._asking: dict[int, tuple[int, int]] = {}
        self._draft: Draft | None = None
        self._to_look_at: list[int] = []
        """Whom `expire` has not looked at in its present round."""
        self.changes = 0
        """Rises with every change, so that a checkpoint sees whether there is something to write."""

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[tuple[int, Producer]]:
        return iter(self._by_id.items())

    # -- appending

    def check(self, header: BatchHeader) -> SentBatch | None:
        """Whether a batch may be appended. A duplicate gives what it was the first time.

        One without a sequence is a coordinator's, written on behalf of the producer: only its epoch counts.

        Raises OutOfOrderSequence, InvalidProducerEpoch or NotInTransaction.
        """
        producer = self._by_id.get(header.producer_id)
        if producer is None:
            return None
        if self._open:
            self._check_transaction(header)
        batches = producer.batches
        sequence = header.base_sequence
        if header.producer_epoch == producer.epoch and batches:
            last = batches[-1].last_sequence
            if sequence == last + 1 or (sequence == 0 and last == SEQUENCE_MAX):
                return None
            last_sequence = advance(sequence, header.last_offset_delta)
            for batch in batches:
                if batch.base_sequence == sequence and batch.last_sequence == last_sequence:
                    return batch
            raise OutOfOrderSequence(header.producer_id, sequence, advance(last, 1))
        if header.producer_epoch < producer.epoch:
            raise InvalidProducerEpoch(header.producer_id, header.producer_epoch, producer.epoch)
        if sequence > 0:
            raise OutOfOrderSequence(header.producer_id, sequence, 0)
        return None

    def _check_transaction(self, header: BatchHeader) -> None:
        start = self._open.get(header.producer_id)
        if start is not None and not header.attributes & TRANSACTIONAL:
            raise NotInTransaction(header.producer_id, start)

    def check_marker(self, producer_id: int, epoch: int, coordinator_epoch: int, transaction_version: int) -> None:
        """Whether a marker may be appended, as Kafka has it for this version of transactions.

        From version 2 on its epoch is higher than the transaction's, but where there is none higher, or none is open
        any more: then it comes again. Raises InvalidProducerEpoch or TransactionCoordinatorFenced.
        """
        producer = self._by_id.get(producer_id)
        if producer is None:
            return
        again = epoch == producer.epoch and (producer.transaction_start == NONE or epoch == EPOCH_MAX)
        if epoch < producer.epoch or (transaction_version >= BUMPING and epoch == producer.epoch and not again):
            raise InvalidProducerEpoch(producer_id, epoch, producer.epoch)
        if coordinator_epoch < producer.coordinator_epoch:
            raise TransactionCoordinatorFenced(producer_id, coordinator_epoch, producer.coordinator_epoch)

    def add(
        self, header: BatchHeader, base_offset: int, now_ms: int, marker: Marker | None = None
    ) -> AbortedTransaction | None:
        """Take note of a batch that was appended at `base_offset`; `marker` is what it says if it is one.

        Returns the transaction that it aborts, if there is one.
        """
        producer_id = header.producer_id
        producer = self._by_id.get(producer_id)
        if producer is None:
            producer = self._by_id[producer_id] = Producer(header.producer_epoch)
        elif producer.epoch != header.producer_epoch:
            producer.epoch = header.producer_epoch
            producer.batches.clear()
        producer.last_ms = now_ms
        producer.last_timestamp = header.max_timestamp
        self.changes += 1
        if self._draft is not None:
            self._draft.changed.add(producer_id)
        last_offset = base_offset + header.last_offset_delta
        if marker is not None:
            producer.coordinator_epoch = marker.coordinator_epoch
            return self._end_transaction(producer_id, producer, last_offset, marker.kind)
        sequence = header.base_sequence
        if sequence >= 0:
            batches = producer.batches
            batches.append(SentBatch(sequence, advance(sequence, header.last_offset_delta), base_offset, last_offset))
            if len(batches) > BATCHES_KEPT:
                del batches[0]
        if header.attributes & TRANSACTIONAL and producer.transaction_start == NONE:
            producer.transaction_start = base_offset
            self._open[producer_id] = base_offset
        return None

    def expire(self, now_ms: int, after_ms: int) -> int:
        """Forget producers that were silent for so long and have no open transaction; returns how many.

        Where there are very many, each call looks at some of them, so that nobody is kept waiting.
        """
        limit = now_ms - after_ms
        self._asking.clear()  # they ask again, or have gone
        waiting = self._to_look_at = self._to_look_at or list(self._by_id)
        some = waiting[-LOOKED_AT_MAX:]
        del waiting[-LOOKED_AT_MAX:]
        silent = [
            producer_id
            for producer_id in some
            if (producer := self._by_id.get(producer_id)) is not None
            and producer.last_ms <= limit
            and producer.transaction_start == NONE
        ]
        for producer_id in silent:
            del self._by_id[producer_id]
        if silent:
            self.changes += 1
            if self._draft is not None:
                self._draft.changed.update(silent)
        return len(silent)

    # -- transactions

    def in_transaction(self, producer_id: int, epoch: int) -> bool:
        """Whether this life of a producer has a transaction open here."""
        return producer_id in self._open and self._by_id[producer_id].epoch == epoch

    def expect(self, header: BatchHeader) -> None:
        """A batch begins a transaction here if its coordinator lets it: none that comes after it may be the first."""
        epoch, lowest = self._asking.get(header.producer_id, (NONE, NONE))
        if header.producer_epoch > epoch or (header.producer_epoch == epoch and header.base_sequence < lowest):
            self._asking[header.producer_id] = header.producer_epoch, header.base_sequence

    def check_first(self, header: BatchHeader, *, begins_at_0: bool) -> None:
        """Whether a batch may be the first of a transaction here. `begins_at_0`: each has an epoch of its own.

        Raises what `check` does.
        """
        self.check(header)
        producer_id, sequence = header.producer_id, header.base_sequence
        producer = self._by_id.get(producer_id)
        if begins_at_0 and sequence and (producer is None or not producer.batches):
            raise OutOfOrderSequence(producer_id, sequence, 0)
        _, lowest = self._asking.get(producer_id, (NONE, sequence))
        if sequence > lowest:
            raise OutOfOrderSequence(producer_id, sequence, lowest)
        self._asking.pop(producer_id, None)

    @property
    def open_transactions(self) -> dict[int, int]:
        """Where each open transaction begins, by producer id; in the order of the offsets."""
        return self._open

    @property
    def first_open(self) -> int:
        """Where the oldest open transaction begins, or -1."""
        return next(iter(self._open.values()), NONE)

    def _end_transaction(
        self, producer_id: int, producer: Producer, marker: int, kind: ControlKind
    ) -> AbortedTransaction | None:
        start = self._open.pop(producer_id, None)
        producer.transaction_start = NONE
        if start is None:
            return None
        self._ended.append((start, marker))
        if kind is ControlKind.COMMIT:
            return None
        return AbortedTransaction(producer_id, start, marker, next(iter(self._open.values()), marker + 1))

    def first_unstable(self, high_watermark: int) -> int | None:
        """The first offset of any transaction that is undecided, or decided by a marker that is not durable yet."""
        ended = self._ended
        if not ended and not self._open:
            return None
        while ended and ended[0][1] < high_watermark:
            ended.popleft()
        starts = [start for start, _ in ended]
        if self._open:
            starts.append(next(iter(self._open.values())))  # they begin in the order of their offsets
        return min(starts, default=None)

    # -- snapshots

    @property
    def is_drafted(self) -> bool:
        """Whether the next snapshot is quick."""
        return is_quick(len(self._by_id)) if self._draft is None else self._draft.is_nearly_done

    def draft_snapshot(self) -> None:
        """Do a slice of the work that the next snapshot is."""
        if self._draft is None:
            self._draft = Draft(self._by_id)
        self._draft.go_on(self._by_id)

    def take_snapshot(self) -> Collection[bytes]:
        """All producers as they are now, encoded; `assemble` makes the content of a file of it, on any thread."""
        draft, self._draft = self._draft or Draft(self._by_id), None
        return draft.finish(self._by_id)

    def snapshot(self) -> bytes:
        """The content of a `.snapshot` file."""
        return bytes(assemble(self.take_snapshot()))

    @classmethod
    def restore(cls, data: bytes) -> Producers:
        """The producers in a `.snapshot` file, Kafka's or ours. Raises DamagedSnapshot."""
        try:
            version, crc, count = HEAD.unpack_from(data)
            if version != VERSION or crc != crc32c(memoryview(data)[CRC_END:]) or count < 0:
                raise DamagedSnapshot(f"a producer snapshot of {len(data)} bytes does not match its CRC")
            end = HEAD.size + count * ENTRY.size
            entries = ENTRY.iter_unpack(memoryview(data)[HEAD.size : end])
            if len(data) < end:
                raise struct.error
        except struct.error:
            raise DamagedSnapshot(f"a producer snapshot ends after {len(data)} bytes") from None
        producers = cls()
        for producer_id, epoch, last_sequence, last_offset, delta, timestamp, coordinator_epoch, start in entries:
            producer = producers._by_id[producer_id] = Producer(epoch)
            producer.last_ms = producer.last_timestamp = timestamp
            producer.coordinator_epoch = coordinator_epoch
            producer.transaction_start = start
            if last_sequence != NONE:
                producer.batches.append(
                    SentBatch(retreat(last_sequence, delta), last_sequence, last_offset - delta, last_offset)
                )
        opened = [(p.transaction_start, i) for i, p in producers if p.transaction_start != NONE]
        producers._open = {producer_id: start for start, producer_id in sorted(opened)}
        if data[end : end + len(MORE_MAGIC)] == MORE_MAGIC:
            producers._add_our_part(data, end + len(MORE_MAGIC))
        return producers

    def _add_our_part(self, data: bytes, at: int) -> None:
        """What Kafka's part does not say: when each producer was heard of, and the batches before its last."""
        end = at + len(self._by_id) * HEARD.size
        for producer, (heard_ms,) in zip(self._by_id.values(), HEARD.iter_unpack(data[at:end]), strict=True):
            producer.last_ms = heard_ms
        for start in range(len(data) - MORE.size, end - 1, -MORE.size):
            producer_id, sequence, base_offset, last_offset = MORE.unpack_from(data, start)
            batch = SentBatch(sequence, advance(sequence, last_offset - base_offset), base_offset, last_offset)
            self._by_id[producer_id].batches.insert(0, batch)


def advance(sequence: int, by: int) -> int:
    """Sequences go round after 2^31 - 1, past the -1 that stands for none."""
    return (sequence + by) & SEQUENCE_MAX


def retreat(sequence: int, by: int) -> int:
    """The reverse of `advance`."""
    return (sequence - by) & SEQUENCE_MAX
