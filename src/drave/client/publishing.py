"""Sending records to one topic, and knowing that they arrived.

librdkafka queues, batches and retries; what is left to do is to wait when its queue is full, to count what brokers have
acknowledged, and to stop at the first record that they refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from drave.client.connection import Connection, interruptible
from drave.client.errors import ClientError, Unreachable, told

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

Headers = Sequence[tuple[str, bytes | None]]

_FULL_QUEUE_PAUSE_S: Final = 0.1
_FLUSH_STEP_S: Final = 0.5
_FAREWELL_S: Final = 5.0


class Publisher:
    """A producer for one topic. A block that it is used in ends with `finish`; when the block fails for a reason of its
    own, what was queued until then still goes out."""

    def __init__(self, connection: Connection, topic: str, **properties: Any) -> None:
        connection.check()
        self.topic = topic
        self.delivered = 0
        """Records that brokers have acknowledged."""
        self._failure: ClientError | None = None
        self._producer = connection.producer(error_cb=self._on_error, **properties)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            self.finish()
            return
        if self._failure is not None:
            self._producer.purge()
        self._flush(_FAREWELL_S)

    def send(
        self,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: Headers = (),
        timestamp_ms: int | None = None,
        partition: int | None = None,
    ) -> None:
        """Queue one record; waits while the queue is full. Raises the ClientError of a record that was refused."""
        from drave.client.librdkafka import KafkaException

        more: dict[str, Any] = {}
        if headers:
            more["headers"] = list(headers)
        if timestamp_ms is not None:
            more["timestamp"] = timestamp_ms
        if partition is not None:
            more["partition"] = partition
        while True:
            try:
                self._producer.produce(self.topic, value, key, on_delivery=self._on_delivery, **more)
                break
            except BufferError:
                self.wait(_FULL_QUEUE_PAUSE_S)
            except KafkaException as error:
                raise told(error.args[0], f"send to {self.topic}") from None
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Let acknowledgements come in for so long. Raises the ClientError of a record that was refused."""
        with interruptible():
            self._producer.poll(seconds)
        if self._failure is not None:
            raise self._failure

    def finish(self) -> None:
        """Wait until every record is acknowledged. Raises the ClientError of one that was refused."""
        while self._flush(_FLUSH_STEP_S):
            self.wait(0)
        self.wait(0)

    def _flush(self, seconds: float) -> int:
        """How many records are still on their way after at most so long."""
        with interruptible():
            return self._producer.flush(seconds)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.delivered += 1
        elif self._failure is None:
            self._failure = told(error, f"send to {self.topic}")

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal() and self._failure is None:
            self._failure = Unreachable(f"cannot send to {self.topic}: {error.str()}")
