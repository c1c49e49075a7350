"""A coordinator and its log: what waits for durability, what is refused, what is read again, what is compacted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from drave.broker.context import Pending
from drave.broker.coordinator import partition as partitions
from drave.broker.coordinator.outcome import KeyValue, Outcome, TimerName, Writer
from drave.broker.coordinator.partition import CoordinatorPartition
from drave.broker.coordinator.undecided import UndecidedRecords
from drave.broker.coordinator.unread import UnreadRecords
from drave.model.errors import ErrorCode, Refused
from drave.records import (
    BatchHeader,
    ControlKind,
    build_batch,
    control_batch,
    parse_header,
    place,
    read_records,
    split,
)
from drave.schema import SchemaError


class FakeLog:
    """A partition's log in a list; it is durable as far as the test says."""

    def __init__(self) -> None:
        self.batches: list[bytes] = []
        self.start = self.end = self.durable = 0
        self.refuses: Exception | None = None
        self.waiting: list[tuple[int, Any]] = []
        self.keeps_start_waiting = False
        self.moves: list[asyncio.Future[int]] = []
        self.reads = 0

    def append(self, batch: bytes, header: BatchHeader, *, now_ms: int) -> None:
        if self.refuses is not None:
            raise self.refuses
        placed = bytearray(batch)
        place(placed, self.end, 0)
        self.batches.append(bytes(placed))
        self.end += header.count

    def append_marker(
        self, kind: ControlKind, producer_id: int, epoch: int, coordinator_epoch: int, *, now_ms: int, **_: int
    ) -> None:
        batch = control_batch(kind, producer_id, epoch, coordinator_epoch, now_ms)
        self.append(batch, parse_header(batch), now_ms=now_ms)

    def when_durable(self, end: int, callback: Any) -> None:
        if end <= self.durable:
            callback()
        else:
            self.waiting.append((end, callback))

    def sync(self) -> None:
        self.durable = self.end
        waiting, self.waiting = self.waiting, []
        for _, callback in waiting:
            callback()

    def read_now(self, start: int, *, bytes_max: int, limit: int, whole_first: bool) -> None:
        return None

    async def read(self, start: int, *, bytes_max: int, limit: int, whole_first: bool) -> Any:
        """One batch at a time."""
        self.reads += 1
        found = [each for each in self.batches if start <= parse_header(each).base_offset < limit][:1]
        return type("Batches", (), {"parts": [memoryview(each) for each in found], "size": sum(map(len, found))})

    def delete_records(self, before: int) -> asyncio.Future[int]:
        assert before <= self.durable
        self.start = before
        self.batches = [batch for batch in self.batches if parse_header(batch).base_offset >= before]
        moved: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self.keeps_start_waiting:
            self.moves.append(moved)
        else:
            moved.set_result(before)
        return moved

    def records(self) -> list[list[tuple[bytes | None, bytes | None]]]:
        return [[(record.key, record.value) for record in read_records(batch)] for batch in self.batches]


class Cells:
    """The smallest machine: keys and values. A value of `?` cannot be read."""

    def __init__(self) -> None:
        self.undecided = UndecidedRecords()
        self.cells: dict[bytes, bytes] = {}
        self.unread = UnreadRecords()
        self.loaded_at: int | None = None
        self.fired: list[TimerName] = []

    def replay(self, key: bytes, value: bytes | None) -> None:
        if value == b"?":
            raise SchemaError("cell", 0, "unreadable")
        if value is None:
            self.cells.pop(key, None)
        else:
            self.cells[key] = value

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        for key in list(self.cells):
            if key in self.cells:
                yield key, self.cells[key]

    def loaded(self, now_ms: int) -> Outcome:
        self.loaded_at = now_ms
        return Outcome()

    def timer_fired(self, name: TimerName, now_ms: int) -> Outcome:
        self.fired.append(name)
        return Outcome()

    def expire(self, now_ms: int) -> Outcome:
        return Outcome()

    def refuse(self, outcome: Outcome, code: ErrorCode) -> None:
        outcome.records.clear()
        outcome.duties.clear()
        outcome.replies[:] = [reply._replace(response=code) for reply in outcome.replies]


