"""ShareFetch: records that this member alone has for a while, and what became of those that it had before (KIP-932).

    session ──▶ acknowledge ──▶ look ──enough, an error, or no time──▶ acquire ──▶ reply, once the word is durable
                                 └────────────otherwise─────────────▶ park; look again when woken

Nothing is acquired before it is sure that it is sent: a member that goes while its fetch is parked holds nothing by it.
A fetch is woken by its logs, as any other, and when somebody gives something back. A read that would block on a cold
disk leaves the loop; what it brings counts if nobody has taken from there meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from drave.broker.context import Connection, Context, Pending
from drave.broker.coordinator.runtime import gathered
from drave.broker.coordinator.schemas.share_state import ShareKey
from drave.broker.coordinator.share.acquiring import Asked
from drave.broker.core import Broker
from drave.broker.fetching import NO_SESSION, FetchSession, Waiting, Watch
from drave.broker.sharing.acknowledging import Member, Said, acknowledge, check_member, said, types_max
from drave.broker.sharing.reading import Found
from drave.broker.sharing.sessions import (
    FINAL_EPOCH,
    INITIAL_EPOCH,
    InvalidShareSessionEpoch,
    Place,
    ShareSession,
    ShareSessionLimitReached,
    update,
)
from drave.broker.sharing.sharing import SharePartition
from drave.log import Batches, PartitionLog
from drave.model.bounds import SHARE_SESSION_PLACES_MAX
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.wire.messages.k78_share_fetch import (
    AcquiredRecords,
    LeaderIdAndEpoch,
    PartitionData,
    ShareFetchableTopicResponse,
    ShareFetchRequest,
    ShareFetchResponse,
)

logger = logging.getLogger("drave.broker")

NO_LEADER: Final = LeaderIdAndEpoch(leader_id=0, leader_epoch=0)
"""Named only to clients that have to go elsewhere, and there is nowhere else."""
READ_BYTES: Final = 16 * 1024
READ_BYTES_EACH: Final = 512
"""What is read first of each partition: for each record that is asked for, and at most."""
RECORD_LIMIT: Final = 1
"""KIP-1206: exactly as many records as were asked for."""


def share_fetch(broker: Broker, context: Context, request: ShareFetchRequest) -> Any:
    """Answer at once where there is enough; else when there is, or when `max_wait_ms` is over."""
    said_of = {
        Place(topic.topic_id, partition.partition_index): partition.acknowledgement_batches
        for topic in request.topics
        for partition in topic.partitions
    }
    says_anything = any(said_of.values())
    try:
        member = check_member(request.group_id, request.member_id)
        if len(said_of) > SHARE_SESSION_PLACES_MAX:
            raise _no_room(len(said_of))
        _check_renewal(request)
        session = _session(broker, context.connection, request, member, says_anything=says_anything)
    except ShareSessionLimitReached as error:
        return _later(broker, request.max_wait_ms, _refused(error))
    except ProtocolError as error:
        return _refused(error)
    answers: dict[Place, Said | Pending] = {}
    if says_anything:
        answers = acknowledge(
            broker, member, said_of, types_max=types_max(context.api_version), is_renew=request.is_renew_ack
        )
    if request.share_session_epoch == FINAL_EPOCH:
        broker.sharing.release(session)
        found: Any = {}
    elif request.is_renew_ack:
        found = {}
    else:
        found = _ShareFetch(broker, context.connection, session, request).start()
    return _combined(broker, member, found, answers)


def _check_renewal(request: ShareFetchRequest) -> None:
    """Raises Refused for one that renews locks and wants records, too."""
    if not request.is_renew_ack:
        return
    for name in ("max_bytes", "min_bytes", "max_records", "max_wait_ms"):
        if getattr(request, name) != 0:
            raise Refused(ErrorCode.INVALID_REQUEST, f"A request that renews locks fetches nothing: {name} must be 0.")


def _session(
    broker: Broker, connection: Connection, request: ShareFetchRequest, member: Member, *, says_anything: bool
) -> ShareSession:
    """The session that the request begins, goes on with or ends. Raises ProtocolError."""
    sessions = broker.sharing.sessions
    epoch = request.share_session_epoch
    if epoch == FINAL_EPOCH:
        return sessions.find(*member)
    if epoch == INITIAL_EPOCH:
        if says_anything:
            raise Refused(ErrorCode.INVALID_REQUEST, "A new session holds nothing that could be acknowledged.")
        session = sessions.begin(*member, connection, sessions_max=broker.settings.group_share_sessions_max)
    else:
        session = sessions.go_on(*member, epoch)
    added = (
        (Place(topic.topic_id, partition.partition_index), broker.catalog.topic_by_id(topic.topic_id) is not None)
        for topic in request.topics
        for partition in topic.partitions
    )
    forgotten = (Place(topic.topic_id, index) for topic in request.forgotten_topics_data for index in topic.partitions)
    update(session, added, forgotten, is_new=epoch == INITIAL_EPOCH)
    if len(session.partitions) > SHARE_SESSION_PLACES_MAX:
        broker.sharing.release(session)
        raise _no_room(len(session.partitions))
    return session


def _no_room(partitions: int) -> Refused:
    return Refused(
        ErrorCode.INVALID_REQUEST,
        f"A share session has at most {SHARE_SESSION_PLACES_MAX} partitions, for each fetch looks at all of them, and "
        f"this one would have {partitions}: have more members read them.",
    )


def _refused(error: ProtocolError) -> ShareFetchResponse:
    return ShareFetchResponse(
        error_code=error.code,
        error_message=str(error),
        acquisition_lock_timeout_ms=0,
        responses=[],
        node_endpoints=[],
    )


def _later(broker: Broker, wait_ms: int, response: ShareFetchResponse) -> Pending:
    """The answer, when the client would have waited for one anyway: it asks again at once."""
    pending = Pending()
    timer = broker.scheduler.call_later(max(wait_ms, 0) / 1000, pending.complete, response)
    pending.on_cancel = timer.cancel
    return pending


Parts = dict[Place, PartitionData]


class _Read(NamedTuple):
    """What was read of one partition, and from where on."""

    place: Place
    partition: SharePartition
    offset: int
    found: Found


class _ShareFetch:
    """One fetch on its way: answered at once, parked, or waiting for a cold disk. It gives the parts of its reply."""

    __slots__ = (
        "_asked",
        "_broker",
        "_bytes_max",
        "_bytes_min",
        "_cold",
        "_committed",
        "_connection",
        "_is_first",
        "_logs",
        "_order",
        "_parts",
        "_pending",
        "_session",
        "_wait_ms",
        "_waiting",
        "_watched",
    )

    def __init__(
        self, broker: Broker, connection: Connection, session: ShareSession, request: ShareFetchRequest
    ) -> None:
        self._broker = broker
        self._connection = connection
        self._session = session
        self._is_first = request.share_session_epoch == INITIAL_EPOCH
        self._bytes_max = min(request.max_bytes, broker.settings.fetch_bytes_max)
        self._bytes_min = min(request.min_bytes, self._bytes_max)
        self._wait_ms = request.max_wait_ms
        self._asked = Asked(
            session.member_id,
            request.max_records,
            request.batch_size,
            exactly=request.share_acquire_mode == RECORD_LIMIT,
        )
        self._committed = broker.sharing.reads_committed(session.group_id)
        self._order = _rotated(list(session.partitions), request.share_session_epoch)
        self._logs: dict[Place, PartitionLog] = {}
        self._parts: Parts = {}
        """Errors, which belong to their partition alone."""
        self._cold: dict[tuple[Place, int], Batches] = {}
        """What was read from a cold disk, by where it begins."""
        self._pending: Pending | None = None
        self._waiting: Waiting | None = None
        self._watched: FetchSession | None = None

    def start(self) -> Parts | Pending:
        """The parts, or a Pending of them."""
        if self._asked.records_max <= 0 or self._bytes_max <= 0:
            for place in self._order:
                self._log(place)
            return self._answered({})
        try:
            found = self._look(must_answer=self._wait_ms <= 0)
        except _WouldBlock as blocked:
            return self._read_apart(blocked)
        return self._park() if found is None else found

    # -- which partitions

    def _log(self, place: Place) -> PartitionLog | None:
        """Its log; where there is none, why there is none is in its part."""
        log = self._logs.get(place)
        if log is not None and not log.removed:
            return log
        broker, was_known = self._broker, self._session.partitions[place].was_known
        topic = broker.catalog.topic_by_id(place.topic_id)
        found = broker.logs.partition(place.topic_id, place.partition) if topic is not None else None
        if log is not None:
            self._parts[place] = _failed(place, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "The topic was deleted.")
        elif topic is None and not was_known:
            self._parts[place] = _failed(place, ErrorCode.UNKNOWN_TOPIC_ID, "This broker has no topic with this id.")
        elif found is None:
            why = "This broker has no such partition."
            self._parts[place] = _failed(place, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, why)
        else:
            self._logs[place] = found
            return found
        return None

    def _share_partition(self, place: Place, log: PartitionLog) -> SharePartition | None:
        """None while it is being read, and where it went while the fetch was parked."""
        try:
            partition = self._broker.sharing.open(ShareKey(self._session.group_id, *place), log)
            if self._waiting is not None:
                partition.waiting[self._waiting] = None
            return partition
        except ProtocolError as error:
            self._parts[place] = _failed(place, error.code, str(error))
            return None

    # -- looking, and taking

    def _look(self, *, must_answer: bool) -> Parts | None:
        """Acquire what there is, if that is enough, or all that there will be. Raises _WouldBlock."""
        if not self._session.is_open:
            raise InvalidShareSessionEpoch
        now_ms = self._broker.sharing.now_ms()
        read = self._read(self._ready(now_ms))
        size = sum(each.found.size for each in read)
        if must_answer or len(self._parts) == len(self._order) or (read and size >= self._bytes_min):
            return self._answered(self._acquire(read, now_ms))
        return None

    def _ready(self, now_ms: int) -> Iterator[tuple[Place, SharePartition, int]]:
        """The partitions of which the group may have more, and from which offset on."""
        sharing = self._broker.sharing
        for place in self._order:
            log = self._log(place) if place not in self._parts else None
            partition = self._share_partition(place, log) if log is not None else None
            if log is None or partition is None or partition.in_flight is None:
                continue
            partition.in_flight.begin_at(log.start)
            offset = partition.in_flight.next_offset(sharing.limits(partition.key), now_ms)
            if offset is not None:
                yield place, partition, offset

    def _read(self, ready: Iterator[tuple[Place, SharePartition, int]]) -> list[_Read]:
        """What lies from there on, until it is as many records as are asked for and as many bytes.

        Of each partition as many bytes as are its share of the bound, but the first batch of all comes whole. Those
        behind are not looked at then, but by a session's first fetch, which is answered about all.
        """
        share = max(self._bytes_max // max(len(self._order), 1), 1)
        records = size = 0
        is_enough = False
        read = []
        for place, partition, offset in ready:
            found = Found()
            if not is_enough:
                self._read_one(found, place, partition.log, offset, share, whole_first=not size)
            if found.spans:
                records += found.spans[-1].last - max(found.spans[0].first, offset) + 1
                size += found.size
                is_enough = records >= self._asked.records_max and size >= self._bytes_min
            read.append(_Read(place, partition, offset, found))
            if is_enough and not self._is_first:
                break
        return read

    def _read_one(
        self, found: Found, place: Place, log: PartitionLog, offset: int, bytes_max: int, *, whole_first: bool
    ) -> None:
        """Little at a time, and more each time: most fetches ask for few records, and may have all bytes."""
        limit = log.last_stable if self._committed else log.high_watermark
        at, chunk = offset, min(READ_BYTES, READ_BYTES_EACH * self._asked.records_max)
        # at > limit: what was given out before the log lost its end; what comes there anew is for others
        while at <= limit and (
            not found.spans or at - offset < self._asked.records_max or found.size < self._bytes_min
        ):
            most = min(chunk, bytes_max - found.size)
            if most <= 0:
                return
            batches = self._cold.get((place, at))
            whole = not found.spans and (whole_first or most < bytes_max)
            if batches is None:
                batches = log.read_now(at, bytes_max=most, limit=limit, whole_first=whole, committed=self._committed)
            if batches is None:
                raise _WouldBlock(place, log, at, most, limit, whole_first=whole)
            if batches.size > bytes_max and not whole_first:
                return
            found.add(batches)
            if not batches.size or not batches.more:
                return
            at = found.spans[-1].last + 1
            chunk *= 4

    def _acquire(self, read: list[_Read], now_ms: int) -> Parts:
        sharing, left = self._broker.sharing, self._asked.records_max
        parts: Parts = {}
        for place, partition, offset, found in read:
            in_flight = partition.in_flight
            assert in_flight is not None
            part = parts[place] = _failed(place, ErrorCode.NONE, None)
            if not found.spans or left <= 0:
                continue
            limits = sharing.limits(partition.key)
            acquired = in_flight.acquire(self._asked._replace(records_max=left), found.spans, offset, limits, now_ms)
            if self._committed and acquired:
                acquired = in_flight.drop(found.aborted(), acquired)
            sharing.acquired(partition, limits.lock_ms)
            if acquired:
                part.records = found.records_of(acquired)
                part.acquired_records = [
                    AcquiredRecords(first_offset=first, last_offset=last, delivery_count=count)
                    for first, last, count in acquired
                ]
                left -= sum(last - first + 1 for first, last, _ in acquired)
        return parts

    def _answered(self, parts: Parts) -> Parts:
        """The parts that the client hears of: all in a session's first answer, then those with news."""
        session = self._session
        told: Parts = {}
        for place, part in (parts | self._parts).items():
            fetched = session.partitions.get(place)
            if self._is_first or fetched is None or part.records or part.error_code or fetched.is_news:
                told[place] = part
            if fetched is not None and not self._is_first:
                fetched.is_news = part.error_code != ErrorCode.NONE
        return told

    # -- waiting

    def _park(self) -> Pending:
        fetches, sharing = self._broker.fetches, self._broker.sharing
        watched = self._watched = FetchSession(NO_SESSION, 0.0, by_id=True)
        self._waiting = Waiting(fetches, watched, self._try)
        self._pending = Pending(on_cancel=self._stop)
        for place, log in self._logs.items():
            watch = watched.watches[place] = Watch(watched, place)
            watch.log = log
            fetches.follow(watch)
            partition = sharing.find(ShareKey(self._session.group_id, *place))
            if partition is not None:
                partition.waiting[self._waiting] = None
        self._waiting.start(max(self._wait_ms, 0) / 1000)
        return self._pending

    def _stop(self) -> None:
        """Follow nothing any more: it is being answered, or the client has gone."""
        waiting, self._waiting = self._waiting, None
        if waiting is None or self._watched is None:
            return
        waiting.stop()
        self._broker.fetches.unfollow_all(self._watched)
        for place in self._logs:
            partition = self._broker.sharing.find(ShareKey(self._session.group_id, *place))
            if partition is not None:
                partition.waiting.pop(waiting, None)

    def _try(self, must_answer: bool) -> bool:
        """Look again, for there may be more now, or it has to be said that there is not."""
        assert self._pending is not None, "only a parked fetch is tried again"
        try:
            found = self._look(must_answer=must_answer)
            if found is None:
                return False
            self._stop()
            self._pending.complete(found)
        except _WouldBlock as blocked:
            self._stop()
            self._read_apart(blocked)
        except ProtocolError as error:
            self._stop()
            self._pending.complete(error)
        except Exception:
            self._break_off()
        return True

    def _read_apart(self, blocked: _WouldBlock) -> Pending:
        if self._pending is None:
            self._pending = Pending()
        self._broker.spawn(self._finish_apart(self._pending, blocked), name="a share fetch from a cold disk")
        return self._pending

    async def _finish_apart(self, pending: Pending, blocked: _WouldBlock | None) -> None:
        try:
            while blocked is not None and not pending.cancelled:
                try:
                    self._cold[blocked.place, blocked.offset] = await blocked.read(committed=self._committed)
                except ProtocolError as error:
                    self._parts[blocked.place] = _failed(blocked.place, error.code, str(error))
                blocked = None
                if not pending.cancelled:
                    try:
                        pending.complete(self._look(must_answer=True))
                    except _WouldBlock as another:
                        blocked = another
                    except ProtocolError as error:
                        pending.complete(error)
        except Exception:
            self._break_off()

    def _break_off(self) -> None:
        """Our own mistake, found after the handler returned. Called while the exception is handled."""
        logger.exception("a share fetch that waited failed; its connection is closed")
        self._stop()
        self._connection.close("a share fetch failed")


