"""The last transaction of one transactional id, and what can become of it (KIP-98, 360, 890).

    Empty ──add──▶ Ongoing ──commit──▶ PrepareCommit ──all markers durable──▶ CompleteCommit ──add──▶ Ongoing
                      └────abort─────▶ PrepareAbort  ──all markers durable──▶ CompleteAbort  ──add──▶ Ongoing

A transaction is decided when its Prepare record is durable; what follows is only carrying it out, however often that is
begun anew. The epoch says which life of the producer a request comes from. It rises when a producer starts, when the
coordinator aborts by itself, and with version 2 at the end of each transaction, so that a request that was held up can
never end up in the next one.

Values, not objects: every change gives a new one, which is then written and replayed.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from drave.model.errors import ErrorCode

NO_ID: Final = -1
NO_EPOCH: Final = -1
NO_TIME: Final = -1

EPOCH_MAX: Final = (1 << 15) - 1
EPOCH_EXHAUSTED: Final = EPOCH_MAX - 1
"""The last epoch that a producer is given; the one above it is kept for the coordinator's own fence."""

EPOCH_BUMPS_SINCE: Final = 2
"""The version of transactions whose end raises the epoch (KIP-890)."""

Place = tuple[str, int]
"""Topic and partition."""


class TransactionState(enum.IntEnum):
    """As numbered in Kafka's records."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def title(self) -> str:
        """As tools show it."""
        return self.name.title().replace("_", "")


PREPARED: Final = frozenset({TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT})
COMPLETE: Final = frozenset({TransactionState.COMPLETE_COMMIT, TransactionState.COMPLETE_ABORT})

_NOWHERE: Final[frozenset[Place]] = frozenset()


class Transaction(NamedTuple):
    """One transactional id. Times are milliseconds since 1970."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    updated_ms: int
    state: TransactionState = TransactionState.EMPTY
    places: frozenset[Place] = _NOWHERE
    started_ms: int = NO_TIME
    previous_producer_id: int = NO_ID
    next_producer_id: int = NO_ID
    """The id from the end of this transaction on, where its epochs are used up."""
    version: int = 0
    """Of transactions, as the client speaks it."""

    # -- what may be asked of it

    @property
    def is_exhausted(self) -> bool:
        return self.producer_epoch >= EPOCH_EXHAUSTED

    @property
    def commits(self) -> bool:
        return self.state is TransactionState.PREPARE_COMMIT

    @property
    def identity(self) -> tuple[int, int]:
        """The producer's id and epoch from now on, as it is told them."""
        if self.next_producer_id != NO_ID:
            return self.next_producer_id, 0
        return self.producer_id, self.producer_epoch

    def check(self, producer_id: int, producer_epoch: int) -> ErrorCode:
        """Whether its producer may go on with it: who asks is looked at before how far it has come.

        Kafka takes a producer whose id has changed with the last epoch for a stranger until the markers are written.
        """
        if (producer_id, producer_epoch) != self.identity or self.producer_epoch == NO_EPOCH:
            is_ours = producer_id in (self.producer_id, self.identity[0])
            return ErrorCode.PRODUCER_FENCED if is_ours else ErrorCode.INVALID_PRODUCER_ID_MAPPING
        return ErrorCode.CONCURRENT_TRANSACTIONS if self.state in PREPARED else ErrorCode.NONE

    def is_over_time(self, now_ms: int) -> bool:
        return self.state is TransactionState.ONGOING and now_ms >= self.started_ms + self.timeout_ms

    # -- what can become of it

    def with_places(self, places: frozenset[Place], version: int, now_ms: int) -> Transaction:
        """Writes to these partitions too; the first begin it."""
        ongoing = self.state is TransactionState.ONGOING
        return self._replace(
            state=TransactionState.ONGOING,
            places=self.places | places if ongoing else places,
            started_ms=self.started_ms if ongoing else now_ms,
            updated_ms=now_ms,
            version=version,
        )

    def prepared(self, *, commit: bool, version: int, next_id: int, now_ms: int, fence: bool = False) -> Transaction:
        """Decided. With version 2, and where the coordinator fences the producer off, the markers have a new epoch.

        `next_id` is the producer's id from then on, where its epochs are used up, else -1. One that ends before it has
        begun (version 2) gets a start, as in Kafka.
        """
        bumps = fence or version >= EPOCH_BUMPS_SINCE
        return self._replace(
            state=TransactionState.PREPARE_COMMIT if commit else TransactionState.PREPARE_ABORT,
            producer_epoch=min(self.producer_epoch + 1, EPOCH_MAX) if bumps else self.producer_epoch,
            next_producer_id=next_id,
            started_ms=self.started_ms if self.state is TransactionState.ONGOING else now_ms,
            updated_ms=now_ms,
            version=version,
        )

    def completed(self, now_ms: int) -> Transaction:
        """All markers are durable."""
        moved = self.with_producer(*self.identity)
        return moved._replace(
            state=TransactionState.COMPLETE_COMMIT if self.commits else TransactionState.COMPLETE_ABORT,
            places=_NOWHERE,
            next_producer_id=NO_ID,
            updated_ms=now_ms,
        )

    def renewed(self, producer_id: int, producer_epoch: int, timeout_ms: int, now_ms: int) -> Transaction:
        """A producer begins, or begins again after an error."""
        moved = self.with_producer(producer_id, producer_epoch)
        return moved._replace(
            state=TransactionState.EMPTY,
            places=_NOWHERE,
            timeout_ms=timeout_ms,
            started_ms=NO_TIME,
            updated_ms=now_ms,
        )

    def with_producer(self, producer_id: int, producer_epoch: int) -> Transaction:
        if producer_id == self.producer_id:
            return self._replace(producer_epoch=producer_epoch)
        previous = self.producer_id
        return self._replace(producer_id=producer_id, producer_epoch=producer_epoch, previous_producer_id=previous)
