"""Fetch sessions, and the fetches that wait for data (KIP-227).

    PartitionLog ──advanced──▶ FetchHub ──mark──▶ Watch ∈ FetchSession ──wake──▶ the fetch parked on it

A *watch* is one partition of one session. It is *marked* while there may be something to say about it: data past its
fetch offset, a watermark or log start that the client has not heard of, an error. A fetch looks at marked watches only,
so an idle partition costs nothing, and a long poll is woken once, however many partitions move. A watch that was
served goes to the end of the line, so that a busy partition does not starve its neighbours.

The law: a watch is marked, or follows its log. What is marked hears no more of its log until it is looked at, so a
session that nobody uses any more costs a busy partition nothing; only a parked fetch follows what it has marked, too.

A fetch without a session uses one all the same. It ends with its answer, and follows its logs only while it is parked.

Nothing here knows the protocol's messages or waits for anything: the Fetch handler asks, and completes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from drave.log import PartitionLog
from drave.model.clock import Clock, Entropy, Scheduler, Timer
from drave.model.errors import ErrorCode, ProtocolError
from drave.model.ids import Offset, TopicId

NO_SESSION: Final = 0
FINAL_EPOCH: Final = -1
INITIAL_EPOCH: Final = 0
EPOCH_MAX: Final = 2**31 - 1
EVICTABLE_AFTER_S: Final = 120.0
"""A session used within this time is not evicted for a new one. Kafka: `min.incremental.fetch.session.eviction.ms`."""

WatchKey = tuple[str | TopicId, int]
"""What a client calls the partition: a topic's name below version 13, its id from there on; and the partition."""


class FetchSessionIdNotFound(ProtocolError):
    """The session was evicted, or belongs to another time of this broker: the client starts a new one."""

    code = ErrorCode.FETCH_SESSION_ID_NOT_FOUND


class InvalidFetchSessionEpoch(ProtocolError):
    """The request is not the next of its session: one was lost or sent twice."""

    code = ErrorCode.INVALID_FETCH_SESSION_EPOCH


class FetchSessionTopicIdError(ProtocolError):
    """The session was begun with topic names and the request has ids, or the other way round."""

    code = ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR


class Watch:
    """One partition in one fetch session: where the client is, and what it was last told."""

    __slots__ = (
        "bytes_max",
        "key",
        "last_fetched_epoch",
        "leader_epoch",
        "log",
        "offset",
        "sent_log_start",
        "sent_watermark",
        "session",
    )

    def __init__(self, session: FetchSession, key: WatchKey) -> None:
        self.session = session
        self.key = key
        self.log: PartitionLog | None = None
        self.offset = Offset(0)
        self.bytes_max = 0
        self.leader_epoch = -1
        self.last_fetched_epoch = -1
        self.sent_watermark = -1
        self.sent_log_start = -1


class FetchSession:
    """The partitions one client fetches, in its order, and which of them may have news."""

    __slots__ = ("by_id", "epoch", "id", "marked", "used_at", "waiting", "watches")

    def __init__(self, session_id: int, now: float, *, by_id: bool) -> None:
        self.id = session_id
        self.by_id = by_id
        """Whether its keys are topic ids; the names of a session stay names."""
        self.epoch = INITIAL_EPOCH
        """Of the next request."""
        self.used_at = now
        self.watches: dict[WatchKey, Watch] = {}
        self.marked: dict[Watch, None] = {}
        """In the order in which they are served."""
        self.waiting: Waiting | None = None

    def mark(self, watch: Watch) -> None:
        """There may be something to say about this partition."""
        self.marked.setdefault(watch)
        if self.waiting is not None:
            self.waiting.wake()

    def served(self, watch: Watch) -> None:
        """It was sent records: there may be more, but the others come first."""
        self.marked.pop(watch, None)
        self.marked[watch] = None


class Waiting:
    """A parked fetch. It is tried again when something moved, and answered with what there is when its time is over."""

    __slots__ = ("_hub", "_session", "_timer", "_try", "_woken")

    def __init__(self, hub: FetchHub, session: FetchSession, try_now: Callable[[bool], bool]) -> None:
        """`try_now(must_answer)` answers the fetch if it can, or in any case if it must; it returns whether it did."""
        self._hub = hub
        self._session = session
        self._try = try_now
        self._timer: Timer | None = None
        self._woken = False

    def start(self, wait_s: float) -> None:
        """Park, for `wait_s` seconds at most. An older fetch of the same session is answered now."""
        if self._session.waiting is not None:
            self._session.waiting.expire()
        self._session.waiting = self
        self._hub.parked[self] = None
        self._timer = self._hub.scheduler.call_later(wait_s, self.expire)

    def wake(self) -> None:
        """Something moved: try again once this turn of the loop is over, however much else moves in it."""
        if not self._woken:
            self._woken = True
            self._hub.scheduler.call_soon(self._retry)

    def expire(self) -> None:
        """The time is over: answer with what there is."""
        if self in self._hub.parked:
            self.stop()
            self._try(True)

    def stop(self) -> None:
        """No longer wait: it is being answered, or the client has gone."""
        self._hub.parked.pop(self, None)
        if self._session.waiting is self:
            self._session.waiting = None
        if self._timer is not None:
            self._timer.cancel()

    def _retry(self) -> None:
        self._woken = False
        if self in self._hub.parked and self._try(False):
            self.stop()


