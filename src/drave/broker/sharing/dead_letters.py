"""Dead letters: what share groups give up is kept in another topic, with a word on why (KIP-1191).

    rejected, or delivered too often ──▶ LEAVING ──▶ read from the log ──▶ letter appended, durable
                                                                             └──▶ archived; the member is answered

    the group's    errors.deadletterqueue.topic.name; the record, too, with errors.deadletterqueue.copy.record.enable
    the topic's    drave.dead.letter.topic, for groups that name none: always with the record

A dead-letter topic says that it is one (errors.deadletterqueue.group.enable=true); one that is missing is made so, with
as many partitions as the records' own topic. Where the broker may not write a letter, it says so and the record goes
without one. What is given up of a dead-letter topic goes without, too, so letters never go round in a circle.

The law: a record is archived after its letter is durable. A crash in between brings the record once more, and perhaps a
second letter: its headers tell that it is the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Final, NamedTuple

from drave.broker.context import Pending
from drave.broker.coordinator.schemas.share_state import ShareKey
from drave.broker.coordinator.share.in_flight import GivenUp, Leaving
from drave.catalog import Topic, TopicAlreadyExists, check_topic_name
from drave.log import LogClosed, PartitionLog
from drave.model.errors import DraveError, ErrorCode, ProtocolError
from drave.records import BatchHeader, NewRecord, Record, build_batch, parse_header, read_records, split

if TYPE_CHECKING:
    from drave.broker.core import Broker

logger = logging.getLogger("drave.sharing")

READ_BYTES: Final = 1024 * 1024
READ_BYTES_EACH: Final = 4 * 1024
"""What is read at a time: for each record that leaves, and at most. The first batch comes whole in any case."""
LETTERS_MAX: Final = 500
"""In one batch of dead letters, and no more bytes than were read at a time."""

TAKES: Final = "errors.deadletterqueue.group.enable"


class Destination(NamedTuple):
    """Where letters are wanted."""

    topic: str
    copies: bool
    """Whether the record itself is, or only the word on why."""


class Undeliverable(DraveError):
    """A dead-letter topic that the broker may not write to."""


class DeadLetters:
    """The dead letters of all share groups."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._told: set[tuple[str, str]] = set()
        """Groups and topics of which it was said that their letters are not written."""

    def destination(self, group_id: str, topic: Topic) -> Destination | None:
        """Where this group's dead letters of the topic are wanted; None where nobody wants any."""
        if topic.config.errors_deadletterqueue_group_enable:
            return None
        config = self._broker.groups.config(group_id)
        name = config.text("errors.deadletterqueue.topic.name")
        if name:
            return Destination(name, bool(config.number("errors.deadletterqueue.copy.record.enable")))
        return Destination(topic.config.dead_letter_topic, copies=True) if topic.config.dead_letter_topic else None

    def take(self, key: ShareKey, log: PartitionLog, leaving: Sequence[Leaving]) -> Pending:
        """Write letters of these. Completed with an ErrorCode: NONE when they are durable, so that they may go."""
        written = Pending()
        self._broker.spawn(self._write(key, log, leaving, written), name=f"dead letters of {log}")
        return written

    async def _write(self, key: ShareKey, log: PartitionLog, leaving: Sequence[Leaving], written: Pending) -> None:
        code = ErrorCode.NONE
        try:
            await self._write_all(key, log, leaving)
        except Undeliverable as error:
            self._say(key, log, error)
        except ProtocolError as error:
            if not isinstance(error, LogClosed):  # the broker stops: the records come again
                logger.error("dead letters of %s could not be written, the records come again: %s", log, error)
            code = error.code
        except DraveError as error:
            logger.error("dead letters of %s could not be written, the records come again: %s", log, error)
            code = ErrorCode.KAFKA_STORAGE_ERROR
        except Exception:
            logger.exception("dead letters of %s could not be written, the records come again", log)
            code = ErrorCode.UNKNOWN_SERVER_ERROR
        written.complete(code)

    def _say(self, key: ShareKey, log: PartitionLog, why: Undeliverable) -> None:
        """Once for each group and topic."""
        if (key.group_id, log.name) not in self._told:
            self._told.add((key.group_id, log.name))
            logger.error(
                "what share group %r gives up of %s goes without dead letters: %s", key.group_id, log.name, why
            )

    async def _write_all(self, key: ShareKey, log: PartitionLog, leaving: Sequence[Leaving]) -> None:
        topic = self._broker.catalog.topic_by_id(key.topic_id)
        destination = self.destination(key.group_id, topic) if topic is not None else None
        if topic is None or destination is None:
            return  # the topic was deleted, or nobody wants letters any more
        place = await self._place(destination.topic, topic, key.partition)
        for each in leaving:
            async for records in _given_up(log, each):
                news = [_letter(record, key, topic.name, each, copies=destination.copies) for record in records]
                await self._append(place, news)

    async def _place(self, name: str, source: Topic, partition: int) -> PartitionLog:
        """Where the letters of this partition go. Raises Undeliverable, and what the catalog does."""
        catalog, settings = self._broker.catalog, self._broker.settings
        if not name.startswith(settings.dead_letters_topic_prefix):
            raise Undeliverable(
                f"{name} does not begin with {settings.dead_letters_topic_prefix!r}, as "
                "errors.deadletterqueue.topic.name.prefix says."
            )
        topic = catalog.topic(name)
        if topic is None and not settings.dead_letters_create_topics:
            raise Undeliverable(
                f"there is no topic {name}, and errors.deadletterqueue.auto.create.topics.enable=false; make it, with "
                f"{TAKES}=true."
            )
        if topic is None:
            try:
                check_topic_name(name)
            except ProtocolError as error:
                raise Undeliverable(str(error)) from error
            try:
                topic_id = self._broker.entropy.topic_id()
                topic = await catalog.create_topic(name, topic_id, source.partitions, {TAKES: "true"})
            except TopicAlreadyExists:  # somebody was quicker
                topic = catalog.topic(name)
        if topic is None or not topic.config.errors_deadletterqueue_group_enable:
            raise Undeliverable(f"{name} takes none; set {TAKES}=true on it.")
        if topic.config.cleanup_compact:
            raise Undeliverable(
                f"{name} is compacted, and a letter may have no key; let it have cleanup.policy=delete."
            )
        return self._broker.partition(topic, partition % topic.partitions)

    async def _append(self, place: PartitionLog, news: list[NewRecord]) -> None:
        now_ms = self._broker.clock.wall_ms()
        batch = build_batch(news, timestamp_ms=now_ms)
        appended = place.append(batch, parse_header(batch), now_ms=now_ms)
        durable = asyncio.get_running_loop().create_future()
        place.when_durable(appended.end, partial(durable.set_result, None))
        await durable


