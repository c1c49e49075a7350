"""Fetch: whole batches from each partition, or a wait until there are enough.

    open session → note changes → collect ──enough, an error, or no time──▶ reply
                                     └────────────otherwise───────────────▶ park; collect again when woken

Nothing past the high watermark is read (past the last stable offset for `read_committed`). The bounds are Kafka's:
the first batch of a reply comes whole even where it is larger than they say, or a client would never get past it.
A read that would block on a cold disk leaves the loop: it is awaited, kept, and everything is collected again.

Who is over its consumer_byte_rate is answered with nothing, and without a wait for more; what was read stays unsaid.
"""

from __future__ import annotations

import logging
from typing import Final

from drave.broker.context import Connection, Context, Pending
from drave.broker.core import Broker, UnknownTopicId, UnknownTopicOrPartition, check_leader_epoch
from drave.broker.fetching import NO_SESSION, FetchSession, Waiting, Watch, WatchKey
from drave.broker.quotas import Rate
from drave.log import Batches, OffsetOutOfRange, PartitionLog
from drave.model.config import INT_MAX
from drave.model.errors import ProtocolError
from drave.model.ids import Offset
from drave.wire.api import ApiKey
from drave.wire.frames import encode_reply
from drave.wire.messages.k01_fetch import (
    AbortedTransaction,
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)

logger = logging.getLogger("drave.broker")

BY_ID_SINCE: Final = 13
"""KIP-516."""
READ_COMMITTED: Final = 1


def fetch(broker: Broker, context: Context, request: FetchRequest) -> FetchResponse | Pending:
    """Answer at once where there is enough; else when there is, or when `max_wait_ms` is over."""
    try:
        session = broker.fetches.open(
            request.session_id, request.session_epoch, by_id=context.api_version >= BY_ID_SINCE
        )
    except ProtocolError as error:
        return FetchResponse(error_code=error.code, session_id=NO_SESSION, responses=[])
    is_new = session.epoch <= 1
    _note_changes(broker, session, request)
    if not session.watches and not is_new:
        broker.fetches.close(session)  # as Kafka does: the client has forgotten the last of its partitions
    if broker.quotas.are_set and (rate := broker.quotas.limits_of(context.client_id).fetch) is not None:
        return _LimitedFetch(broker, context, session, request, is_new, rate).start()
    return _Fetch(broker, context.connection, session, request, is_new).start()


def _note_changes(broker: Broker, session: FetchSession, request: FetchRequest) -> None:
    by_id, watches, marked = session.by_id, session.watches, session.marked
    for topic in request.topics:
        name = topic.topic_id if by_id else topic.topic
        for asked in topic.partitions:
            key: WatchKey = (name, asked.partition)
            watch = watches.get(key)
            if watch is None:
                watch = watches[key] = Watch(session, key)
            watch.offset = Offset(asked.fetch_offset)
            watch.bytes_max = asked.partition_max_bytes
            watch.leader_epoch = asked.current_leader_epoch
            watch.last_fetched_epoch = asked.last_fetched_epoch
            marked.setdefault(watch)
    for forgotten in request.forgotten_topics_data:
        for index in forgotten.partitions:
            broker.fetches.unwatch(session, (forgotten.topic_id if by_id else forgotten.topic, index))


class _WouldBlock(Exception):
    """A read needs a cold disk; it is awaited apart, and the collection starts again."""

    def __init__(self, watch: Watch, bytes_max: int, limit: Offset, *, whole_first: bool) -> None:
        self.watch = watch
        self.bytes_max = bytes_max
        self.limit = limit
        self.whole_first = whole_first


class _Collected:
    """What one pass over a session's partitions found."""

    __slots__ = ("parts", "size", "unknown", "urgent")

    def __init__(self) -> None:
        self.parts: list[tuple[Watch, PartitionData]] = []
        self.size = 0
        self.unknown = 0
        """Partitions that this broker does not have: no reason to hurry, unless there are no others."""
        self.urgent = False
        """Something that the client should not wait for: an error, or records that did not fit any more."""


