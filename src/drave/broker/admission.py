"""A transaction's first batch in a partition: its coordinator is asked before it is appended (KIP-890).

    batch ─▶ open in the log? ──yes──────────────────────────────▶ appended
                  └─no─▶ transactions.check ──is in, durably─────▶ appended
                                  ├─ Pending: is being added ─▶ check once more
                                  └─ refused, in words that the producer's version knows

Otherwise a batch that comes late, after its transaction was ended, would open one that nobody ends. Producers below
version 12 have added the partition themselves; from there on the question adds it.

While one batch asks, those that its producer has sent behind it to the same partition stand in line. Were one of them
to overtake it, it would be out of order; and as its refusal is read after the first one's success, the producer could
only believe that something was lost, and give the transaction up. (Kafka reads no request of a connection before it has
answered the one before.)
"""

from __future__ import annotations

from collections import deque
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

    __slots__ = (
        "_batch",
        "_broker",
        "_done",
        "_header",
        "_index",
        "_log",
        "_now_ms",
        "_topic",
        "_transactional_id",
        "_version",
    )

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
        self._done: Callable[[Appended | ProtocolError], None]
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
        self._done = done
        admissions = self._broker.admissions
        if admissions and (line := admissions.get(self._key)) is not None:
            self._batch = bytes(self._batch)  # a view of the request would not live so long
            line.append(self)
            return None
        return self._proceed()

    @property
    def _key(self) -> tuple[PartitionLog, int, int]:
        return self._log, self._header.producer_id, self._header.producer_epoch

    def _proceed(self) -> Appended | None:
        """Append it; None when its coordinator is asked first. Raises what refuses it."""
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
                self._batch = bytes(self._batch)
                self._broker.admissions.setdefault(self._key, deque())
                pending.attach(self._answered)
                return None
            producers.check_first(header, begins_at_0=self._version >= ADDS_SINCE)
        return log.append(self._batch, header, now_ms=self._now_ms)

    def _answered(self, code: ErrorCode) -> None:
        """The coordinator has answered: this one goes through, and then those that stand in line behind it."""
        if not self.goes_through(code):
            return
        line = self._broker.admissions[self._key]
        while line:
            if not line.popleft().goes_through(ErrorCode.NONE):
                return  # now that one asks
        del self._broker.admissions[self._key]

    def goes_through(self, code: ErrorCode) -> bool:
        """Have it appended or refused; False where its coordinator is asked, perhaps once more: the transaction may
        have been ended since."""
        try:
            if code != ErrorCode.NONE:
                raise self._refusal(code)
            if self._log.removed:
                raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"{self._topic.name} was deleted meanwhile.")
            appended = self._proceed()
        except ProtocolError as error:
            self._done(error)
        else:
            if appended is None:
                return False
            self._done(appended)
        return True

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
