"""The consumer in the app's group: which places are ours, and their records.

    consume ─▶ records          any errors among them? ─▶ sorted out one by one: ends, outages, refusals
       └─▶ assigned, revoked, lost ─▶ the listener, on the engine's thread

librdkafka has one queue for all places, and one call takes thousands of records from it; what is done here is done once
for such a call, not for each record. Eager `range` assignment co-partitions topics that have equally many partitions.
A member is known by the worker's name (KIP-345): one that restarts takes its places back without a rebalance.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Final, cast

from drave.client.connection import ANSWER_TIMEOUT_S, Connection, answers, interruptible
from drave.client.errors import told
from drave.streams.errors import Aborted, ClusterTrouble, Fenced
from drave.streams.kafka.patience import IN_PASSING, Outage, faithful, patiently
from drave.streams.transport import Assignments, Committed, Message, Place

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, TopicPartition
    from confluent_kafka import Message as RawMessage

logger = logging.getLogger("drave.streams")

SESSION_TIMEOUT_MS: Final = 10_000
HEARTBEAT_MS: Final = 1_000
"""How soon a member hears of a rebalance."""

PROPERTIES: Final[Mapping[str, Any]] = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "enable.partition.eof": True,
    "fetch.wait.max.ms": 20,  # one fetch for all places of a broker: the busy ones wait for the quiet ones
    "fetch.queue.backoff.ms": 10,  # how long fetching rests when the queue is full; librdkafka's own is a second
    "reconnect.backoff.max.ms": 500,
    "socket.nagle.disable": True,
}
_FATAL: Final = {"_FATAL", "FENCED_INSTANCE_ID"}
_RIVAL_S: Final = 30.0
"""Whose name is taken again so soon has a rival."""

_END: Final = "_PARTITION_EOF"
_NOT_OURS: Final = {
    "ILLEGAL_GENERATION",
    "UNKNOWN_MEMBER_ID",
    "REBALANCE_IN_PROGRESS",
    "STALE_MEMBER_EPOCH",
    "FENCED_MEMBER_EPOCH",
    "_ASSIGNMENT_LOST",
    "_STATE",
    "FENCED_INSTANCE_ID",
    "_FATAL",  # `poll` finds out why
}
"""Why a member's commit is refused: its places are another's, or are about to be."""

_NOT_STARTED: Final = frozenset({"_STATE", "_PREV_IN_PROGRESS", "_IN_PROGRESS"})
"""What a seek meets while librdkafka still looks up where the place begins."""


class _NameTaken(Exception):
    """Another member has this worker's name."""


