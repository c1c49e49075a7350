"""Fetch sessions: their rules one by one, and then any client against any traffic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drave import records
from drave.broker.fetching import (
    EPOCH_MAX,
    EVICTABLE_AFTER_S,
    FINAL_EPOCH,
    INITIAL_EPOCH,
    NO_SESSION,
    FetchHub,
    FetchSession,
    FetchSessionIdNotFound,
    FetchSessionTopicIdError,
    InvalidFetchSessionEpoch,
    Waiting,
    Watch,
)
from drave.catalog import Topic
from drave.model.errors import ErrorCode
from drave.wire.messages.k01_fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic
from tests.broker.still import Call, Numbers, StillBroker, StillClock, StillScheduler, batch_of, produce_request


class World:
    """A hub with room for three sessions, and logs that are only names."""

    def __init__(self, sessions_max: int = 3) -> None:
        self.clock = StillClock()
        self.scheduler = StillScheduler(self.clock)
        self.hub = FetchHub(self.scheduler, self.clock, Numbers(), sessions_max=sessions_max)

    def begin(self) -> FetchSession:
        return self.hub.open(NO_SESSION, INITIAL_EPOCH, by_id=False)

    def watch(self, session: FetchSession, log: Any, name: str = "rides") -> Watch:
        watch = session.watches[name, len(session.watches)] = Watch(session, (name, len(session.watches)))
        watch.log = log
        self.hub.follow(watch)
        return watch


class Log:
    """A log that only ever moves."""

    on_advance: Callable[[Any], None] | None = None

    def advance(self) -> None:
        assert self.on_advance is not None
        self.on_advance(self)


@pytest.fixture
def world() -> World:
    return World()


# -- opening


def test_a_new_session_has_an_id_of_its_own_and_its_next_epoch_is_one(world: World) -> None:
    first, second = world.begin(), world.begin()
    assert 0 < first.id != second.id > 0
    assert first.epoch == second.epoch == 1
    assert world.hub.open(first.id, 1, by_id=False) is first
    assert first.epoch == 2


def test_epochs_go_round_past_zero(world: World) -> None:
    session = world.begin()
    session.epoch = EPOCH_MAX
    assert world.hub.open(session.id, EPOCH_MAX, by_id=False).epoch == 1


def test_what_is_not_the_next_request_of_a_session_is_refused_and_changes_nothing(world: World) -> None:
    session = world.begin()
    with pytest.raises(FetchSessionIdNotFound):
        world.hub.open(session.id + 1, 1, by_id=False)
    with pytest.raises(InvalidFetchSessionEpoch):
        world.hub.open(session.id, 2, by_id=False)
    with pytest.raises(FetchSessionTopicIdError):
        world.hub.open(session.id, 1, by_id=True)
    assert session.epoch == 1


def test_the_final_epoch_ends_a_session_and_needs_none(world: World) -> None:
    session = world.begin()
    assert world.hub.open(session.id, FINAL_EPOCH, by_id=False).id == NO_SESSION
    with pytest.raises(FetchSessionIdNotFound):
        world.hub.open(session.id, 1, by_id=False)


def test_when_all_sessions_are_in_use_a_new_client_goes_without(world: World) -> None:
    for _ in range(3):
        assert world.begin().id != NO_SESSION
    assert world.begin().id == NO_SESSION


def test_the_session_that_was_silent_for_longest_makes_room(world: World) -> None:
    """Kafka: `min.incremental.fetch.session.eviction.ms`, two minutes."""
    first, second, _ = world.begin(), world.begin(), world.begin()
    world.clock.now_ms += 1000
    world.hub.open(first.id, 1, by_id=False)
    world.clock.now_ms += int(EVICTABLE_AFTER_S * 1000) - 1000
    log = Log()
    world.watch(second, log)
    assert world.begin().id != NO_SESSION
    with pytest.raises(FetchSessionIdNotFound):
        world.hub.open(second.id, 1, by_id=False)
    assert log.on_advance is None, "and nobody follows its logs any more"
    assert world.hub.open(first.id, 2, by_id=False) is first


def test_sessions_can_be_switched_off() -> None:
    assert World(sessions_max=0).begin().id == NO_SESSION


# -- marks


def test_a_log_that_moves_marks_whoever_watches_it(world: World) -> None:
    session, other = world.begin(), world.begin()
    busy, idle = Log(), Log()
    first, second = world.watch(session, busy), world.watch(session, idle)
    third = world.watch(other, busy)
    busy.advance()
    assert list(session.marked) == [first]
    assert list(other.marked) == [third]
    idle.advance()
    assert list(session.marked) == [first, second]


def test_a_session_that_nobody_uses_any_more_costs_a_busy_log_nothing(world: World) -> None:
    """What is marked follows its log no more, until it is looked at; a parked fetch follows on."""
    log = Log()
    left, parked = world.begin(), world.begin()
    watch = world.watch(left, log)
    world.watch(parked, log)
    attempts = park(world, parked)
    for _ in range(3):
        log.advance()
        world.scheduler.run()
    assert attempts.tries == [False, False, False]
    assert watch not in world.hub._watching[log]  # type: ignore[index]  # as good as a log here
    world.hub.unmark(watch)
    log.advance()
    assert list(left.marked) == [watch]


def test_who_was_served_goes_to_the_end_of_the_line(world: World) -> None:
    session = world.begin()
    watches = [world.watch(session, Log()) for _ in range(3)]
    for watch in watches:
        session.mark(watch)
    session.served(watches[0])
    assert list(session.marked) == [watches[1], watches[2], watches[0]]


def test_a_log_that_nobody_watches_tells_nobody(world: World) -> None:
    log = Log()
    first, second = world.begin(), world.begin()
    world.watch(first, log)
    world.watch(second, log)
    world.hub.unwatch(first, ("rides", 0))
    assert log.on_advance is not None
    world.hub.close(second)
    assert log.on_advance is None
    assert not first.marked


# -- waits


class Attempts:
    """A parked fetch that counts how often it was tried."""

    def __init__(self) -> None:
        self.tries: list[bool] = []
        self.is_enough = False

    def __call__(self, must_answer: bool) -> bool:
        self.tries.append(must_answer)
        return must_answer or self.is_enough


def park(world: World, session: FetchSession, wait_s: float = 0.5) -> Attempts:
    attempts = Attempts()
    Waiting(world.hub, session, attempts).start(wait_s)
    return attempts


def test_a_parked_fetch_is_tried_once_however_much_moved_meanwhile(world: World) -> None:
    session = world.begin()
    logs = [Log() for _ in range(100)]
    for log in logs:
        world.watch(session, log)
    attempts = park(world, session)
    for log in logs:
        log.advance()
    assert attempts.tries == []
    world.scheduler.run()
    assert attempts.tries == [False]


def test_a_parked_fetch_is_tried_until_there_is_enough(world: World) -> None:
    session, log = world.begin(), Log()
    world.watch(session, log)
    attempts = park(world, session)
    for enough in (False, True, True):
        attempts.is_enough = enough
        log.advance()
        world.scheduler.run()
    assert attempts.tries == [False, False]
    world.clock.now_ms += 1000
    world.scheduler.run()
    assert attempts.tries == [False, False], "what was answered has no time to be over"
    assert not world.hub.parked


def test_a_parked_fetch_is_answered_when_its_time_is_over(world: World) -> None:
    attempts = park(world, world.begin())
    world.clock.now_ms += 499
    world.scheduler.run()
    assert attempts.tries == []
    world.clock.now_ms += 1
    world.scheduler.run()
    assert attempts.tries == [True]


def test_a_log_that_goes_away_ends_the_wait(world: World) -> None:
    session, log = world.begin(), Log()
    watch = world.watch(session, log)
    attempts = park(world, session)
    world.hub.forget(log)  # type: ignore[arg-type]  # as good as a log here
    assert watch.log is None
    world.scheduler.run()
    assert True in attempts.tries


# -- any client, any traffic

PARTITIONS = 3


@dataclass
class Client:
    """A consumer as KIP-227 describes it: it says only what has changed, and believes what it is told."""

    still: StillBroker
    topic: Topic
    has_session: bool
    by_id: bool
    part_bytes_max: int
    offsets: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(PARTITIONS), 0))
    """The partitions that it wants, and the next offset in each of them."""
    said: dict[int, int] = field(default_factory=dict)
    """What the broker's session knows of that."""
    session: int = 0
    epoch: int = 0
    call: Call | None = None
    bytes_min: int = 0

    def fetch(self, bytes_max: int, bytes_min: int, wait_ms: int) -> None:
        """Ask, unless there is an answer to wait for."""
        if self.call is not None:
            return
        if not self.has_session:
            self.epoch = -1
        is_full = self.epoch <= 0
        asked = self.offsets if is_full else dict(self.offsets.items() - self.said.items())
        forgotten = [] if is_full else sorted(self.said.keys() - self.offsets.keys())
        name = {"topic_id": self.topic.topic_id} if self.by_id else {"topic": self.topic.name}
        parts = [
            FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=self.part_bytes_max)
            for index, offset in asked.items()
        ]
        request = FetchRequest(
            max_wait_ms=wait_ms,
            min_bytes=bytes_min,
            max_bytes=bytes_max,
            session_id=self.session,
            session_epoch=self.epoch,
            topics=[FetchTopic(partitions=parts, **name)] if parts else [],
            forgotten_topics_data=[ForgottenTopic(partitions=forgotten, **name)] if forgotten else [],
        )
        self.said = dict(self.offsets)
        self.bytes_min = bytes_min
        self.call = self.still.send(request, 13 if self.by_id else 12)
        self.hear()

    def hear(self) -> None:
        """Take in the answer, if there is one: the very next records of each partition, and nothing else."""
        if self.call is None or not self.call.is_answered:
            return
        response, self.call = self.call.response, None
        if response.error_code:
            assert response.error_code in (
                ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
                ErrorCode.INVALID_FETCH_SESSION_EPOCH,
            )
            self.session = 0 if response.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND else self.session
            self.epoch = 0
            return
        self.session = response.session_id
        self.epoch = self.epoch + 1 if self.session else 0
        for topic in response.responses:
            for data in topic.partitions:
                assert data.error_code == ErrorCode.NONE
                if data.partition_index in self.offsets:
                    self._take(data.partition_index, bytes(data.records))

    def _take(self, index: int, batches: bytes) -> None:
        for header, batch in records.split(batches):
            for record in records.read_records(batch, header):
                if record.offset >= self.offsets[index]:
                    assert record.offset == self.offsets[index], "no record is left out"
                    assert record.value is not None
                    assert record.value.startswith(b"%d/%d/" % (index, record.offset))
                    self.offsets[index] += 1

    def mishear(self) -> None:
        """The answer is lost on its way; the client asks again with the epoch that it had."""
        if self.call is not None and self.call.pending is not None and not self.call.is_answered:
            self.call.hang_up()
            self.call = None

    @property
    def unread(self) -> int:
        """How many durable records of its partitions the client has not had."""
        return self._durable_after(self.offsets)

    @property
    def waits_in_vain(self) -> bool:
        """Whether it waits for a byte of what is there."""
        return self.call is not None and self.bytes_min <= 1 and self._durable_after(self.said) > 0

    def _durable_after(self, offsets: dict[int, int]) -> int:
        return sum(self.still.log(self.topic, index).high_watermark - offset for index, offset in offsets.items())


