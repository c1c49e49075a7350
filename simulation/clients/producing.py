"""Producers: plain ones with any acks, and idempotent ones with up to five batches in flight.

    records ─▶ Outgoing ─▶ Produce ─▶ done, with offsets
                  ▲                ├▶ refused for sure
                  └── once more ───┴▶ unanswered: from now on nobody knows

What was unanswered once stays uncertain until some try is done: a refusal of a later try says nothing about the first.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from drave.model.errors import ErrorCode
from drave.records import Codec
from drave.wire.api import ApiKey
from drave.wire.messages.k00_produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from drave.wire.messages.k22_init_producer_id import InitProducerIdRequest
from simulation.clients.caller import TRY_AGAIN, Caller, Unanswered
from simulation.clients.carrying import NO_PRODUCER, batch_of, value_of
from simulation.history import Outcome, Partition, SentRecord, Source, Transaction
from simulation.world import ConnectionLost

if TYPE_CHECKING:
    from simulation.world import Connection

BY_ID_SINCE: Final = 13
ZSTD_SINCE: Final = 7
IN_FLIGHT_MAX: Final = 5
IMPATIENCE: Final = 0.15
"""How often a producer gives its connection up while it waits."""
UNSURE: Final = frozenset(
    (
        ErrorCode.UNKNOWN_SERVER_ERROR,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.NETWORK_EXCEPTION,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    )
)
"""Codes after which the batch may be in the log all the same."""
DISHONEST: Final = frozenset(
    (
        ErrorCode.CORRUPT_MESSAGE,
        ErrorCode.INVALID_RECORD,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.INVALID_TIMESTAMP,
        ErrorCode.UNSUPPORTED_VERSION,
        ErrorCode.UNKNOWN_SERVER_ERROR,
    )
)
"""Codes that nobody is told who sends what is right."""


@dataclass(slots=True, eq=False)
class Outgoing:
    """One batch, until its outcome is known."""

    partition: Partition
    records: list[SentRecord]
    codec: Codec
    data: bytes
    uncertain: bool = False
    """A try of it was never answered."""
    sequence: int = -1


class Producer:
    """What all producers share: making batches, sending them, telling the history."""

    def __init__(self, caller: Caller, *, keys: Sequence[bytes | None] = (None,), tombstones: bool = False) -> None:
        self.caller = caller
        self._keys = keys
        self._tombstones = tombstones

    def batch(
        self,
        partition: Partition,
        count: int,
        *,
        transaction: Transaction | None = None,
        idempotent: bool = False,
        sources: Sequence[Source] = (),
    ) -> Outgoing:
        """New records for a partition, not sent yet."""
        records = [
            self._record(partition, transaction, idempotent, sources[number] if sources else None)
            for number in range(count)
        ]
        return Outgoing(partition, records, self._codec(), b"")

    def _record(
        self, partition: Partition, transaction: Transaction | None, idempotent: bool, source: Source | None
    ) -> SentRecord:
        caller, random = self.caller, self.caller.random
        mark = caller.history.sends(caller.name, partition)
        key = random.choice(self._keys)
        dead = self._tombstones and key is not None and random.random() < 0.2
        record = SentRecord(
            by=caller.name,
            asked=caller.history.now(),
            mark=mark,
            partition=partition,
            key=key,
            value=None if dead else value_of(mark, random.choice((0, 10, 100, 100, 1000))),
            timestamp_ms=caller.world.wall_ms(),
            idempotent=idempotent,
            by_id=caller.version(ApiKey.PRODUCE) >= BY_ID_SINCE,
            transaction=transaction,
            source=source,
        )
        caller.history.records[mark] = record
        return record

    def _codec(self) -> Codec:
        codec: Codec = self.caller.random.choice((Codec.NONE, Codec.NONE, *Codec))
        if codec is Codec.ZSTD and self.caller.version(ApiKey.PRODUCE) < ZSTD_SINCE:
            return Codec.NONE
        return codec

    def request(
        self, outgoing: Iterable[Outgoing], *, acks: int = -1, transactional_id: str | None = None
    ) -> ProduceRequest:
        """A Produce with these batches, each for a partition of its own."""
        topics: dict[str, TopicProduceData] = {}
        for each in outgoing:
            for record in each.records:
                record.tries += 1
            topic = each.partition.topic
            if topic not in topics:
                topics[topic] = TopicProduceData(name=topic, topic_id=each.partition.topic_id, partition_data=[])
            topics[topic].partition_data.append(PartitionProduceData(index=each.partition.index, records=each.data))
        return ProduceRequest(
            transactional_id=transactional_id, acks=acks, timeout_ms=30_000, topic_data=list(topics.values())
        )

    async def send(
        self,
        outgoing: Sequence[Outgoing],
        *,
        acks: int = -1,
        transactional_id: str | None = None,
        connection: Connection | None = None,
    ) -> list[PartitionProduceResponse]:
        """One Produce, and the answer for each batch. Raises Unanswered."""
        request = self.request(outgoing, acks=acks, transactional_id=transactional_id)
        try:
            reply: ProduceResponse = await self.caller.ask(request, connection=connection)
        except Unanswered:
            for each in outgoing:
                each.uncertain = True
            raise
        answers = {
            (topic.name or topic.topic_id, partition.index): partition
            for topic in reply.responses
            for partition in topic.partition_responses
        }
        by_id = self.caller.version(ApiKey.PRODUCE) >= BY_ID_SINCE
        found = []
        for each in outgoing:
            place = each.partition
            answer = answers[place.topic_id if by_id else place.topic, place.index]
            each.uncertain |= answer.error_code in UNSURE
            found.append(answer)
        return found

    def done(self, outgoing: Outgoing, answer: PartitionProduceResponse) -> None:
        """It is in the log."""
        for at, record in enumerate(outgoing.records):
            if answer.base_offset >= 0:
                record.offset = answer.base_offset + at
            self.caller.history.tell(record, Outcome.DONE)

    def refused(self, outgoing: Outgoing, answer: PartitionProduceResponse) -> None:
        """It will never be in the log, unless a try before is there already."""
        code = ErrorCode(answer.error_code)
        if code in DISHONEST:
            self.caller.history.complain(self.caller.name, code, f"{answer.error_message}")
        if not outgoing.uncertain:
            for record in outgoing.records:
                self.caller.history.tell(record, Outcome.REFUSED)


class PlainProducer(Producer):
    """Neither idempotent nor transactional: what it sends twice may be there twice."""

    def __init__(
        self, caller: Caller, topics: Sequence[str], *, keys: Sequence[bytes | None] = (None,), tombstones: bool = False
    ) -> None:
        super().__init__(caller, keys=keys, tombstones=tombstones)
        self._topics = topics
        self._acks = caller.random.choice((0, 1, -1, -1))

    async def live(self, requests: int) -> None:
        """Send so many requests, each of them a few times if it has to be."""
        random = self.caller.random
        for _ in range(requests):
            await self.caller.rest(0.3)
            known = await self.caller.partitions(*self._topics)
            places = [place for each in known.values() for place in each]
            if places:
                chosen = random.sample(places, min(len(places), random.choice((1, 1, 2, 3))))
                outgoing = [self.batch(place, random.randint(1, 4)) for place in chosen]
                for each in outgoing:
                    each.data = batch_of(each.records, codec=each.codec)
                await (self._send_blindly if self._acks == 0 else self._send_asking)(outgoing)
            await self.caller.world.sleep(random.choice((0, 1, 10, 100)))

    async def _send_blindly(self, outgoing: list[Outgoing]) -> None:
        connection = await self.caller.connected()
        request = self.request(outgoing, acks=0)
        try:
            connection.send(request, self.caller.version(ApiKey.PRODUCE))
        except ConnectionLost:
            self.caller.lose(connection)

    async def _send_asking(self, outgoing: list[Outgoing]) -> None:
        for _ in range(self.caller.random.choice((1, 3, 10))):
            try:
                answers = await self.send(outgoing, acks=self._acks)
            except Unanswered:
                await self.caller.back_off()
                continue
            left = []
            for each, answer in zip(outgoing, answers, strict=True):
                if answer.error_code == ErrorCode.NONE:
                    self.done(each, answer)
                elif answer.error_code in TRY_AGAIN:
                    left.append(each)
                else:
                    self.refused(each, answer)
            if not left:
                return
            outgoing = left
            await self.caller.back_off()


class IdempotentProducer(Producer):
    """Never gives up: what it sends is there once, in order."""

    def __init__(self, caller: Caller, topics: Sequence[str], *, keys: Sequence[bytes | None] = (None,)) -> None:
        super().__init__(caller, keys=keys, tombstones=len(keys) > 1)
        self._topics = topics
        self._identity = NO_PRODUCER
        self._sequences: dict[Partition, int] = defaultdict(int)
        self._queue: list[Outgoing] = []

    async def live(self, batches: int) -> None:
        random = self.caller.random
        await self._identify()
        places = [place for topic in self._topics for place in await self.caller.wait_for(topic)]
        if random.random() < 0.5:
            places = [random.choice(places)]  # all that is in flight follows one another
        left = batches
        while left or self._queue:
            await self.caller.rest(0.6)
            fresh = min(left, random.choice((1, 3, IN_FLIGHT_MAX)) - len(self._queue))
            for _ in range(max(0, fresh)):
                self._queue.append(
                    self._number(self.batch(random.choice(places), random.randint(1, 4), idempotent=True))
                )
                left -= 1
            await self._send_window(self._queue[:IN_FLIGHT_MAX])
            await self.caller.world.sleep(random.choice((0, 0, 1, 20)))

    async def _identify(self) -> None:
        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
        while (reply := await self.caller.insist(request)).error_code != ErrorCode.NONE:
            await self.caller.back_off()
        self._identity = reply.producer_id, reply.producer_epoch

    def _number(self, outgoing: Outgoing) -> Outgoing:
        outgoing.sequence = self._sequences[outgoing.partition]
        self._sequences[outgoing.partition] += len(outgoing.records)
        outgoing.data = batch_of(
            outgoing.records, codec=outgoing.codec, producer=self._identity, base_sequence=outgoing.sequence
        )
        return outgoing

    async def _send_window(self, window: list[Outgoing]) -> None:
        """Some batches at a time, each in a request of its own, before any of them is answered."""
        connection = await self.caller.connected()
        hanging_up = [self._hang_up(connection)] if self.caller.random.random() < IMPATIENCE else []
        answers, _ = await asyncio.gather(
            asyncio.gather(*(self.send([each], connection=connection) for each in window), return_exceptions=True),
            asyncio.gather(*hanging_up),
        )
        stuck: set[Partition] = set()
        for each, answer in zip(window, answers, strict=True):
            if isinstance(answer, Unanswered):
                stuck.add(each.partition)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                await self._take(each, answer[0], stuck)
        if stuck:
            await self.caller.back_off()

    async def _hang_up(self, connection: Connection) -> None:
        """It has waited for long enough, and connects anew."""
        await self.caller.world.sleep(self.caller.random.choice((0.5, 2, 10, 40)))
        self.caller.lose(connection)

    async def _take(self, outgoing: Outgoing, answer: PartitionProduceResponse, stuck: set[Partition]) -> None:
        """One answer. `stuck`: partitions in which a batch before has to be sent again, so this one may be early."""
        code, place = ErrorCode(answer.error_code), outgoing.partition
        if code in (ErrorCode.NONE, ErrorCode.DUPLICATE_SEQUENCE_NUMBER):
            self.done(outgoing, answer)
            self._queue.remove(outgoing)
        elif code in TRY_AGAIN or (code is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER and place in stuck):
            stuck.add(place)
        else:
            stuck.add(place)
            self.caller.history.complain(self.caller.name, code, f"sequence {outgoing.sequence} in {place}")
            await self._begin_anew()

    async def _begin_anew(self) -> None:
        """As Kafka's clients do when the broker has lost the thread: another identity, sequences from 0."""
        await self._identify()
        self._sequences.clear()
        for each in self._queue:
            self._number(each)