async def _given_up(log: PartitionLog, leaving: Leaving) -> AsyncIterator[list[Record]]:
    """The records among these offsets, some at a time. What the log has forgotten meanwhile is not among them."""
    at = max(leaving.first, log.start)
    while at <= leaving.last:
        most = min(READ_BYTES, READ_BYTES_EACH * (leaving.last - at + 1))
        batches = await log.read(at, bytes_max=most, limit=log.durable, whole_first=True)
        if not batches.parts:
            return
        for part in batches.parts:
            for header, batch in split(part):
                if header.base_offset > leaving.last:
                    return
                at = header.last_offset + 1
                found = [] if header.is_control else _records(header, batch, leaving)
                for begin in range(0, len(found), LETTERS_MAX):
                    yield found[begin : begin + LETTERS_MAX]


def _records(header: BatchHeader, batch: memoryview, leaving: Leaving) -> list[Record]:
    """Those that leave. What nobody can read, for its bytes are no records, is told of by its offset alone."""
    first, last = max(leaving.first, header.base_offset), min(leaving.last, header.last_offset)
    try:
        until_last = takewhile(lambda each: each.offset <= last, read_records(batch, header))
        return [each for each in until_last if each.offset >= first]
    except ProtocolError:
        return [Record(offset, -1, None, None) for offset in range(first, last + 1)]


def _letter(record: Record, key: ShareKey, topic: str, leaving: Leaving, *, copies: bool) -> NewRecord:
    """KIP-1191's headers, behind the record's own."""
    context = _headers(
        topic=topic,
        partition=str(key.partition),
        offset=str(record.offset),
        group=key.group_id,
        **{"delivery.count": str(leaving.delivery_count), "message": _why(leaving)},
    )
    if copies:
        return NewRecord(record.key, record.value, None, (*record.headers, *context))
    return NewRecord(None, None, None, tuple(context))


def _headers(**context: str) -> Iterable[tuple[str, bytes]]:
    return [(f"__dlq.errors.{name}", value.encode()) for name, value in context.items()]


def _why(leaving: Leaving) -> str:
    if leaving.why is GivenUp.REJECTED:
        return "A consumer rejected it."
    return f"It was delivered {leaving.delivery_count} times, as often as the group wants it to be."
