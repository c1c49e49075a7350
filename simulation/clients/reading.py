"""Readers: fetches with and without sessions, of everything or of what is committed, and look-ups of offsets.

    positions ─▶ Fetcher ─▶ Fetch, the whole or what changed (KIP-227) ─▶ Reads, one for each partition that was told

A reader believes what it is told and notes it down: offsets, marks, watermarks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from drave.model.errors import ErrorCode
from drave.model.ids import TopicId
from drave.wire.api import ApiKey
from drave.wire.messages.k01_fetch import (
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)
from drave.wire.messages.k02_list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from simulation.clients.caller import TRY_AGAIN, Caller, Unanswered
from simulation.clients.carrying import seen_batches
from simulation.history import EmptyFetch, Lookup, Moment, Outcome, Partition, Read

EARLIEST: Final = -2
LATEST: Final = -1
BY_ID_SINCE: Final = 13
SESSIONS_SINCE: Final = 7
_NO_SESSION: Final = (0, -1)
_NEW_SESSION: Final = (0, 0)


class Fetcher:
    """The fetches of one process, and its fetch session where it keeps one."""

    def __init__(self, caller: Caller, *, committed_only: bool) -> None:
        self._caller = caller
        self.committed_only = committed_only
        version = caller.version(ApiKey.FETCH)
        self._by_id = version >= BY_ID_SINCE
        self._sessions = version >= SESSIONS_SINCE and caller.random.random() < 0.7
        self._session = _NEW_SESSION if self._sessions else _NO_SESSION
        self._told: dict[Partition, int] = {}
        """The positions that the session knows."""
        self.out_of_range: set[Partition] = set()
        """Of the last fetch."""
        self.gone: set[Partition] = set()
        """Partitions that the last fetch was told not to exist."""

    async def fetch(
        self,
        positions: Mapping[Partition, int],
        *,
        wait_ms: int,
        bytes_max: int = 1 << 20,
        partition_bytes_max: int = 1 << 20,
    ) -> list[Read]:
        """One Fetch; of each partition that was told something, what. Raises Unanswered."""
        self.out_of_range.clear()
        self.gone.clear()
        request = self._request(positions, wait_ms, bytes_max, partition_bytes_max)
        asked = self._caller.history.now()
        try:
            reply: FetchResponse = await self._caller.ask(request)
        except Unanswered:
            self._forget_session()
            raise
        if reply.error_code != ErrorCode.NONE:
            self._forget_session()
            return []
        self._go_on(reply.session_id, positions)
        parts = [(topic, partition) for topic in reply.responses for partition in topic.partitions]
        if not reply.throttle_time_ms and not any(each.error_code or each.records for _, each in parts):
            history = self._caller.history
            history.empty_fetches.append(
                EmptyFetch(self._caller.name, asked, history.now(), self.committed_only, dict(positions))
            )
        reads = [self._take(positions, topic, partition, asked) for topic, partition in parts]
        return [read for read in reads if read is not None]

    def _request(
        self, positions: Mapping[Partition, int], wait_ms: int, bytes_max: int, partition_bytes_max: int
    ) -> FetchRequest:
        session_id, epoch = self._session
        whole = epoch <= 0
        changed = {place: at for place, at in positions.items() if whole or self._told.get(place) != at}
        topics: dict[tuple[str, TopicId], FetchTopic] = {}
        for place, at in changed.items():
            topic = topics.setdefault(
                (place.topic, place.topic_id), FetchTopic(topic=place.topic, topic_id=place.topic_id, partitions=[])
            )
            topic.partitions.append(
                FetchPartition(partition=place.index, fetch_offset=at, partition_max_bytes=partition_bytes_max)
            )
        forgotten = [] if whole else [place for place in self._told if place not in positions]
        return FetchRequest(
            max_wait_ms=wait_ms,
            min_bytes=1,
            max_bytes=bytes_max,
            isolation_level=int(self.committed_only),
            session_id=session_id,
            session_epoch=epoch,
            topics=list(topics.values()),
            forgotten_topics_data=[
                ForgottenTopic(topic=place.topic, topic_id=place.topic_id, partitions=[place.index])
                for place in forgotten
            ],
        )

    def _go_on(self, session_id: int, positions: Mapping[Partition, int]) -> None:
        if not self._sessions:
            return
        if session_id == 0:
            self._forget_session()
            return
        self._session = session_id, self._session[1] + 1
        self._told = dict(positions)

    def _forget_session(self) -> None:
        """As Kafka's clients do: the next fetch is whole, and ends what is left of the old session."""
        if self._sessions:
            self._session = self._session[0], 0
            self._told = {}

    def _take(
        self,
        positions: Mapping[Partition, int],
        topic: FetchableTopicResponse,
        partition: PartitionData,
        asked: Moment,
    ) -> Read | None:
        place = next(
            each
            for each in positions
            if each.index == partition.partition_index
            and (each.topic_id == topic.topic_id if self._by_id else each.topic == topic.topic)
        )
        code = ErrorCode(partition.error_code)
        if code is ErrorCode.OFFSET_OUT_OF_RANGE:
            self.out_of_range.add(place)
            return None
        if code in (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID):
            self.gone.add(place)
            return None
        history = self._caller.history
        if code is not ErrorCode.NONE:
            if code not in TRY_AGAIN:
                history.complain(self._caller.name, code, f"Fetch of {place}")
            return None
        position = positions[place]
        batches = seen_batches(_joined(partition.records), partition.aborted_transactions or (), position)
        read = Read(
            by=self._caller.name,
            asked=asked,
            told=history.now(),
            outcome=Outcome.DONE,
            partition=place,
            position=position,
            committed_only=self.committed_only,
            high_watermark=partition.high_watermark,
            last_stable_offset=partition.last_stable_offset,
            log_start=partition.log_start_offset,
            batches=batches,
            next_position=max(batches[-1].last_offset + 1, position) if batches else position,
        )
        history.reads.append(read)
        return read