class _WouldBlock(Exception):
    """A read needs a cold disk; it is awaited apart."""

    def __init__(
        self, place: Place, log: PartitionLog, offset: int, bytes_max: int, limit: int, *, whole_first: bool
    ) -> None:
        self.place = place
        self.offset = offset
        self._log = log
        self._bytes_max = bytes_max
        self._limit = limit
        self._whole_first = whole_first

    async def read(self, *, committed: bool) -> Batches:
        """Read it, however long that takes. Raises ProtocolError."""
        return await self._log.read(
            self.offset,
            bytes_max=self._bytes_max,
            limit=self._limit,
            whole_first=self._whole_first,
            committed=committed,
        )


def _failed(place: Place, code: ErrorCode, message: str | None) -> PartitionData:
    """A partition without records."""
    return PartitionData(
        partition_index=place.partition,
        error_code=code,
        error_message=message,
        acknowledge_error_code=ErrorCode.NONE,
        current_leader=NO_LEADER,
        records=[],
        acquired_records=[],
    )


def _rotated(places: list[Place], epoch: int) -> list[Place]:
    """Another partition comes first each time, so that none starves."""
    at = epoch % len(places) if places else 0
    return places[at:] + places[:at]


# -- one reply of both


def _combined(broker: Broker, member: Member, found: Any, answers: Mapping[Place, Said | Pending]) -> Any:
    """The reply, when the records are there and what the member said is durable."""
    places = list(answers)  # not the answers: those that come later would name themselves

    def respond(parts: list[Any]) -> ShareFetchResponse:
        told, *codes = parts
        if isinstance(told, ProtocolError):
            return _refused(told)
        return _response(broker, member, told, dict(zip(places, codes, strict=True)))

    whole = gathered([found, *answers.values()], respond)
    if isinstance(whole, Pending) and isinstance(found, Pending):
        whole.on_cancel = found.cancel
    return whole


def _response(
    broker: Broker, member: Member, parts: Parts, answers: Mapping[Place, Said | ErrorCode]
) -> ShareFetchResponse:
    for place, answer in answers.items():
        code, message = answer if isinstance(answer, Said) else said(answer)
        part = parts.get(place)
        if part is None:
            part = parts[place] = _failed(place, ErrorCode.NONE, None)
        part.acknowledge_error_code, part.acknowledge_error_message = code, message
    topics: dict[bytes, ShareFetchableTopicResponse] = {}
    for place, part in parts.items():
        topic = topics.get(place.topic_id)
        if topic is None:
            topic = topics[place.topic_id] = ShareFetchableTopicResponse(topic_id=place.topic_id, partitions=[])
        topic.partitions.append(part)
    return ShareFetchResponse(
        acquisition_lock_timeout_ms=broker.sharing.lock_ms(member.group_id),
        responses=list(topics.values()),
        node_endpoints=[],
    )
