"""The producer: records out, and the commit that makes them true.

    Acknowledged    produce ─▶ queue ─▶ broker      commit: all acknowledged ─▶ offsets
    Transactional   produce ─▶ queue ─▶ broker      commit: offsets in the transaction ─▶ its end, which waits for all

A callback for each record that arrives would cost a quarter of what sending it does. So none is asked for: a
transaction fails with the first of its records, without transactions only failures are reported, and where a place that
was named ends is looked up once for each commit.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Set
from typing import TYPE_CHECKING, Any, Final

from drave.client.connection import ANSWER_TIMEOUT_S, Connection, interruptible
from drave.client.errors import told
from drave.streams.errors import Aborted, ClusterTrouble, Fenced, StreamsError
from drave.streams.kafka.consuming import positions
from drave.streams.kafka.patience import OUTAGE_S_MAX, PAUSE_S, faithful
from drave.streams.transport import Committed, Headers, Place

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

logger = logging.getLogger("drave.streams")

Ends = Callable[[Set[Place]], dict[Place, int]]
"""Where places end, looked up."""

TRANSACTION_TIMEOUT_MS: Final = 10_000
PROPERTIES: Final[Mapping[str, Any]] = {
    "linger.ms": 10,
    "batch.num.messages": 100_000,
    "queue.buffering.max.messages": 500_000,
    "delivery.report.only.error": True,
    "reconnect.backoff.max.ms": 500,
    "socket.nagle.disable": True,
}
_FULL_QUEUE_PAUSE_S: Final = 0.05
_FLUSH_STEP_S: Final = 0.5
_FAREWELL_S: Final = 3.0
"""A transaction that cannot be ended in this time, as when no broker answers, is left to its time-out."""

_ANYWHERE: Final = -1
"""The partition of a record whose key decides."""

_FIRST_MS: Final = 1
"""librdkafka takes a timestamp of 0 for "now", so the epoch's first millisecond is written as its second."""

_FENCED: Final = {"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH", "FENCED_INSTANCE_ID"}
_DOOMED: Final = {"_STATE", "_PURGE_QUEUE", "_PURGE_INFLIGHT"}
"""What a record meets when its transaction has failed already."""

_REFUSED: Final = {
    "MSG_SIZE_TOO_LARGE",
    "RECORD_LIST_TOO_LARGE",
    "INVALID_MSG",
    "INVALID_RECORD",
    "INVALID_TIMESTAMP",
    "POLICY_VIOLATION",
    "TOPIC_AUTHORIZATION_FAILED",
    "GROUP_AUTHORIZATION_FAILED",
    "CLUSTER_AUTHORIZATION_FAILED",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    "UNKNOWN_TOPIC_OR_PART",
    "_UNKNOWN_TOPIC",
    "_UNKNOWN_PARTITION",
    "TOPIC_EXCEPTION",
    "INVALID_REQUIRED_ACKS",
    "UNSUPPORTED_COMPRESSION_TYPE",
    "UNSUPPORTED_FOR_MESSAGE_FORMAT",
}
"""Why a record will not arrive however often it is sent."""


class Sender(ABC):
    """What both guarantees share."""

    def __init__(self, connection: Connection, ends: Ends, **properties: Any) -> None:
        self._connection = connection
        self._properties = {**PROPERTIES, **faithful(), **properties}
        self._look_up_ends = ends
        self._named: set[Place] = set()
        """Places that were sent to by their number since the last commit."""
        self._make()

    def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """See `Transport.produce`."""
        where = _ANYWHERE
        if partition is not None:
            where = partition
            self._named.add((topic, partition))
        time_ms = timestamp_ms or _FIRST_MS
        try:  # by position: names would cost as much again as all else that confluent-kafka does
            if headers:
                self._send(topic, value, key, where, None, None, time_ms, list(headers))
            else:
                self._send(topic, value, key, where, None, None, time_ms)
        except Exception as error:
            self._again(error, topic, value, key, where, None, None, time_ms, list(headers) or None)

    def close(self) -> None:
        """What is still queued is forgotten."""
        from drave.client.librdkafka import KafkaException

        try:
            self._producer.purge()
            with interruptible():
                self._producer.poll(0)
        except KafkaException as error:
            logger.debug("the producer had ended before it was closed: %s", error.args[0].str())

    @abstractmethod
    def start(self) -> None: ...
    @abstractmethod
    def begin(self) -> None: ...
    @abstractmethod
    def flush(self) -> None: ...
    @abstractmethod
    def commit(self, offsets: Mapping[Place, Committed]) -> dict[Place, int]: ...
    @abstractmethod
    def abort(self) -> None: ...
    @abstractmethod
    def _meant(self, error: KafkaError, doing: str) -> StreamsError: ...

    def _make(self) -> None:
        self._producer: Producer = self._connection.producer(**self._properties)
        self._send: Callable[..., None] = self._producer.produce

    def _again(self, error: Exception, topic: str, *more: Any) -> None:
        """After a first failure: while the queue is full, wait for room."""
        from drave.client.librdkafka import KafkaException

        while True:
            if isinstance(error, KafkaException):
                raise self._meant(error.args[0], f"send to {topic}") from None
            if not isinstance(error, BufferError):
                raise error
            with interruptible():
                self._producer.poll(_FULL_QUEUE_PAUSE_S)
            try:
                self._send(topic, *more)
            except Exception as next_error:
                error = next_error
            else:
                return

    def _ends(self) -> dict[Place, int]:
        named, self._named = self._named, set()
        return self._look_up_ends(named) if named else {}