def _joined(records: object) -> bytes:
    if records is None:
        return b""
    assert isinstance(records, bytes | bytearray | memoryview)
    return bytes(records)


async def look_up(
    caller: Caller, places: Sequence[Partition], timestamp_ms: int, *, committed_only: bool = False
) -> dict[Partition, Lookup]:
    """Offsets by time, of those partitions that exist. Asked until it is answered."""
    topics: dict[str, ListOffsetsTopic] = {}
    for place in places:
        topic = topics.setdefault(place.topic, ListOffsetsTopic(name=place.topic, partitions=[]))
        topic.partitions.append(ListOffsetsPartition(partition_index=place.index, timestamp=timestamp_ms))
    committed_only &= caller.version(ApiKey.LIST_OFFSETS) >= 2  # below, there is no way to say it
    request = ListOffsetsRequest(replica_id=-1, isolation_level=int(committed_only), topics=list(topics.values()))
    history = caller.history
    while True:
        asked = history.now()
        try:
            reply: ListOffsetsResponse = await caller.ask(request)
        except Unanswered:
            await caller.back_off()
            continue
        told = history.now()
        answers = {(topic.name, each.partition_index): each for topic in reply.topics for each in topic.partitions}
        found: dict[Partition, Lookup] = {}
        again = False
        for place in places:
            answer = answers[place.topic, place.index]
            code = ErrorCode(answer.error_code)
            if code is ErrorCode.NONE:
                found[place] = Lookup(
                    by=caller.name,
                    asked=asked,
                    told=told,
                    outcome=Outcome.DONE,
                    partition=place,
                    timestamp_ms=timestamp_ms,
                    committed_only=committed_only,
                    offset=answer.offset,
                    found_timestamp_ms=answer.timestamp,
                )
            again |= code in TRY_AGAIN and code is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if not again:
            history.lookups.extend(found.values())
            return found
        await caller.back_off()


class Reader:
    """Reads a topic's partitions from somewhere on, and looks around."""

    def __init__(self, caller: Caller, topics: Sequence[str], *, committed_only: bool, by_id: bool) -> None:
        self._caller = caller
        self._topics = topics
        if by_id:  # a topic that may be made anew under its name
            caller.version(ApiKey.FETCH, low=BY_ID_SINCE)
        self._fetcher = Fetcher(caller, committed_only=committed_only)
        self._positions: dict[Partition, int] = {}
        self._pauses_ms = caller.random.choice(((0, 0, 10, 100), (0, 0, 10, 100), (300, 1000, 3000)))

    async def live(self, polls: int) -> None:
        random, world = self._caller.random, self._caller.world
        for number in range(polls):
            if number % 8 == 0:
                await self._look_around()
            if not self._positions:
                await world.sleep(200)
                continue
            await self._poll()
            await world.sleep(random.choice(self._pauses_ms))

    async def _look_around(self) -> None:
        """New partitions are read, those of deleted topics no more."""
        known = await self._caller.partitions(*self._topics)
        places = [place for each in known.values() for place in each]
        self._positions = {place: at for place, at in self._positions.items() if place in places}
        fresh = [place for place in places if place not in self._positions]
        await self._begin(fresh, self._caller.random.choice((EARLIEST, EARLIEST, LATEST)))
        if self._positions and self._caller.random.random() < 0.2:
            again = self._caller.random.choice(list(self._positions))
            await self._begin([again], EARLIEST)

    async def _begin(self, places: Sequence[Partition], where: int) -> None:
        found = await look_up(self._caller, places, where, committed_only=self._fetcher.committed_only)
        for place, lookup in found.items():
            self._positions[place] = lookup.offset

    async def _poll(self) -> None:
        random = self._caller.random
        places = list(self._positions)
        chosen = places if random.random() < 0.8 else random.sample(places, random.randint(1, len(places)))
        try:
            reads = await self._fetcher.fetch(
                {place: self._positions[place] for place in chosen},
                wait_ms=random.choice((0, 50, 500, 3000)),
                bytes_max=random.choice((1, 2_000, 1 << 20)),
                partition_bytes_max=random.choice((1, 500, 1 << 20)),
            )
        except Unanswered:
            await self._caller.back_off()
            return
        for read in reads:
            self._positions[read.partition] = read.next_position
        for place in self._fetcher.gone:
            del self._positions[place]
        await self._begin(list(self._fetcher.out_of_range), EARLIEST)
