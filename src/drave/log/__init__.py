"""A partition's log: append, read, watermarks, durability, recovery.

    logs.py        all partitions of a broker
    partition.py   one of them: append, become durable; readable.py: read. loading.py, waiting.py are parts of it
    delivery.py    when the records of a topic with a delay are seen
    files.py       its segments, and which of them have to be synced
    points.py      what recovery knows of it
    producers.py   its producers and their transactions (KIP-98)
    epochs.py      its leader epochs (KIP-101)
    lookup.py      offsets by timestamp
    rolling.py, retention.py   when a segment is full, and when it may be forgotten; housekeeping.py does it
    compaction*.py what compacted topics may forget: plan, map, transactions, swap
    flusher.py     what makes appends durable: commit.py, checkpoint.py, removal.py; driver.py gives it threads
    opening.py     what a start does; recovery.py what it does for one partition, derived.py from its batches

The law: what is acknowledged is durable, what is readable is durable, offsets have no gaps but those of compaction.
"""

from drave.log.errors import (
    InvalidProducerEpoch,
    LogClosed,
    NotInTransaction,
    OffsetOutOfRange,
    OutOfOrderSequence,
    StorageError,
    TransactionCoordinatorFenced,
)
from drave.log.logs import Logs, lock_folder
from drave.log.lookup import TimestampOffset
from drave.log.opening import OpenReport, TopicLike
from drave.log.partition import Appended, PartitionLog
from drave.log.reading import Batches

__all__ = [
    "Appended",
    "Batches",
    "InvalidProducerEpoch",
    "LogClosed",
    "Logs",
    "NotInTransaction",
    "OffsetOutOfRange",
    "OpenReport",
    "OutOfOrderSequence",
    "PartitionLog",
    "StorageError",
    "TimestampOffset",
    "TopicLike",
    "TransactionCoordinatorFenced",
    "lock_folder",
]
