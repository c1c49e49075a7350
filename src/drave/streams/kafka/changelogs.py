"""Reading changelogs: a few consumers without a group, one for each read that is under way.

    start ─▶ records … │ marker │ ─▶ end          done: a record at or behind the end, or the broker says "the end"

The markers of transactions take offsets too and are never returned, so a read does not end at a record's offset. A
`Follower` does not end at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Final, cast

from drave.client.connection import Connection, answers, interruptible
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
        self._outage = Outage(connection.bootstrap, lambda: answers(self._consumer))
        self._consumer: Consumer = connection.consumer(
            name, **PROPERTIES, **faithful(), **{"client.id": name, "error_cb": self._outage.heard}
        )

    def close(self) -> None:
        self._consumer.close()

    def _portion(self, wait_s: float, records_max: int = _PORTION) -> list[RawMessage]:
        """What there is, ends and errors among it; waits for the first only."""
        with interruptible():
            first = self._consumer.poll(wait_s)
            messages = [] if first is None else [first, *self._consumer.consume(records_max, 0)]
        if not messages:
            self._outage.mind()
        return messages

    def _mind(self, error: KafkaError, topic: str) -> None:
        if error.name() not in IN_PASSING:
            raise ClusterTrouble(str(told(error, f"read {topic}")))
        self._outage.heard(error)


class Follower(_Alone):
    """See `Following`."""

    def __init__(self, connection: Connection, name: str) -> None:
        super().__init__(connection, name)
        self._places: Set[Place] = frozenset()
        self._held: Set[Place] = frozenset()
        self._reached: dict[Place, int] = {}

    def follow(self, places: Mapping[Place, int]) -> None:
        from drave.client.librdkafka import TopicPartition

        self._places, self._held, self._reached = places.keys(), frozenset(), {}
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in places.items()])

    def hold(self, places: Set[Place]) -> None:
        from drave.client.librdkafka import TopicPartition

        self._consumer.pause([TopicPartition(*place) for place in places - self._held])
        self._consumer.resume([TopicPartition(*place) for place in self._held - places])
        self._held = places

    @property
    def caught_up(self) -> bool:
        """Whether the end of each place has been reached once."""
        return len(self._reached) == len(self._places)

    def reached(self, place: Place) -> int:
        return self._reached.get(place, 0)

    def poll(self, wait_s: float, records_max: int = _PORTION) -> Sequence[Message]:
        records: list[RawMessage] = []
        for message in self._portion(wait_s, records_max):
            error = message.error()
            if error is None:
                records.append(message)
            elif error.name() == _END:
                self._reached[message.topic() or "", message.partition() or 0] = message.offset() or 0
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