class GroupConsumer:
    """`name` is the member's; without one it is a new member at each start."""

    def __init__(self, connection: Connection, group: str, name: str | None) -> None:
        self._connection = connection
        self._group = group
        self._static = {} if name is None else {"group.instance.id": name}
        self._outage = Outage(connection.bootstrap, lambda: answers(self._consumer))
        self._consumer = self._made()
        self._topics: list[str] = []
        self._listener: Assignments | None = None
        self._held: set[Place] = set()
        self._joined_again_at = -inf
        self._gone: set[Place] = set()
        """Places that went while the call to librdkafka that is under way collected records."""
        self._ended: dict[Place, int] = {}
        """Places whose end was reached, and their position then."""
        self._kept: BaseException | None = None
        """What the listener raised; librdkafka must not see it."""

    def subscribe(self, topics: Sequence[str], listener: Assignments) -> None:
        self._topics, self._listener = list(topics), listener
        self._join(listener)

    def _made(self) -> Consumer:
        return self._connection.consumer(
            self._group,
            **PROPERTIES,
            **faithful(),
            **self._static,
            **{
                "client.id": self._group,
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                "heartbeat.interval.ms": HEARTBEAT_MS,
                "partition.assignment.strategy": "range",
                "error_cb": self._outage.heard,
            },
        )

    def _join(self, listener: Assignments) -> None:
        def on_assign(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            consumer.assign(partitions)  # before the listener, who may pause them
            self._tell(listener.assigned, self._came(partitions))

        def on_revoke(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            self._tell(listener.revoked, self._went(partitions))

        def on_lost(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            self._tell(listener.lost, self._went(partitions))

        self._consumer.subscribe(self._topics, on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)

    def _join_again(self) -> None:
        """After an outage the group may know this worker as a new member, in whom the old one sees a rival (KIP-345).

        librdkafka takes that for the end of its consumer, so another one is made. Raises Fenced when it happens again
        too soon, for then there is a rival.
        """
        now = time.monotonic()
        if now - self._joined_again_at < _RIVAL_S:
            raise Fenced("another process has joined the group under this worker's name")
        self._joined_again_at = now
        logger.warning("the group has met this worker's name again, as after an outage; joining it anew")
        old, self._consumer = self._consumer, self._made()
        lost = sorted(self._held)
        self._held.clear()
        self._ended.clear()
        with interruptible():
            old.close()
        if self._listener is not None:
            self._kept = None
            self._listener.lost(lost)
            self._join(self._listener)

    # -- records

    def poll(self, records_max: int, timeout_s: float) -> Sequence[Message]:
        with interruptible():
            messages = self._consumer.consume(records_max, 0)
            if not messages and timeout_s > 0:  # `consume` would wait until so many are there
                first = self._consumer.poll(timeout_s)
                self._gone.clear()  # it tells what it has to tell before it takes a record
                if first is not None:
                    messages = [first, *self._consumer.consume(records_max, 0)]
        if self._kept is not None:
            kept, self._kept = self._kept, None
            raise kept
        if not messages:
            self._gone.clear()
            self._outage.mind()
        elif self._gone or any(map(_error(), messages)):
            try:
                messages = self._sorted_out(messages)
            except _NameTaken:
                self._join_again()
                messages = []
        return cast("list[Message]", messages)

    def at_end(self, place: Place) -> bool:
        """An end is one no longer when records have come since."""
        ended = self._ended.get(place)
        return ended is not None and ended == self._position(place)

    def end(self, place: Place) -> int | None:
        """As the last fetch told it."""
        high = self._consumer.get_watermark_offsets(_partition(place), cached=True)[1]
        return high if high >= 0 else None

    def _sorted_out(self, messages: Iterable[RawMessage]) -> list[RawMessage]:
        """Only records, and only of places that are ours."""
        records: list[RawMessage] = []
        ended: set[Place] = set()
        for message in messages:
            place = (message.topic() or "", message.partition() or 0)
            error = message.error()
            if place in self._gone:
                continue
            if error is None:
                ended.discard(place)
                records.append(message)
            elif error.name() == _END:
                ended.add(place)
            else:
                self._mind(error)
        self._gone.clear()
        self._ended |= {place: self._position(place) for place in ended}
        return records

    def _position(self, place: Place) -> int:
        return self._consumer.position([_partition(place)])[0].offset

    def _mind(self, error: KafkaError) -> None:
        name = error.name()
        if name in IN_PASSING:
            self._outage.heard(error)
        elif name == "_MAX_POLL_EXCEEDED":
            logger.warning(
                "nothing was polled for too long, and the group has given our partitions away: %s", error.str()
            )
        elif name in _FATAL and "group.instance.id" in error.str():
            raise _NameTaken
        else:
            raise ClusterTrouble(str(told(error, f"read {', '.join(self._topics)}")))

    # -- where to read

    def pause(self, places: Iterable[Place]) -> None:
        self._consumer.pause([_partition(place) for place in places if place in self._held])

    def resume(self, places: Iterable[Place]) -> None:
        self._consumer.resume([_partition(place) for place in places if place in self._held])

    def seek(self, place: Place, offset: int) -> None:
        self._ended.pop(place, None)
        asked = _partition(place, offset)
        patiently(lambda: self._consumer.seek(asked), f"go to offset {offset} of {place[0]}-{place[1]}", _NOT_STARTED)

    # -- offsets

    def committed(self, places: Sequence[Place]) -> dict[Place, Committed]:
        """With `read_committed` a broker does not answer while a transaction could still change it (KIP-447)."""
        asked = [_partition(place) for place in places]
        found = patiently(lambda: self._committed(asked), "read what the group has committed")
        return {
            (each.topic, each.partition): Committed(each.offset, each.metadata or "")
            for each in found
            if each.offset >= 0
        }

    def _committed(self, asked: list[TopicPartition]) -> list[TopicPartition]:
        found = self._consumer.committed(asked, timeout=ANSWER_TIMEOUT_S)
        for each in found:
            if each.error is not None:
                raise told(each.error, "read what the group has committed")
        return found

    def membership(self) -> object:
        """Who we are in the group, for a transaction. Raises Aborted when we are nobody.

        A broker takes a nobody's offsets for those of an old client, and does not fence them.
        """
        before = self._consumer.memberid()
        metadata: object = self._consumer.consumer_group_metadata()
        if not before or before != self._consumer.memberid():
            raise Aborted("the group has given this member's places away")
        return metadata

    def commit(self, offsets: Mapping[Place, Committed]) -> None:
        """Without a transaction. Raises Aborted when the places are no longer ours."""
        if offsets:
            asked = positions(offsets)
            patiently(lambda: self._commit(asked), "commit offsets")

    def _commit(self, asked: list[TopicPartition]) -> None:
        from drave.client.librdkafka import KafkaException

        try:
            done = self._consumer.commit(offsets=asked, asynchronous=False)
            for each in done or ():
                if each.error is not None:
                    raise KafkaException(each.error)
        except KafkaException as error:
            if error.args[0].name() in _NOT_OURS:
                raise Aborted(str(told(error.args[0], "commit offsets"))) from None
            raise

    # -- life

    def close(self) -> None:
        with interruptible():
            self._consumer.close()
        if self._kept is not None:
            kept, self._kept = self._kept, None
            raise kept

    def _tell(self, listener: Callable[[list[Place]], None], places: list[Place]) -> None:
        try:
            listener(places)
        except BaseException as error:
            self._kept = self._kept or error

    def _came(self, partitions: list[TopicPartition]) -> list[Place]:
        places = [(each.topic, each.partition) for each in partitions]
        self._held.update(places)
        return places

    def _went(self, partitions: list[TopicPartition]) -> list[Place]:
        places = [(each.topic, each.partition) for each in partitions]
        self._gone.update(places)
        self._held.difference_update(places)
        for place in places:
            self._ended.pop(place, None)
        return places


def positions(offsets: Mapping[Place, Committed]) -> list[TopicPartition]:
    from drave.client.librdkafka import TopicPartition

    return [TopicPartition(*place, committed.offset, committed.metadata) for place, committed in offsets.items()]


def _partition(place: Place, offset: int | None = None) -> TopicPartition:
    from drave.client.librdkafka import TopicPartition

    return TopicPartition(*place) if offset is None else TopicPartition(*place, offset)


def _error() -> Callable[[RawMessage], KafkaError | None]:
    """Unbound, so that `map` asks thousands of records without a Python step between."""
    from drave.client.librdkafka import Message

    return Message.error