class Acknowledged(Sender):
    """At least once: a commit waits until brokers have everything, then the group commits the offsets."""

    def __init__(self, connection: Connection, ends: Ends, commit: Callable[[Mapping[Place, Committed]], None]) -> None:
        super().__init__(connection, ends, on_delivery=self._not_delivered)
        self._commit = commit
        self._failure: StreamsError | None = None

    def start(self) -> None:
        """There is nothing to begin with."""

    def begin(self) -> None:
        """Records go out as they come; only what failed is heard of."""
        with interruptible():
            self._producer.poll(0)

    def flush(self) -> None:
        with interruptible():
            while self._producer.flush(_FLUSH_STEP_S):
                """Each record is delivered or fails within its time-out."""
        if self._failure is not None:
            raise self._failure

    def commit(self, offsets: Mapping[Place, Committed]) -> dict[Place, int]:
        self.flush()
        self._commit(offsets)
        return self._ends()

    def abort(self) -> None:
        self._producer.purge(in_flight=False)
        with interruptible():
            self._producer.poll(0)
        self._failure = None
        self._named.clear()

    def _not_delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and error.name() not in _DOOMED and not isinstance(self._failure, ClusterTrouble):
            sentence = str(told(error, f"send to {message.topic()}"))
            self._failure = ClusterTrouble(sentence) if error.name() in _REFUSED else Aborted(sentence)

    def _meant(self, error: KafkaError, doing: str) -> StreamsError:
        return ClusterTrouble(str(told(error, doing)))


class Transactional(Sender):
    """Exactly once: a transaction for each commit, with the offsets in it.

    A coordinator ends a transaction that lasts too long, as one does that an outage has held up, and fences whoever
    began it. That is no rival: the producer is made anew, and the same records are processed again.
    """

    def __init__(self, connection: Connection, ends: Ends, name: str, membership: Callable[[], object]) -> None:
        super().__init__(
            connection,
            ends,
            **{
                "transactional.id": name,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "message.timeout.ms": TRANSACTION_TIMEOUT_MS,
            },
        )
        self._membership = membership
        self._open = False
        self._since: float | None = None
        """When the transaction's first record was queued; before that no broker knows of it, and none ends it."""
        self._ended_by_broker = False

    def start(self) -> None:
        self._ask(self._producer.init_transactions, "begin transactions")

    def begin(self) -> None:
        if not self._open:
            self._ask(lambda _: self._producer.begin_transaction(), "begin a transaction")
            self._open = True
            self._send = self._send_first
        with interruptible():
            self._producer.poll(0)  # what librdkafka has to tell; of records that arrive it tells nothing

    def flush(self) -> None:
        """The transaction's end does that."""

    def commit(self, offsets: Mapping[Place, Committed]) -> dict[Place, int]:
        self.begin()
        self._begun()
        if offsets:
            asked = positions(offsets)
            self._ask(
                lambda wait_s: self._producer.send_offsets_to_transaction(asked, self._membership(), wait_s),
                "commit offsets",
            )
        self._ask(self._producer.commit_transaction, "commit")
        self._open, self._since = False, None
        return self._ends()

    def abort(self) -> None:
        if self._open and not self._ended_by_broker:
            try:
                self._ask(self._producer.abort_transaction, "abort a transaction")
            except Aborted:
                """The broker has ended it."""
        self._open, self._since = False, None
        self._named.clear()
        if self._ended_by_broker:
            self._ended_by_broker = False
            self._make()
            self.start()

    def close(self) -> None:
        from drave.client.librdkafka import KafkaException

        if self._open and not self._ended_by_broker:
            try:
                with interruptible():
                    self._producer.abort_transaction(_FAREWELL_S)
            except KafkaException as error:
                logger.warning("the last transaction is left to its time-out: %s", error.args[0].str())
        super().close()

    def _send_first(self, *record: Any) -> None:
        """Takes the place of the producer's own call until one record has gone through it."""
        self._begun()
        self._send(*record)

    def _begun(self) -> None:
        self._send = self._producer.produce
        self._since = self._since or time.monotonic()

    def _ask(self, step: Callable[[float], None], doing: str) -> None:
        """Carry out a step of a transaction, again while librdkafka says that it may be. Raises what it comes to."""
        from drave.client.librdkafka import KafkaException

        give_up = time.monotonic() + OUTAGE_S_MAX
        while True:
            try:
                with interruptible():
                    step(ANSWER_TIMEOUT_S)
                return
            except KafkaException as error:
                trouble = error.args[0]
                if not trouble.retriable() or time.monotonic() > give_up:
                    raise self._meant(trouble, doing) from None
            time.sleep(PAUSE_S)

    def _meant(self, error: KafkaError, doing: str) -> StreamsError:
        sentence = str(told(error, doing))
        if error.fatal():
            return self._ended_or_fenced(error, sentence)
        if error.name() in _REFUSED:
            return ClusterTrouble(sentence)
        if error.txn_requires_abort() or error.name() in _DOOMED:
            return Aborted(sentence)
        return ClusterTrouble(sentence)

    def _ended_or_fenced(self, error: KafkaError, sentence: str) -> StreamsError:
        if self._since is not None and (time.monotonic() - self._since) * 1000 >= TRANSACTION_TIMEOUT_MS:
            self._ended_by_broker = True
            return Aborted(f"the transaction has taken longer than {TRANSACTION_TIMEOUT_MS // 1000} s: {sentence}")
        if error.name() in _FENCED:
            return Fenced(f"another process has taken this worker's place: {sentence}")
        return ClusterTrouble(sentence)