class FetchHub:
    """All fetch sessions of a broker, and which logs they watch."""

    def __init__(self, scheduler: Scheduler, clock: Clock, entropy: Entropy, *, sessions_max: int) -> None:
        self.scheduler = scheduler
        self.parked: dict[Waiting, None] = {}
        self._clock = clock
        self._entropy = entropy
        self._sessions_max = sessions_max
        self._sessions: OrderedDict[int, FetchSession] = OrderedDict()
        """The one that was used longest ago comes first."""
        self._watching: dict[PartitionLog, dict[Watch, None]] = {}

    # -- sessions

    def open(self, session_id: int, epoch: int, *, by_id: bool) -> FetchSession:
        """The session a request belongs to, by KIP-227's rules.

        A session whose id is 0 is for this request alone. Raises FetchSessionIdNotFound, InvalidFetchSessionEpoch,
        FetchSessionTopicIdError.
        """
        now = self._clock.monotonic()
        if epoch in (FINAL_EPOCH, INITIAL_EPOCH):
            if session_id != NO_SESSION and (old := self._sessions.get(session_id)) is not None:
                self.close(old)
            return self._new(now, by_id) if epoch == INITIAL_EPOCH else FetchSession(NO_SESSION, now, by_id=by_id)
        session = self._sessions.get(session_id)
        if session is None:
            raise FetchSessionIdNotFound
        if session.epoch != epoch:
            raise InvalidFetchSessionEpoch
        if session.by_id is not by_id:
            raise FetchSessionTopicIdError
        session.epoch = 1 if epoch == EPOCH_MAX else epoch + 1
        session.used_at = now
        self._sessions.move_to_end(session_id)
        return session

    def _new(self, now: float, by_id: bool) -> FetchSession:
        if len(self._sessions) >= self._sessions_max:
            oldest = next(iter(self._sessions.values()), None)
            if oldest is None or now - oldest.used_at < EVICTABLE_AFTER_S:
                return FetchSession(NO_SESSION, now, by_id=by_id)
            self.close(oldest)
        session_id = NO_SESSION
        while session_id == NO_SESSION or session_id in self._sessions:
            session_id = int(self._entropy.uniform(1, EPOCH_MAX))
        session = FetchSession(session_id, now, by_id=by_id)
        session.epoch = 1
        self._sessions[session_id] = session
        return session

    def close(self, session: FetchSession) -> None:
        """The session is over: what it watched is let go, its id is nobody's, and who waits in it is told so."""
        if session.waiting is not None:
            self.scheduler.call_soon(session.waiting.expire)
        self._sessions.pop(session.id, None)
        session.id = NO_SESSION
        self.unfollow_all(session)
        session.watches.clear()
        session.marked.clear()

    # -- watches

    def follow(self, watch: Watch) -> None:
        """Hear of it when the watch's log moves."""
        log = watch.log
        if log is not None:
            watching = self._watching.get(log)
            if watching is None:
                watching = self._watching[log] = {}
                log.on_advance = self.advanced
            watching[watch] = None

    def unfollow(self, watch: Watch) -> None:
        """Hear no more of it."""
        log = watch.log
        watching = self._watching.get(log) if log is not None else None
        if log is not None and watching is not None:
            watching.pop(watch, None)
            if not watching:
                self._let_go(log)

    def _let_go(self, log: PartitionLog) -> None:
        del self._watching[log]
        log.on_advance = None

    def unfollow_all(self, session: FetchSession) -> None:
        """Follow none of a session's logs any more."""
        for watch in session.watches.values():
            self.unfollow(watch)

    def unwatch(self, session: FetchSession, key: WatchKey) -> None:
        """The client has forgotten this partition."""
        watch = session.watches.pop(key, None)
        if watch is not None:
            session.marked.pop(watch, None)
            self.unfollow(watch)

    def unmark(self, watch: Watch) -> None:
        """The client knows all there is to know of this partition, until its log moves."""
        watch.session.marked.pop(watch, None)
        self.follow(watch)

    # -- what moves

    def advanced(self, log: PartitionLog) -> None:
        """The log's high watermark, last stable offset or start has moved."""
        watching = self._watching[log]
        for watch in tuple(watching):
            session = watch.session
            session.mark(watch)
            if session.waiting is None:
                del watching[watch]
        if not watching:
            self._let_go(log)

    def forget(self, log: PartitionLog) -> None:
        """The log is going away: whoever watches it is told at the next look, and whoever waits for it at once."""
        log.on_advance = None
        for watch in self._watching.pop(log, {}):
            watch.log = None
            watch.session.mark(watch)
            if watch.session.waiting is not None:
                self.scheduler.call_soon(watch.session.waiting.expire)

    def end_waits(self) -> None:
        """Answer every parked fetch with what there is."""
        for waiting in list(self.parked):
            waiting.expire()
