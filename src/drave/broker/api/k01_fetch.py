"""Fetch: whole batches from each partition, or a wait until there are enough.

    open session → note changes → collect ──enough, an error, or no time──▶ reply
                                     └────────────otherwise───────────────▶ park; collect again when woken

Nothing past the high watermark is read (past the last stable offset for `read_committed`). The bounds are Kafka's:
the first batch of a reply comes whole even where it is larger than they say, or a client would never get past it.
A read that would block on a cold disk leaves the loop: it is awaited, kept on its watch, and collected again.
"""

from __future__ import annotations

from typing import Final

from drave.broker.context import Context, Pending
from drave.broker.core import Broker, UnknownTopicId, UnknownTopicOrPartition, check_leader_epoch
from drave.broker.fetching import NO_SESSION, FetchSession, Waiting, Watch, WatchKey
from drave.log import Batches, OffsetOutOfRange, PartitionLog
from drave.model.errors import ProtocolError
from drave.model.ids import Offset
from drave.wire.messages.k01_fetch import (
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)

BY_ID_SINCE: Final = 13
READ_COMMITTED: Final = 1


class _WouldBlock(Exception):
    """A read needs a cold disk; it is awaited apart, and the collection starts again."""

    def __init__(self, watch: Watch, bytes_max: int, limit: Offset, *, whole_first: bool) -> None:
        self.watch = watch
        self.bytes_max = bytes_max
        self.limit = limit
        self.whole_first = whole_first


class _Collected:
    """What one pass over a session's partitions found."""

    __slots__ = ("failed", "parts", "size")

    def __init__(self) -> None:
        self.parts: list[tuple[Watch, PartitionData]] = []
        self.size = 0
        self.failed = False


def fetch(broker: Broker, context: Context, request: FetchRequest) -> FetchResponse | Pending:
    """Answer at once where there is enough; else when there is, or when `max_wait_ms` is over."""
    try:
        session = broker.fetches.open(request.session_id, request.session_epoch)
    except ProtocolError as error:
        return FetchResponse(throttle_time_ms=0, error_code=error.code, session_id=NO_SESSION, responses=[])
    _note_changes(broker, session, request, by_id=context.api_version >= BY_ID_SINCE)
    return _Fetch(broker, session, request).start()


def _note_changes(broker: Broker, session: FetchSession, request: FetchRequest, *, by_id: bool) -> None:
    for forgotten in request.forgotten_topics_data:
        for index in forgotten.partitions:
            broker.fetches.unwatch(session, (forgotten.topic_id if by_id else forgotten.topic, index))
    for topic in request.topics:
        name = topic.topic_id if by_id else topic.topic
        for asked in topic.partitions:
            key: WatchKey = (name, asked.partition)
            watch = session.watches.get(key)
            if watch is None:
                watch = session.watches[key] = Watch(session, key)
            watch.offset = Offset(asked.fetch_offset)
            watch.bytes_max = asked.partition_max_bytes
            watch.leader_epoch = asked.current_leader_epoch
            watch.last_fetched_epoch = asked.last_fetched_epoch
            watch.cold = None
            session.marked.setdefault(watch)


