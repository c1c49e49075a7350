"""What a partition's log refuses."""

from __future__ import annotations

from drave.model.errors import ErrorCode, ProtocolError
from drave.store.errors import StorageError

__all__ = [
    "InvalidProducerEpoch",
    "LogClosed",
    "NotInTransaction",
    "OffsetOutOfRange",
    "OutOfOrderSequence",
    "StorageError",
    "TransactionCoordinatorFenced",
]


class OffsetOutOfRange(ProtocolError):
    """An offset that this log does not hold, or not any more."""

    code = ErrorCode.OFFSET_OUT_OF_RANGE

    def __init__(self, partition: str, asked: int, start: int, end: int) -> None:
        super().__init__(partition, asked, start, end)
        self.partition = partition
        self.asked = asked
        self.start = start
        self.end = end

    def __str__(self) -> str:
        return f"{self.partition}: offset {self.asked} is outside {self.start}..{self.end}"


class OutOfOrderSequence(ProtocolError):
    """A batch of an idempotent producer that does not directly follow its last one (KIP-98)."""

    code = ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER

    def __init__(self, producer_id: int, sequence: int, expected: int) -> None:
        super().__init__(producer_id, sequence, expected)
        self.producer_id = producer_id
        self.sequence = sequence
        self.expected = expected

    def __str__(self) -> str:
        return f"producer {self.producer_id} sent sequence {self.sequence} where {self.expected} is next"


class InvalidProducerEpoch(ProtocolError):
    """A batch of a producer whose id has since been given a later epoch."""

    code = ErrorCode.INVALID_PRODUCER_EPOCH

    def __init__(self, producer_id: int, epoch: int, current: int) -> None:
        super().__init__(producer_id, epoch, current)
        self.producer_id = producer_id
        self.epoch = epoch
        self.current = current

    def __str__(self) -> str:
        return f"producer {self.producer_id} sent epoch {self.epoch}; its epoch is {self.current} by now"


class NotInTransaction(ProtocolError):
    """A batch outside of any transaction, of a producer whose transaction is open here."""

    code = ErrorCode.INVALID_TXN_STATE

    def __init__(self, producer_id: int, start: int) -> None:
        super().__init__(producer_id, start)
        self.producer_id = producer_id
        self.start = start

    def __str__(self) -> str:
        return (
            f"producer {self.producer_id} sent a batch outside of its transaction, which is open since offset "
            f"{self.start}"
        )


class TransactionCoordinatorFenced(ProtocolError):
    """A marker of a coordinator whose place another has taken since."""

    code = ErrorCode.TRANSACTION_COORDINATOR_FENCED

    def __init__(self, producer_id: int, epoch: int, current: int) -> None:
        super().__init__(producer_id, epoch, current)
        self.producer_id = producer_id
        self.epoch = epoch
        self.current = current

    def __str__(self) -> str:
        return (
            f"the coordinator of producer {self.producer_id} sent a marker of its epoch {self.epoch}; "
            f"its epoch is {self.current} by now"
        )


class LogClosed(StorageError):
    """The broker is stopping, or its disk failed it: nothing more is taken."""