class Under:
    """A partition under test."""

    def __init__(self, log: FakeLog | None) -> None:
        self.log = log
        self.timers: list[tuple[TimerName, int | None]] = []
        self.performed: list[str] = []
        self.partition: CoordinatorPartition[Any] = CoordinatorPartition(
            Cells(),
            log,  # type: ignore[arg-type]
            now_ms=lambda: 7,
            change_timer=lambda name, after_ms: self.timers.append((name, after_ms)),
            perform=self.performed.append,
        )

    @property
    def cells(self) -> dict[bytes, bytes]:
        return self.partition.machine.cells

    def ask(
        self,
        *records: KeyValue,
        answers: dict[int, str] | None = None,
        response: str | None = "done",
        writer: Writer | None = None,
        duties: tuple[str, ...] = (),
    ) -> Any:
        """A request that writes these records and answers these other tokens too."""

        def step(machine: Cells, token: int, now_ms: int) -> Outcome:
            out = Outcome()
            out.records += records
            out.writer = writer
            out.duties += duties
            for other, text in (answers or {}).items():
                out.reply(other, text)
            if response is not None:
                out.reply(token, response)
            return out

        return self.partition.submit(step, lambda code: code)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def under(log: FakeLog) -> Under:
    return Under(log)


def answer_of(pending: Pending) -> list[Any]:
    """Filled when the answer comes."""
    got: list[Any] = []
    pending.attach(got.append)
    return got


def test_a_reply_leaves_when_its_records_are_durable(under: Under, log: FakeLog) -> None:
    got = answer_of(under.ask((b"k", b"1")))
    assert (got, under.cells) == ([], {b"k": b"1"})
    log.sync()
    assert got == ["done"]


def test_a_request_that_only_reads_waits_for_what_it_may_have_read(under: Under, log: FakeLog) -> None:
    """Were it answered at once, a power cut could take back what it told."""
    under.ask((b"k", b"1"))
    got = answer_of(under.ask())
    assert got == []
    log.sync()
    assert got == ["done"]


def test_where_nothing_is_pending_the_answer_is_there_at_once(under: Under, log: FakeLog) -> None:
    assert under.ask() == "done"
    under.ask((b"k", b"1"))
    log.sync()
    assert under.ask() == "done"


def test_a_reply_waits_for_the_moment_at_which_it_was_computed_and_no_later_one(under: Under, log: FakeLog) -> None:
    first = answer_of(under.ask((b"k", b"1")))
    end = log.end
    under.ask((b"k", b"2"))
    log.durable = end
    for at, callback in log.waiting:
        if at <= end:
            callback()
    assert first == ["done"]


def test_the_records_of_one_request_are_one_batch(under: Under, log: FakeLog) -> None:
    under.ask((b"a", b"1"), (b"b", b"2"), (b"a", None))
    assert log.records() == [[(b"a", b"1"), (b"b", b"2"), (b"a", None)]]
    assert under.cells == {b"b": b"2"}


def test_a_parked_request_is_answered_by_a_later_one(under: Under, log: FakeLog) -> None:
    parked = answer_of(under.ask(response=None))
    under.ask((b"k", b"1"), answers={0: "at last"})
    assert parked == []
    log.sync()
    assert parked == ["at last"]


def test_what_the_log_refuses_is_not_replayed_and_answered_as_refused(under: Under, log: FakeLog) -> None:
    log.refuses = Refused(ErrorCode.KAFKA_STORAGE_ERROR, "the disk is full")
    assert under.ask((b"k", b"1")) == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert under.cells == {}
    log.refuses = None
    under.ask((b"k", b"2"))
    assert under.cells == {b"k": b"2"}


def test_a_client_that_has_gone_is_forgotten(under: Under) -> None:
    parked = under.ask(response=None)
    parked.attach(pytest.fail)
    parked.cancel()
    assert not under.partition._parked
    assert under.ask(answers={0: "too late"}) == "done"