clients = st.tuples(st.booleans(), st.booleans(), st.sampled_from([1, 150, 10_000]))
steps = st.one_of(
    st.tuples(st.just("produce"), st.integers(0, PARTITIONS - 1), st.integers(1, 3), st.sampled_from([0, 40, 400])),
    st.tuples(st.just("commit")),
    st.tuples(
        st.just("fetch"),
        st.integers(0, 1),
        st.sampled_from([1, 300, 10_000]),
        st.sampled_from([0, 1, 300]),
        st.sampled_from([0, 50]),
    ),
    st.tuples(st.just("advance"), st.sampled_from([10, 60])),
    st.tuples(st.just("want"), st.integers(0, 1), st.integers(0, PARTITIONS - 1)),
    st.tuples(st.just("unwant"), st.integers(0, 1), st.integers(0, PARTITIONS - 1)),
    st.tuples(st.just("mishear"), st.integers(0, 1)),
    st.tuples(st.just("evict")),
)


@settings(max_examples=150, deadline=None)
@given(kinds=st.tuples(clients, clients), script=st.lists(steps, min_size=8, max_size=60))
def test_no_client_misses_or_repeats_a_record_or_waits_for_what_is_there(
    kinds: tuple[tuple[bool, bool, int], ...], script: list[tuple[Any, ...]]
) -> None:
    still = StillBroker()
    topic = still.create("rides", partitions=PARTITIONS)
    consumers = [Client(still, topic, *kind) for kind in kinds]
    written = [0] * PARTITIONS
    kept: list[dict[int, int]] = [{}, {}]
    """The offsets of partitions that a client did not want for a while."""
    for action, *args in script:
        match action, args:
            case "produce", (index, count, size):
                values = [b"%d/%d/" % (index, written[index] + each) + bytes(size) for each in range(count)]
                written[index] += count
                still.send(produce_request("rides", {index: batch_of(*values)}), 12)
            case "commit", _:
                still.commit()
            case "fetch", (who, bytes_max, bytes_min, wait_ms):
                consumers[who].fetch(bytes_max, bytes_min, wait_ms)
            case "advance", (ms,):
                still.advance(ms)
            case "want", (who, index):
                consumers[who].offsets.setdefault(index, kept[who].pop(index, 0))
            case "unwant", (who, index):
                if index in consumers[who].offsets:
                    kept[who][index] = consumers[who].offsets.pop(index)
            case "mishear", (who,):
                consumers[who].mishear()
            case "evict", _:
                for session in list(still.broker.fetches._sessions.values()):
                    still.broker.fetches.close(session)
        still.run()
        for consumer in consumers:
            consumer.hear()
            assert not consumer.waits_in_vain
    still.commit()
    still.advance(60)
    for consumer in consumers:
        consumer.hear()
        drain(consumer)
        consumer.fetch(1000, 1, 0)
        assert consumer.unread == 0
    assert not still.broker.fetches.parked
    assert still.scheduler.timers == 0


def drain(consumer: Client) -> None:
    """Every fetch brings something new while there is something; only a session may have to begin anew first."""
    restarts = 0
    while consumer.unread:
        before, epoch = consumer.unread, consumer.epoch
        consumer.fetch(1, 1, 10_000)
        assert consumer.call is None, "there are records, so the fetch does not wait"
        if consumer.unread == before:
            restarts += 1
            assert restarts <= 2, f"nothing came, although {before} records are there (epoch {epoch})"
