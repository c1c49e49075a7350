"""Reading records: from a start to the end, or for ever; alone or in a group.

    alone       every partition (or one), from the start that was asked for; nothing is remembered
    in a group  the partitions that the group gives, from where it has committed; the start is for its first time

The end is where a partition ended when reading began; in a group, where the broker says that nothing more is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from drave.client.connection import Connection, answers, interruptible
from drave.client.errors import ClientError, NotFound, Unreachable, told
from drave.client.topics import TopicPartitionId, Topics

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

_ALONE: Final = "drave-reader"
"""librdkafka wants a group id even from a consumer that joins none; nothing is ever committed under it."""

_WAIT_S: Final = 0.2
"""How long one wait for records lasts, so that Ctrl-C is heard in between."""

_FETCH_WAIT_MS: Final = 20
"""How long a broker may hold back the answer that nothing more is there, when that is all we wait for."""

_UNTIL_EOF: Final = 1 << 63
"""An end that no offset reaches."""

_AT_ONCE_MAX: Final = 1000
_SILENCE_S_MAX: Final = 30.0
_IN_PASSING: Final = {"_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_RESOLVE"}
"""Errors that librdkafka works on by itself, as when a broker restarts."""


@dataclass(frozen=True, slots=True)
class FromBeginning:
    """Everything that is still there."""


@dataclass(frozen=True, slots=True)
class FromEnd:
    """Only what is written from now on."""


@dataclass(frozen=True, slots=True)
class FromTime:
    """Records of this moment and later."""

    time_ms: int


@dataclass(frozen=True, slots=True)
class FromOffset:
    """From one offset; a negative one counts back from the end."""

    offset: int


Start = FromBeginning | FromEnd | FromTime | FromOffset


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What to read. A group takes no single partition, and starts from the beginning or the end only."""

    topics: Sequence[str]
    start: Start = FromEnd()
    follow: bool = True
    partition: int | None = None
    group: str | None = None


class Reader:
    """Iterate over it for records; call `processed` for each that is done with.

    `idle` is called before each wait; `outage` with True when no broker answers any more, and with False when one does
    again. Raises NotFound when a topic is not there, and ClientError otherwise.
    """

    def __init__(
        self,
        connection: Connection,
        reading: Reading,
        *,
        idle: Callable[[], None] = lambda: None,
        outage: Callable[[bool], None] = lambda away: None,
    ) -> None:
        self._reading = reading
        self._idle = idle
        self._outage = outage
        self._away = self._may_be_away = False
        self._last_trouble: KafkaError | None = None
        self._unfinished: dict[TopicPartitionId, int] = {}
        self._assigned = False
        topics = Topics(connection)
        there = [each for topic in reading.topics for each in topics.partitions(topic)]
        starts = {} if reading.group else self._starts(topics, there)
        until_end = {"enable.partition.eof": True, "fetch.wait.max.ms": _FETCH_WAIT_MS} if not reading.follow else {}
        self._consumer = connection.consumer(
            reading.group or _ALONE,
            **{
                **until_end,
                "error_cb": self._on_error,
                "enable.auto.commit": reading.group is not None,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest" if isinstance(reading.start, FromBeginning) else "latest",
            },
        )
        if reading.group:
            self._consumer.subscribe(list(reading.topics), on_assign=self._on_assign, on_revoke=self._on_revoke)
        else:
            self._assign(starts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._consumer.close()

    def __iter__(self) -> Iterator[Message]:
        silent_s = 0.0
        while not self._at_the_end():
            self._idle()
            with interruptible():
                first = self._consumer.poll(_WAIT_S)
            self._mind_outage(answered=first is not None)
            if first is None:
                silent_s += _WAIT_S
                self._mind_silence(silent_s)
                continue
            silent_s = 0.0
            yield from self._records([first])
            yield from self._records(self._consumer.consume(_AT_ONCE_MAX, 0))
        self._idle()

    def processed(self, message: Message) -> None:
        """Note that a group need not read `message` again."""
        if self._reading.group is None:
            return
        from drave.client.librdkafka import KafkaException

        try:
            self._consumer.store_offsets(message=message)
        except KafkaException:
            return  # the partition went to another member, which will read it again

    def _records(self, messages: Sequence[Message]) -> Iterator[Message]:
        for message in messages:
            error = message.error()
            if error is None:
                yield message
                self._reached(message, (message.offset() or 0) + 1)
            elif error.name() == "_PARTITION_EOF":
                self._reached(message, None)
            elif error.name() not in _IN_PASSING:
                raise told(error, f"read {', '.join(self._reading.topics)}")

    # -- the end

    def _reached(self, message: Message, position: int | None) -> None:
        """Note how far a partition has been read; None is its end as it is now."""
        if self._unfinished:
            partition = TopicPartitionId(message.topic() or "", message.partition() or 0)
            if position is None or position >= self._unfinished.get(partition, position):
                self._unfinished.pop(partition, None)

    def _at_the_end(self) -> bool:
        return self._assigned and not self._unfinished and not self._reading.follow

    def _mind_silence(self, silent_s: float) -> None:
        if not self._reading.follow and silent_s >= _SILENCE_S_MAX:
            why = f": {self._last_trouble.str()}" if self._last_trouble else ""
            raise Unreachable(f"nothing came for {_SILENCE_S_MAX:.0f} s, and the end is not reached{why}")

    # -- outages

    def _mind_outage(self, *, answered: bool) -> None:
        """What librdkafka says of outages may be old news when it is heard: a broker is asked before it is told."""
        if self._away or self._may_be_away:
            away = not answered and not answers(self._consumer, self._reading.topics[0])
            self._may_be_away = False
            if away != self._away:
                self._away = away
                self._outage(away)

    def _on_error(self, error: KafkaError) -> None:
        self._last_trouble = error
        self._may_be_away |= error.name() == "_ALL_BROKERS_DOWN"

    # -- alone

    def _assign(self, starts: Mapping[TopicPartitionId, int]) -> None:
        from drave.client.librdkafka import TopicPartition

        self._consumer.assign([TopicPartition(*each, offset) for each, offset in starts.items()])
        self._assigned = True

    def _starts(self, topics: Topics, there: Sequence[TopicPartitionId]) -> dict[TopicPartitionId, int]:
        """Where each partition starts, as numbers; what has to be read up to the end is noted on the way."""
        wanted = [each for each in there if self._reading.partition in (None, each.partition)]
        if not wanted:
            raise NotFound(f"topic {self._reading.topics[0]} has no partition {self._reading.partition}")
        bounds = topics.bounds(wanted)
        start = self._reading.start
        match start:
            case FromBeginning():
                starts = {each: where.start for each, where in bounds.items()}
            case FromEnd():
                starts = {each: where.end for each, where in bounds.items()}
            case FromTime(time_ms):
                starts = topics.offsets_since(wanted, time_ms)
            case FromOffset(offset):
                starts = {
                    each: offset if offset >= 0 else max(where.start, where.end + offset)
                    for each, where in bounds.items()
                }
        for each, where in bounds.items():
            if isinstance(start, FromOffset) and not where.start <= starts[each] <= where.end:
                raise ClientError(f"offset {starts[each]} of {each} is outside {where.start}..{where.end}")
        self._unfinished = {each: where.end for each, where in bounds.items() if starts[each] < where.end}
        return starts

    # -- in a group

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._assigned = True
        self._unfinished |= {TopicPartitionId(each.topic, each.partition): _UNTIL_EOF for each in partitions}

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._unfinished.pop(TopicPartitionId(each.topic, each.partition), None)