def test_at_the_end_all_who_wait_are_told_and_nobody_is_let_in(under: Under) -> None:
    parked = answer_of(under.ask(response=None))
    under.partition.end(ErrorCode.NOT_COORDINATOR)
    assert parked == [ErrorCode.NOT_COORDINATOR]
    assert under.ask() == ErrorCode.NOT_COORDINATOR
    under.partition.timer_fired(("session", "g", "m"))
    assert under.partition.machine.fired == []


def test_before_the_topic_is_there_a_partition_can_be_asked_but_has_nothing() -> None:
    under = Under(None)
    assert under.ask() == "done"


# -- loading


async def test_a_partition_is_loaded_by_replaying_its_log(log: FakeLog) -> None:
    before = Under(log)
    for number in range(20):
        before.ask((b"k%d" % (number % 3), b"%d" % number))
    before.ask((b"k0", None))
    log.sync()
    after = Under(log)
    assert after.ask() == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    await after.partition.load()
    assert after.cells == before.cells == {b"k1": b"19", b"k2": b"17"}
    assert after.partition.machine.loaded_at == 7
    assert after.ask() == "done"
    assert log.reads == 21


async def test_a_partition_without_records_is_loaded_from_the_start(under: Under) -> None:
    assert under.partition.loaded


async def test_a_record_that_cannot_be_read_is_kept_as_it_is(log: FakeLog, caplog: pytest.LogCaptureFixture) -> None:
    Under(log).ask((b"k", b"1"))
    log.append(batch := build_batch([(b"odd", b"?")]), parse_header(batch), now_ms=0)
    log.sync()
    under = Under(log)
    await under.partition.load()
    assert (under.cells, under.partition.machine.unread) == ({b"k": b"1"}, {b"odd": b"?"})
    assert "cannot be read" in caplog.text


async def test_a_batch_that_is_not_what_it_says_is_passed_over_aloud(
    log: FakeLog, caplog: pytest.LogCaptureFixture
) -> None:
    under = Under(log)
    under.ask((b"k", b"1"))
    under.ask((b"k", b"2"))
    log.sync()
    ((header, _),) = split(log.batches[1])
    log.batches[1] = log.batches[1][: header.size - 4] + b"\xff\xff\xff\xff"
    after = Under(log)
    await after.partition.load()
    assert after.cells == {b"k": b"1"}
    assert "passed over" in caplog.text


async def test_an_end_while_loading_ends_the_loading(log: FakeLog) -> None:
    Under(log).ask((b"k", b"1"))
    log.sync()
    under = Under(log)
    loading = asyncio.ensure_future(under.partition.load())
    under.partition.end(ErrorCode.NOT_COORDINATOR)
    await loading
    assert not under.partition.loaded


