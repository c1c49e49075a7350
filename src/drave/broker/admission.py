"""A transaction's first batch in a partition: its coordinator is asked before it is appended (KIP-890).

    batch ─▶ open in the log? ──yes──────────────────────────────▶ appended
                  └─no─▶ transactions.check ──is in, durably─────▶ appended
                                  ├─ Pending: is being added ─▶ check once more
                                  └─ refused, in words that the producer's version knows

Otherwise a batch that comes late, after its transaction was ended, would open one that nobody ends. Producers below
version 12 have added the partition themselves; from there on the question adds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from drave.broker.core import Broker
from drave.log import Appended, PartitionLog
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.records import BatchHeader, Buffer

if TYPE_CHECKING:
    from drave.catalog import Topic

ABORTABLE_SINCE: Final = 11
"""From this version of Produce on, producers know TRANSACTION_ABORTABLE."""
ADDS_SINCE: Final = 12
"""From here on, a batch adds its partition to its transaction."""

_TRY_AGAIN: Final = frozenset(
    (
        ErrorCode.NETWORK_EXCEPTION,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
    )
)


class Admission:
    """One batch on its way: `start` has it appended or refused, at once or later."""

    __slots__ = ("_batch", "_broker", "_header", "_index", "_log", "_now_ms", "_topic", "_transactional_id", "_version")

    def __init__(
        self,
        broker: Broker,
        version: int,
        transactional_id: str,
        topic: Topic,
        index: int,
        log: PartitionLog,
        batch: Buffer,
        header: BatchHeader,
        now_ms: int,
    ) -> None:
        self._broker = broker
        self._version = version
        """Of the Produce request."""
        self._transactional_id = transactional_id
        self._topic = topic
        self._index = index
        self._log = log
        self._batch = batch
        self._header = header
        self._now_ms = now_ms

    def start(self, done: Callable[[Appended | ProtocolError], None]) -> Appended | None:
        """Append it; None when that comes later, and `done` will be told. Raises what refuses it."""
        log, header = self._log, self._header
        producers = log.producers
        if not producers.in_transaction(header.producer_id, header.producer_epoch):
            producers.expect(header)
            try:
                pending = self._broker.transactions.check(
                    self._transactional_id,
                    header.producer_id,
                    header.producer_epoch,
                    self._topic.name,
                    self._index,
                    adds=self._version >= ADDS_SINCE,
                )
            except ProtocolError as error:
                raise self._refusal(error.code) from error
            if pending is not None:
                self._batch = bytes(self._batch)  # a view of the request would not live so long
                pending.attach(lambda code: self._answered(code, done))
                return None
            producers.check_first(header, begins_at_0=self._version >= ADDS_SINCE)
        return log.append(self._batch, header, now_ms=self._now_ms)

    def _answered(self, code: ErrorCode, done: Callable[[Appended | ProtocolError], None]) -> None:
        try:
            if code != ErrorCode.NONE:
                raise self._refusal(code)
            if self._log.removed:
                raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"{self._topic.name} was deleted meanwhile.")
            appended = self.start(done)  # asked once more: it may have been ended since
        except ProtocolError as error:
            done(error)
        else:
            if appended is not None:
                done(appended)

    def _refusal(self, code: ErrorCode) -> Refused:
        version = self._version
        if code in _TRY_AGAIN or (code == ErrorCode.CONCURRENT_TRANSACTIONS and version < ADDS_SINCE):
            return Refused(
                ErrorCode.NOT_ENOUGH_REPLICAS,
                f"Whether {self._topic.name}-{self._index} is in the transaction cannot be told now ({code.name}).",
            )
        if code == ErrorCode.PRODUCER_FENCED:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        elif code == ErrorCode.TRANSACTION_ABORTABLE and version < ABORTABLE_SINCE:
            code = ErrorCode.INVALID_TXN_STATE
        return Refused(
            code,
            f"{self._topic.name}-{self._index} is not in a transaction of {self._transactional_id!r} that producer "
            f"{self._header.producer_id} (epoch {self._header.producer_epoch}) may write to.",
        )
