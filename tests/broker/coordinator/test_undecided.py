"""Records of transactions in a coordinator's partition: they count when their marker says so, after a restart too."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.broker.coordinator import partition as partitions
from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.partition import NotLoaded
from drave.model.errors import ErrorCode
from drave.records import ControlKind, Marker, parse_header
from tests.broker.coordinator.test_partition import FakeLog, Under

A, B = Writer(1, 0), Writer(2, 5)
COMMIT, ABORT = Marker(ControlKind.COMMIT, 0), Marker(ControlKind.ABORT, 0)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def under(log: FakeLog) -> Under:
    return Under(log)


def test_they_are_one_batch_of_the_producer(under: Under, log: FakeLog) -> None:
    under.ask((b"k", b"1"), (b"l", b"2"), writer=B)
    header = parse_header(log.batches[0])
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (2, 5, -1)
    assert header.is_transactional
    assert header.count == 2


def test_they_count_when_the_marker_commits(under: Under) -> None:
    under.ask((b"k", b"1"), writer=A)
    assert under.cells == {}
    assert b"k" in under.partition.undecided
    under.partition.end_transaction(COMMIT, A, 0)
    assert under.cells == {b"k": b"1"}
    assert b"k" not in under.partition.undecided


def test_an_abort_drops_them(under: Under) -> None:
    under.ask((b"k", b"0"))
    under.ask((b"k", b"1"), writer=A)
    under.partition.end_transaction(ABORT, A, 0)
    assert under.cells == {b"k": b"0"}
    assert not under.partition.undecided


def test_a_plain_record_that_came_later_stays(under: Under) -> None:
    under.ask((b"k", b"1"), writer=A)
    under.ask((b"k", b"2"))
    under.partition.end_transaction(COMMIT, A, 0)
    assert under.cells == {b"k": b"2"}


@pytest.mark.parametrize(("first", "second"), [(A, B), (B, A)])
def test_of_two_transactions_the_later_record_wins_whichever_commits_first(
    under: Under, first: Writer, second: Writer
) -> None:
    under.ask((b"k", b"a"), writer=A)
    under.ask((b"k", b"b"), writer=B)
    under.partition.end_transaction(COMMIT, first, 0)
    under.partition.end_transaction(COMMIT, second, 0)
    assert under.cells == {b"k": b"b"}


def test_what_the_log_refuses_is_not_kept(under: Under, log: FakeLog) -> None:
    log.refuses = NotLoaded("x")
    assert under.ask((b"k", b"1"), writer=A) == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert not under.partition.undecided


async def test_a_marker_is_not_taken_before_the_log_is_read(log: FakeLog) -> None:
    Under(log).ask((b"k", b"1"), writer=A)
    log.sync()
    again = Under(log)
    with pytest.raises(NotLoaded):
        again.partition.end_transaction(COMMIT, A, 0)
    await again.partition.load()
    again.partition.end_transaction(COMMIT, A, 0)
    assert again.cells == {b"k": b"1"}


def test_a_duty_is_done_when_what_it_rests_on_is_durable(under: Under, log: FakeLog) -> None:
    under.ask((b"k", b"1"), duties=("tell",))
    assert under.performed == []
    log.sync()
    assert under.performed == ["tell"]


_keys = st.sampled_from([b"k", b"l", b"m"])
_writers = st.sampled_from([A, B])
_acts = st.one_of(
    st.tuples(st.just("plain"), _keys),
    st.tuples(st.just("take back"), _keys),
    st.tuples(st.just("in transaction"), _keys, _writers),
    st.tuples(st.just("commit"), _writers),
    st.tuples(st.just("abort"), _writers),
    st.tuples(st.just("compact")),
    st.tuples(st.just("restart")),
)


@given(st.lists(_acts, max_size=25), st.permutations([A, B]), st.lists(st.sampled_from([COMMIT, ABORT]), min_size=2))
async def test_whatever_happened_a_restart_finds_the_same_however_the_decisions_fall(
    acts: list[Any], order: list[Writer], ends: list[Marker]
) -> None:
    """Also where the log was rewritten in the middle of a transaction, or a transaction ends while it is rewritten."""
    log = FakeLog()
    under = Under(log)
    rewriting: asyncio.Future[None] | None = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "COMPACT_BYTES_MIN", 0)
        patch.setattr(partitions, "COMPACT_RATIO", 0)
        patch.setattr(partitions, "CHUNK_RECORDS", 1)
        for number, (act, *what) in enumerate(acts):
            if rewriting is not None and (rewriting.done() or act in ("compact", "restart")):
                rewriting = await finished(rewriting, log)
            value = b"%d" % number
            match act, what:
                case "plain", [key]:
                    under.ask((key, value))
                case "take back", [key]:
                    under.ask((key, None))
                case "in transaction", [key, writer]:
                    under.ask((key, value), writer=writer)
                case "commit", [writer]:
                    under.partition.end_transaction(COMMIT, writer, 0)
                case "abort", [writer]:
                    under.partition.end_transaction(ABORT, writer, 0)
                case "compact", _:
                    rewriting = asyncio.ensure_future(under.partition.compact())
                case _:
                    under = await reloaded(log)
            await asyncio.sleep(0)
            if number % 3 == 0:
                log.sync()
        if rewriting is not None:
            await finished(rewriting, log)
        again = await reloaded(log)
        assert again.cells == under.cells
        for writer, marker in zip(order, ends, strict=False):
            under.partition.end_transaction(marker, writer, 0)
            again.partition.end_transaction(marker, writer, 0)
            assert again.cells == under.cells


async def finished(rewriting: asyncio.Future[None], log: FakeLog) -> None:
    while not rewriting.done():
        log.sync()
        await asyncio.sleep(0)
    await rewriting


async def reloaded(log: FakeLog) -> Under:
    log.sync()
    again = Under(log)
    if not again.partition.loaded:
        await again.partition.load()
    return again