async def test_while_a_log_is_replayed_others_have_the_loop_and_are_told_that_it_is_loaded(
    log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "CHUNK_RECORDS", 2)
    before = Under(log)
    for number in range(7):
        before.ask((b"k%d" % number, b"v"))
    log.sync()
    after = Under(log)
    loading = asyncio.ensure_future(after.partition.load())
    seen = []
    while not loading.done():
        seen.append((len(after.cells), after.ask()))
        await asyncio.sleep(0)
    told = {replayed: answer for replayed, answer in seen if replayed}
    assert told == dict.fromkeys((2, 4, 6, 7), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    assert after.ask() == "done"


async def test_an_end_while_a_log_is_replayed_ends_that_too(log: FakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "CHUNK_RECORDS", 2)
    before = Under(log)
    for number in range(7):
        before.ask((b"k%d" % number, b"v"))
    log.sync()
    under = Under(log)
    loading = asyncio.ensure_future(under.partition.load())
    while not under.cells:
        await asyncio.sleep(0)
    under.partition.end(ErrorCode.NOT_COORDINATOR)
    await loading
    assert (len(under.cells), under.partition.loaded) == (2, False)


# -- compaction


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compaction after 2 kB instead of 16 MiB."""
    monkeypatch.setattr(partitions, "COMPACT_BYTES_MIN", 2048)
    monkeypatch.setattr(partitions, "CHUNK_RECORDS", 2)


async def compacted(under: Under, log: FakeLog) -> None:
    """Compact while the log syncs whenever it is waited for."""
    compaction = asyncio.ensure_future(under.partition.compact())
    while not compaction.done():
        await asyncio.sleep(0)
        log.sync()
    await compaction


async def test_a_log_far_past_its_live_state_is_rewritten(small: None, log: FakeLog) -> None:
    under = Under(log)
    for number in range(100):
        under.ask((b"k%d" % (number % 5), b"%d" % number))
    assert under.partition.wants_compaction
    await compacted(under, log)
    assert log.start == 100
    assert sorted(record for batch in log.records() for record in batch) == sorted(under.cells.items())
    assert not under.partition.wants_compaction
    after = Under(log)
    await after.partition.load()
    assert after.cells == under.cells


async def test_what_changes_during_the_rewriting_is_not_lost(small: None, log: FakeLog) -> None:
    under = Under(log)
    for number in range(100):
        under.ask((b"k%d" % (number % 7), b"%d" % number))
    compaction = asyncio.ensure_future(under.partition.compact())
    turn = 0
    while not compaction.done():
        await asyncio.sleep(0)
        under.ask((b"k%d" % (turn % 9), b"new %d" % turn), (b"k%d" % ((turn + 3) % 9), None))
        turn += 1
        log.sync()
    await compaction
    assert turn > 5
    after = Under(log)
    await after.partition.load()
    assert after.cells == under.cells


async def test_a_log_that_is_mostly_alive_is_left_alone(small: None, log: FakeLog) -> None:
    under = Under(log)
    for number in range(100):
        under.ask((b"k%d" % number, bytes(50)))
    assert under.partition.wants_compaction
    await compacted(under, log)
    assert (log.start, log.end) == (0, 100)
    assert not under.partition.wants_compaction


async def test_a_rewriting_that_the_log_refuses_changes_nothing_and_is_tried_later(small: None, log: FakeLog) -> None:
    under = Under(log)
    for number in range(100):
        under.ask((b"k", b"%d" % number))
    log.sync()
    log.refuses = Refused(ErrorCode.KAFKA_STORAGE_ERROR, "the disk is full")
    await compacted(under, log)
    assert (log.start, log.end) == (0, 100)
    assert not under.partition.wants_compaction
    log.refuses = None
    for number in range(100):
        under.ask((b"k", b"%d" % number))
    assert under.partition.wants_compaction


async def test_an_end_while_the_rewriting_waits_for_the_disk_ends_it(small: None, log: FakeLog) -> None:
    """A disk that has failed never answers, and a broker that stops waits for what it began."""
    under = Under(log)
    for number in range(100):
        under.ask((b"k", b"%d" % number))
    compaction = asyncio.ensure_future(under.partition.compact())
    while not log.waiting:
        await asyncio.sleep(0)
    under.partition.end(ErrorCode.NOT_COORDINATOR)
    await asyncio.wait([compaction])
    assert log.start == 0


async def test_an_end_before_the_rewriting_waits_for_the_disk_ends_it_too(small: None, log: FakeLog) -> None:
    under = Under(log)
    for number in range(100):
        under.ask((b"k", b"%d" % number))
    compaction = asyncio.ensure_future(under.partition.compact())
    await asyncio.sleep(0)
    under.partition.end(ErrorCode.NOT_COORDINATOR)
    await asyncio.wait([compaction])
    assert log.start == 0


async def test_an_end_while_the_new_start_waits_for_room_ends_the_rewriting(small: None, log: FakeLog) -> None:
    """On a disk that is full it may wait for ever."""
    log.keeps_start_waiting = True
    under = Under(log)
    for number in range(100):
        under.ask((b"k", b"%d" % number))
    compaction = asyncio.ensure_future(under.partition.compact())
    while not log.moves:
        await asyncio.sleep(0)
        log.sync()
    under.partition.end(ErrorCode.NOT_COORDINATOR)
    await asyncio.wait([compaction])
    assert compaction.cancelled()
