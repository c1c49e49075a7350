"""Reading changelogs: a few consumers without a group, one for each read that is under way.

    start ─▶ records … │ marker │ ─▶ end          done: a record at or behind the end, or the broker says "the end"

The markers of transactions take offsets too and are never returned, so a read does not end at a record's offset. A
`Follower` does not end at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, cast

from drave.client.connection import Connection, interruptible
from drave.client.errors import told
from drave.streams.errors import ClusterTrouble, StreamsError
from drave.streams.kafka.consuming import PROPERTIES
from drave.streams.kafka.patience import IN_PASSING, Outage, faithful
from drave.streams.transport import Message, Place

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError
    from confluent_kafka import Message as RawMessage

READERS_MAX: Final = 4
"""Each has threads and buffers of its own; who comes when all are busy waits."""

_PORTION: Final = 5_000
_WAIT_S: Final = 0.01
_ANSWER_S: Final = 1.0
_END: Final = "_PARTITION_EOF"


class Changelogs:
    def __init__(self, connection: Connection, app: str) -> None:
        self._connection = connection
        self._group = f"{app}-restore"  # librdkafka wants one; nothing is ever committed under it
        self._idle: list[_Reader] = []
        self._all: list[_Reader] = []

    def read(self, place: Place, start: int, end: int) -> Iterator[Sequence[Message]]:
        """See `Transport.read`."""
        if start >= end:
            return
        while not self._idle and len(self._all) >= READERS_MAX:
            yield ()
        reader = self._idle.pop() if self._idle else self._made()
        try:
            yield from reader.read(place, start, end)
        finally:
            reader.rest()
            self._idle.append(reader)

    def close(self) -> None:
        for reader in self._all:
            reader.close()
        self._all.clear()

    def _made(self) -> _Reader:
        reader = _Reader(self._connection, self._group)
        self._all.append(reader)
        return reader


class _Alone:
    """A consumer that joins no group."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._outage = Outage(connection.bootstrap, self._answers)
        self._consumer: Consumer = connection.consumer(
            name, **PROPERTIES, **faithful(), **{"client.id": name, "error_cb": self._outage.heard}
        )

    def close(self) -> None:
        self._consumer.close()

    def _portion(self, wait_s: float) -> list[RawMessage]:
        """What there is, ends and errors among it; waits for the first only."""
        with interruptible():
            first = self._consumer.poll(wait_s)
            messages = [] if first is None else [first, *self._consumer.consume(_PORTION, 0)]
        if not messages:
            self._outage.mind()
        return messages

    def _mind(self, error: KafkaError, topic: str) -> None:
        if error.name() not in IN_PASSING:
            raise ClusterTrouble(str(told(error, f"read {topic}")))
        self._outage.heard(error)

    def _answers(self) -> bool:
        from drave.client.librdkafka import KafkaException

        try:
            with interruptible():
                self._consumer.list_topics(timeout=_ANSWER_S)
        except KafkaException:
            return False
        return True


class Follower(_Alone):
    """All committed records of some places from their beginning, and those that come."""

    def __init__(self, connection: Connection, name: str, places: Sequence[Place]) -> None:
        from drave.client.librdkafka import OFFSET_BEGINNING, TopicPartition

        super().__init__(connection, name)
        self._behind = set(places)
        self._consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in places])

    @property
    def caught_up(self) -> bool:
        """Whether the end of each place has been reached once."""
        return not self._behind

    def poll(self, wait_s: float) -> Sequence[Message]:
        records: list[RawMessage] = []
        for message in self._portion(wait_s):
            error = message.error()
            if error is None:
                records.append(message)
            elif error.name() == _END:
                self._behind.discard((message.topic() or "", message.partition() or 0))
            else:
                self._mind(error, message.topic() or "a changelog")
        return cast("list[Message]", records)


class _Reader(_Alone):
    def read(self, place: Place, start: int, end: int) -> Iterator[Sequence[Message]]:
        from drave.client.librdkafka import TopicPartition

        self._consumer.assign([TopicPartition(*place, start)])
        done = False
        while not done:
            records: list[RawMessage] = []
            for message in self._portion(_WAIT_S):
                done = done or self._is_behind(message, place, end)
                if not done and message.error() is None:
                    records.append(message)
            if records and (records[-1].offset() or 0) + 1 == end:
                done = True
            yield cast("list[Message]", records)

    def rest(self) -> None:
        self._consumer.unassign()

    def _is_behind(self, message: RawMessage, place: Place, end: int) -> bool:
        """Whether nothing before `end` can come after this. Raises StreamsError when the changelog is too short."""
        error = message.error()
        offset = message.offset() or 0
        if error is None:
            return offset >= end
        if error.name() == _END:
            if offset < end:
                raise StreamsError(
                    f"{place[0]}-{place[1]} ends at offset {offset}, and was committed up to {end}: records are lost, "
                    "or the topic was made anew. Reset the app, or bring the topic back"
                )
            return True
        self._mind(error, f"{place[0]}-{place[1]}")
        return False