class _Fetch:
    """One fetch on its way: answered at once, parked, or waiting for a cold disk."""

    __slots__ = (
        "_all",
        "_broker",
        "_bytes_max",
        "_bytes_min",
        "_cold",
        "_connection",
        "_pending",
        "_read_committed",
        "_session",
        "_wait_ms",
        "_waiting",
    )

    def __init__(
        self, broker: Broker, connection: Connection, session: FetchSession, request: FetchRequest, is_new: bool
    ) -> None:
        self._broker = broker
        self._connection = connection
        self._session = session
        self._all = is_new
        """Whether every partition is answered, or only those with news."""
        self._bytes_max = min(request.max_bytes, broker.settings.fetch_bytes_max)
        self._bytes_min = min(request.min_bytes, self._bytes_max)
        self._wait_ms = request.max_wait_ms
        self._read_committed = request.isolation_level == READ_COMMITTED
        self._cold: dict[Watch, Batches | ProtocolError] | None = None
        """What was read from a cold disk for this fetch, or why not."""
        self._pending: Pending | None = None
        self._waiting: Waiting | None = None

    def start(self) -> FetchResponse | Pending:
        """Answer now, or return the reply that comes later."""
        try:
            collected = self._collect()
        except _WouldBlock as blocked:
            return self._read_apart(blocked)
        if self._wait_ms <= 0 or self._is_enough(collected):
            return self._response(collected)
        return self._park()

    def _is_enough(self, collected: _Collected) -> bool:
        return (
            collected.urgent
            or collected.size >= self._bytes_min
            or collected.unknown == len(self._session.watches)  # also where there are none at all
        )

    # -- collecting

    def _collect(self) -> _Collected:
        session = self._session
        collected = _Collected()
        for watch in list(session.watches.values() if self._all else session.marked):
            data = self._look(watch, collected)
            if data is not None:
                collected.parts.append((watch, data))
        return collected

    def _look(self, watch: Watch, collected: _Collected) -> PartitionData | None:
        """What there is to say about one partition; None when a client with a session need not hear it now."""
        try:
            log = watch.log
            if log is None or log.removed:
                log = self._find(watch)
            check_leader_epoch(log, watch.leader_epoch)
            if watch.last_fetched_epoch >= 0 and (diverging := _diverging(watch, log)) is not None:
                collected.urgent = True
                return self._data(watch, log, [], diverging)
            limit = log.last_stable if self._read_committed else log.high_watermark
            batches = self._read(watch, log, limit, collected)
        except (UnknownTopicId, UnknownTopicOrPartition) as error:
            collected.unknown += 1
            return _refused(watch, error)
        except ProtocolError as error:
            collected.urgent = True
            return _refused(watch, error)
        if batches is None or batches.more:
            collected.urgent = True
        if batches is not None and batches.size:
            collected.size += batches.size
            data = self._data(watch, log, batches.parts, None)
            if batches.aborted:
                data.aborted_transactions = [
                    AbortedTransaction(producer_id=each.producer_id, first_offset=each.first_offset)
                    for each in batches.aborted
                ]
            return data
        if self._all or watch.sent_watermark != log.high_watermark or watch.sent_log_start != log.start:
            return self._data(watch, log, [], None)
        if watch.offset >= limit:
            self._broker.fetches.unmark(watch)
        return None

    def _find(self, watch: Watch) -> PartitionLog:
        broker = self._broker
        name, index = watch.key
        topic = broker.topic_by_id(name) if isinstance(name, bytes) else broker.topic(name)
        log = watch.log = broker.partition(topic, index)
        return log

    def _read(self, watch: Watch, log: PartitionLog, limit: Offset, collected: _Collected) -> Batches | None:
        """The batches that still fit into the reply, the first of which comes whole; None when nothing fits."""
        if self._cold is not None and (read := self._cold.get(watch)) is not None:
            if isinstance(read, ProtocolError):
                raise read
            return read
        bytes_max = min(watch.bytes_max, self._bytes_max - collected.size)
        whole_first = collected.size == 0
        if bytes_max <= 0 and not whole_first and log.start <= watch.offset <= log.end:
            return None
        batches = log.read_now(
            watch.offset, bytes_max=bytes_max, limit=limit, whole_first=whole_first, committed=self._read_committed
        )
        if batches is None:
            raise _WouldBlock(watch, bytes_max, limit, whole_first=whole_first)
        return batches

    def _data(
        self, watch: Watch, log: PartitionLog, records: list[memoryview], diverging: EpochEndOffset | None
    ) -> PartitionData:
        return PartitionData(
            partition_index=watch.key[1],
            high_watermark=log.high_watermark,
            last_stable_offset=log.last_stable,
            log_start_offset=log.start,
            diverging_epoch=diverging,
            aborted_transactions=[] if self._read_committed else None,
            records=records,
        )

    # -- answering

    def _response(self, collected: _Collected) -> FetchResponse:
        session = self._session
        topics: dict[object, FetchableTopicResponse] = {}
        for watch, data in collected.parts:
            name = watch.key[0]
            topic = topics.get(name)
            if topic is None:
                topic = topics[name] = (
                    FetchableTopicResponse(topic_id=name, partitions=[])
                    if isinstance(name, bytes)
                    else FetchableTopicResponse(topic=name, partitions=[])
                )
            topic.partitions.append(data)
            if session.id != NO_SESSION:
                self._note_sent(watch, data)
        self._end()
        return FetchResponse(session_id=session.id, responses=list(topics.values()))

    def _note_sent(self, watch: Watch, data: PartitionData) -> None:
        """It stays marked while there may be more to say: records, that an error is over."""
        watch.sent_watermark = data.high_watermark
        watch.sent_log_start = data.log_start_offset
        if data.records:
            self._session.served(watch)
        elif not data.error_code:
            limit = data.last_stable_offset if self._read_committed else data.high_watermark
            if watch.offset >= limit:
                self._broker.fetches.unmark(watch)

    def _end(self) -> None:
        """What was only for this request goes with it; nothing is left that the garbage collector has to find."""
        self._waiting = None
        session = self._session
        if session.id == NO_SESSION:
            if self._pending is not None:
                self._broker.fetches.unfollow_all(session)
            session.watches.clear()
            session.marked.clear()

    # -- waiting

    def _park(self) -> Pending:
        fetches, session = self._broker.fetches, self._session
        self._waiting = Waiting(fetches, session, self._try)
        self._pending = Pending(on_cancel=self._abandon)
        for watch in session.watches.values() if self._all else session.marked:
            fetches.follow(watch)
        self._waiting.start(self._wait_ms / 1000)
        return self._pending

    def _abandon(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
        self._end()

    def _try(self, must_answer: bool) -> bool:
        assert self._pending is not None, "only a parked fetch is tried again"
        try:
            collected = self._collect()
            if not must_answer and not self._is_enough(collected):
                return False
            self._pending.complete(self._response(collected))
        except _WouldBlock as blocked:
            self._read_apart(blocked)
        except Exception:
            self._break_off()
        return True

    def _read_apart(self, blocked: _WouldBlock) -> Pending:
        if self._pending is None:
            self._pending = Pending()
        self._pending.on_cancel = self._abandon
        self._broker.spawn(self._finish_apart(self._pending, blocked), name="a fetch from a cold disk")
        return self._pending

    async def _finish_apart(self, pending: Pending, blocked: _WouldBlock | None) -> None:
        try:
            while blocked is not None and not pending.cancelled:
                await self._read_cold(blocked)
                blocked = None
                try:
                    collected = self._collect()
                except _WouldBlock as another:
                    blocked = another
            if not pending.cancelled:
                pending.complete(self._response(collected))
        except Exception:
            self._break_off()

    async def _read_cold(self, blocked: _WouldBlock) -> None:
        watch, log = blocked.watch, blocked.watch.log
        if log is None:
            return  # the topic was deleted, as the next look will find
        if self._cold is None:
            self._cold = {}
        try:
            self._cold[watch] = await log.read(
                watch.offset,
                bytes_max=blocked.bytes_max,
                limit=blocked.limit,
                whole_first=blocked.whole_first,
                committed=self._read_committed,
            )
        except ProtocolError as error:
            self._cold[watch] = error

    def _break_off(self) -> None:
        """Our own mistake, found after the handler returned. Called while the exception is handled."""
        logger.exception("a fetch that waited failed; its connection is closed")
        self._end()
        self._connection.close("a fetch failed")


class _LimitedFetch(_Fetch):
    """A fetch of a client with a consumer_byte_rate."""

    __slots__ = ("_rate", "_version")

    def __init__(
        self,
        broker: Broker,
        context: Context,
        session: FetchSession,
        request: FetchRequest,
        is_new: bool,
        rate: Rate,
    ) -> None:
        super().__init__(broker, context.connection, session, request, is_new)
        self._rate = rate
        self._version = context.api_version
        self._bytes_max = min(self._bytes_max, int(min(rate.most_at_once, INT_MAX)))
        self._bytes_min = min(self._bytes_min, self._bytes_max)

    def _response(self, collected: _Collected) -> FetchResponse:
        """Empty where its bytes would be too many, as in Kafka. But what is larger than may be had at once is there
        when the rate is right without it, and waited for afterwards: else it would never be read."""
        response = super()._response(collected)
        size = sum(map(len, encode_reply(ApiKey.FETCH, self._version, 0, response)))
        now_ms = self._broker.clock.monotonic() * 1000
        wait_ms = self._rate.wait_ms(now_ms, more=size)
        if wait_ms and (size <= self._rate.most_at_once or self._rate.wait_ms(now_ms)):
            return self._unsaid(collected, wait_ms)
        self._rate.record(size, now_ms)
        response.throttle_time_ms = wait_ms
        return response

    def _unsaid(self, collected: _Collected, wait_ms: int) -> FetchResponse:
        """The client has not heard what was found: all of it has still to be said. A session that begins does not."""
        session = self._session
        if self._all and session.id != NO_SESSION:
            self._broker.fetches.close(session)
        for watch, _ in collected.parts if session.id != NO_SESSION else ():
            watch.sent_watermark = watch.sent_log_start = -1
            self._broker.fetches.unfollow(watch)
            session.mark(watch)
        return FetchResponse(throttle_time_ms=wait_ms, session_id=session.id, responses=[])


def _refused(watch: Watch, error: ProtocolError) -> PartitionData:
    return PartitionData(partition_index=watch.key[1], error_code=error.code, high_watermark=-1, records=[])


def _diverging(watch: Watch, log: PartitionLog) -> EpochEndOffset | None:
    """KIP-595: the client's last batch is of an epoch that ended before its offset, so the log was cut behind it."""
    epoch, end = log.end_offset_for_epoch(watch.last_fetched_epoch)
    if epoch < 0:
        raise OffsetOutOfRange(str(log), watch.offset, log.start, log.end)
    if epoch < watch.last_fetched_epoch or end < watch.offset:
        return EpochEndOffset(epoch=epoch, end_offset=end)
    return None