class _Fetch:
    """One fetch on its way: answered at once, parked, or waiting for a cold disk."""

    __slots__ = ("_broker", "_bytes_max", "_full", "_pending", "_request", "_session")

    def __init__(self, broker: Broker, session: FetchSession, request: FetchRequest) -> None:
        self._broker = broker
        self._session = session
        self._request = request
        self._full = session.epoch <= 1
        self._bytes_max = min(request.max_bytes, broker.settings.fetch_bytes_max)
        self._pending: Pending | None = None

    def start(self) -> FetchResponse | Pending:
        """Answer now, or return the reply that comes later."""
        try:
            collected = self._collect()
        except _WouldBlock as blocked:
            return self._read_apart(blocked)
        if self._is_enough(collected):
            return self._response(collected)
        return self._park()

    def _is_enough(self, collected: _Collected) -> bool:
        return (
            collected.failed
            or collected.size >= self._request.min_bytes
            or self._request.max_wait_ms <= 0
            or not self._session.watches
        )

    # -- collecting

    def _collect(self) -> _Collected:
        session = self._session
        collected = _Collected()
        for watch in list(session.watches.values() if self._full else session.marked):
            data = self._look(watch, collected)
            if data is not None:
                collected.parts.append((watch, data))
        return collected

    def _look(self, watch: Watch, collected: _Collected) -> PartitionData | None:
        """What there is to say about one partition; None when a client with a session need not hear it now."""
        try:
            log = self._log(watch)
            check_leader_epoch(log, watch.leader_epoch)
            diverging = _diverging(watch, log)
            limit = log.last_stable if self._request.isolation_level == READ_COMMITTED else log.high_watermark
            batches = None if diverging is not None else self._read(watch, log, limit, collected)
        except ProtocolError as error:
            collected.failed = True
            return PartitionData(partition_index=watch.key[1], error_code=error.code, high_watermark=-1, records=b"")
        if diverging is not None:
            collected.failed = True
            return self._data(watch, log, [], diverging)
        parts = [] if batches is None else batches.parts
        if parts:
            assert batches is not None
            collected.size += batches.size
        elif watch.offset >= limit:
            self._session.marked.pop(watch, None)
        news = watch.sent_watermark != log.high_watermark or watch.sent_log_start != log.start
        return self._data(watch, log, parts, None) if parts or news or self._full else None

    def _log(self, watch: Watch) -> PartitionLog:
        if watch.log is not None:
            return watch.log
        name, index = watch.key
        catalog = self._broker.catalog
        topic = catalog.topic_by_id(name) if isinstance(name, bytes) else catalog.topic(name)
        if topic is None:
            raise UnknownTopicId(name) if isinstance(name, bytes) else UnknownTopicOrPartition(name, index)
        log = self._broker.partition(topic, index)
        self._broker.fetches.watch(watch, log)
        return log

    def _read(self, watch: Watch, log: PartitionLog, limit: Offset, collected: _Collected) -> Batches | None:
        """The batches that still fit into the reply, the first of which comes whole; None when nothing fits."""
        if watch.cold is not None:
            return watch.cold
        bytes_max = min(watch.bytes_max, self._bytes_max - collected.size)
        whole_first = collected.size == 0
        if bytes_max <= 0 and not whole_first and log.start <= watch.offset <= log.end:
            return None
        batches = log.read_now(watch.offset, bytes_max=bytes_max, limit=limit, whole_first=whole_first)
        if batches is None:
            raise _WouldBlock(watch, bytes_max, limit, whole_first=whole_first)
        return batches

    def _data(
        self, watch: Watch, log: PartitionLog, records: list[memoryview], diverging: EpochEndOffset | None
    ) -> PartitionData:
        return PartitionData(
            partition_index=watch.key[1],
            error_code=0,
            high_watermark=log.high_watermark,
            last_stable_offset=log.last_stable,
            log_start_offset=log.start,
            aborted_transactions=[] if self._request.isolation_level == READ_COMMITTED else None,
            records=records,
            diverging_epoch=diverging,
        )

    # -- answering

    def _response(self, collected: _Collected) -> FetchResponse:
        session = self._session
        topics: dict[object, FetchableTopicResponse] = {}
        for watch, data in collected.parts:
            self._note_sent(watch, data)
            name = watch.key[0]
            topic = topics.get(name)
            if topic is None:
                topic = topics[name] = (
                    FetchableTopicResponse(topic_id=name, partitions=[])
                    if isinstance(name, bytes)
                    else FetchableTopicResponse(topic=name, partitions=[])
                )
            topic.partitions.append(data)
        self._end()
        return FetchResponse(throttle_time_ms=0, error_code=0, session_id=session.id, responses=list(topics.values()))

    def _note_sent(self, watch: Watch, data: PartitionData) -> None:
        watch.cold = None
        watch.sent_watermark = data.high_watermark
        watch.sent_log_start = data.log_start_offset
        if data.records:
            self._session.marked[watch] = None
            self._session.marked.move_to_end(watch)

    def _end(self) -> None:
        """What was only for this request goes with it."""
        if self._session.id == NO_SESSION:
            self._broker.fetches.unwatch_all(self._session)

    # -- waiting

    def _park(self) -> Pending:
        waiting = Waiting(self._broker.fetches, self._session, self._try)

        def abandon() -> None:
            waiting.stop()
            self._end()

        self._pending = Pending(on_cancel=abandon)
        waiting.start(self._request.max_wait_ms / 1000)
        return self._pending

    def _try(self, must_answer: bool) -> bool:
        assert self._pending is not None
        try:
            collected = self._collect()
        except _WouldBlock as blocked:
            self._read_apart(blocked)
            return True
        if not must_answer and not self._is_enough(collected):
            return False
        self._pending.complete(self._response(collected))
        return True

    def _read_apart(self, blocked: _WouldBlock) -> Pending:
        if self._pending is None:
            self._pending = Pending()
        self._pending.on_cancel = self._end
        self._broker.spawn(self._finish_apart(self._pending, blocked), name="a fetch from a cold disk")
        return self._pending

    async def _finish_apart(self, pending: Pending, blocked: _WouldBlock) -> None:
        while not pending.cancelled:
            await _read_cold(blocked)
            try:
                collected = self._collect()
            except _WouldBlock as again:
                blocked = again
                continue
            if not pending.cancelled:
                pending.complete(self._response(collected))
            return


async def _read_cold(blocked: _WouldBlock) -> None:
    watch = blocked.watch
    if watch.log is None:
        return
    try:
        watch.cold = await watch.log.read(
            watch.offset, bytes_max=blocked.bytes_max, limit=blocked.limit, whole_first=blocked.whole_first
        )
    except ProtocolError:
        watch.cold = None  # the next look meets the same refusal, and answers with it


def _diverging(watch: Watch, log: PartitionLog) -> EpochEndOffset | None:
    """KIP-595: the client's last batch is of an epoch that ended before its offset, so the log was cut behind it."""
    if watch.last_fetched_epoch < 0:
        return None
    epoch, end = log.end_offset_for_epoch(watch.last_fetched_epoch)
    if epoch < 0:
        raise OffsetOutOfRange(str(log), watch.offset, log.start, log.end)
    if epoch < watch.last_fetched_epoch or end < watch.offset:
        return EpochEndOffset(epoch=epoch, end_offset=end)
    return None
