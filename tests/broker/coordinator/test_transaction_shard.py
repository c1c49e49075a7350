"""The transactions of one partition of `__transaction_state`, a rule at a time (KIP-98, 360, 890)."""

from __future__ import annotations

from typing import cast

import pytest

from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.schemas.transaction_log import (
    parse_transaction,
    parse_transaction_key,
    transaction_key,
    transaction_value,
)
from drave.broker.coordinator.transaction import (
    EPOCH_EXHAUSTED,
    EPOCH_MAX,
    Transaction,
    TransactionState,
)
from drave.broker.coordinator.transaction_shard import EXPIRED_MAX, PATIENCE_MS, TransactionFilter
from drave.model.errors import ErrorCode
from drave.schema import SchemaError
from tests.broker.coordinator.virtual_transactions import TIMEOUT_MS, VirtualTransactions

HERE, THERE = ("a", 0), ("b", 1)
V1, V2 = 0, 2


@pytest.fixture
def virtual() -> VirtualTransactions:
    return VirtualTransactions()


def begin(virtual: VirtualTransactions, expected: Writer | None = None) -> Writer:
    made = virtual.init(expected)
    assert isinstance(made, Writer)
    return made


def aged(virtual: VirtualTransactions, epoch: int) -> Writer:
    """A producer that has come to this epoch."""
    old = begin(virtual)
    found = Transaction("t", old.producer_id, epoch, TIMEOUT_MS, virtual.now_ms)
    key, value = transaction_key("t"), transaction_value(found)
    virtual.log.append((key, value))
    virtual.shard.replay(key, value)
    return Writer(old.producer_id, epoch)


# -- a producer begins


def test_a_new_id_gets_a_producer_id_and_epoch_zero(virtual: VirtualTransactions) -> None:
    assert begin(virtual) == (100, 0)
    assert virtual.state() == "Empty"


def test_each_start_raises_the_epoch(virtual: VirtualTransactions) -> None:
    assert [begin(virtual), begin(virtual)] == [(100, 0), (100, 1)]


@pytest.mark.parametrize("timeout_ms", [0, -1, 900_001])
def test_a_time_out_has_bounds(virtual: VirtualTransactions, timeout_ms: int) -> None:
    """`transaction.max.timeout.ms`."""
    assert virtual.init(timeout_ms=timeout_ms) is ErrorCode.INVALID_TRANSACTION_TIMEOUT


def test_a_start_aborts_what_the_one_before_left_open(virtual: VirtualTransactions) -> None:
    old = begin(virtual)
    virtual.add(old, HERE)
    assert virtual.init() is ErrorCode.CONCURRENT_TRANSACTIONS
    assert virtual.markers == [(HERE, Writer(100, 1), False)]
    assert begin(virtual) == (100, 2)
    assert virtual.add(old, HERE) is ErrorCode.PRODUCER_FENCED
    assert virtual.end(old).code is ErrorCode.PRODUCER_FENCED


def test_a_producer_may_begin_again_after_an_error_with_what_it_has(virtual: VirtualTransactions) -> None:
    """KIP-360. Asking once more, because the answer was lost, gives the same."""
    first = begin(virtual)
    again = begin(virtual, first)
    assert again == (100, 1)
    assert begin(virtual, first) == again
    assert begin(virtual, again) == (100, 2)


def test_one_that_was_not_told_its_epoch_at_the_end_of_a_transaction_begins_again_with_what_it_had(
    virtual: VirtualTransactions,
) -> None:
    """KIP-890: the end has raised its epoch, and the answer was lost."""
    first = begin(virtual)
    virtual.add(first, HERE, version=2)
    ended = virtual.end(first, version=2)
    assert begin(virtual, first) == (ended.producer_id, ended.producer_epoch) == (100, 1)
    virtual.restart()
    assert virtual.init(first) is ErrorCode.PRODUCER_FENCED, "what it had before is soft, as in Kafka"


def test_one_that_was_replaced_cannot_begin_again(virtual: VirtualTransactions) -> None:
    first = begin(virtual)
    begin(virtual)
    assert virtual.init(first) is ErrorCode.PRODUCER_FENCED
    assert virtual.init(Writer(7, 0)) is ErrorCode.PRODUCER_FENCED


def test_one_that_was_replaced_ends_nothing_by_trying(virtual: VirtualTransactions) -> None:
    """In Kafka its attempt aborts the transaction of the one that replaced it."""
    first = begin(virtual)
    second = begin(virtual)
    virtual.add(second, HERE)
    assert virtual.init(first) is ErrorCode.PRODUCER_FENCED
    assert virtual.state() == "Ongoing"


def test_one_that_begins_again_in_the_middle_of_a_transaction_is_not_fenced(virtual: VirtualTransactions) -> None:
    first = begin(virtual)
    virtual.add(first, HERE)
    assert virtual.init(first) is ErrorCode.CONCURRENT_TRANSACTIONS
    assert begin(virtual, first) == (100, 1)


def test_when_the_epochs_are_used_up_another_producer_id_follows(virtual: VirtualTransactions) -> None:
    last = aged(virtual, EPOCH_EXHAUSTED)
    fresh = begin(virtual, last)
    assert fresh == (101, 0)
    assert begin(virtual, last) == fresh, "a repetition"
    assert virtual.add(last, HERE) is ErrorCode.INVALID_PRODUCER_ID_MAPPING


def test_the_highest_epoch_is_no_producers(virtual: VirtualTransactions) -> None:
    last = aged(virtual, EPOCH_EXHAUSTED)
    virtual.add(last, HERE)
    assert virtual.init(last) is ErrorCode.CONCURRENT_TRANSACTIONS
    assert virtual.markers == [(HERE, Writer(100, EPOCH_MAX), False)]
    assert begin(virtual, last) == (101, 0)


# -- a transaction grows


def test_the_first_partitions_begin_a_transaction(virtual: VirtualTransactions) -> None:
    writer = begin(virtual)
    assert virtual.add(writer, HERE) is ErrorCode.NONE
    written = len(virtual.log)
    assert virtual.add(writer, HERE) is ErrorCode.NONE
    assert len(virtual.log) == written, "what is in it already is not written again"
    assert virtual.add(writer, THERE) is ErrorCode.NONE
    assert virtual.shard.verify("t", writer) == {HERE, THERE}


def test_strangers_add_nothing(virtual: VirtualTransactions) -> None:
    writer = begin(virtual)
    assert virtual.add(writer, HERE, tid="other") is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    assert virtual.add(Writer(7, 0), HERE) is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    assert virtual.add(Writer(100, 1), HERE) is ErrorCode.PRODUCER_FENCED
    assert virtual.shard.verify("t", Writer(7, 0)) is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    assert virtual.shard.verify("other", writer) is ErrorCode.INVALID_PRODUCER_ID_MAPPING


@pytest.mark.parametrize("version", [V1, V2])
def test_the_next_transaction_waits_for_the_markers_of_the_last(version: int) -> None:
    """Where Kafka answers CONCURRENT_TRANSACTIONS, and its clients sleep before they ask again."""
    virtual = VirtualTransactions(writes_markers=False)
    writer = begin(virtual)
    virtual.add(writer, HERE, version=version)
    ended = virtual.end(writer, version=version)
    following = Writer(ended.producer_id, ended.producer_epoch) if version else writer
    first, second = (virtual.start_adding(following, place, version=version) for place in (HERE, THERE))
    assert {first, second} <= virtual.parked
    virtual.write_markers()
    assert (virtual.answers[first], virtual.answers[second]) == (ErrorCode.NONE, ErrorCode.NONE)
    assert virtual.shard.verify("t", following) == {HERE, THERE}


def test_it_does_not_wait_for_ever() -> None:
    virtual = VirtualTransactions(writes_markers=False)
    writer = begin(virtual)
    virtual.add(writer, HERE)
    virtual.end(writer)
    token = virtual.start_adding(writer, HERE)
    virtual.advance(PATIENCE_MS)
    assert virtual.answers[token] is ErrorCode.CONCURRENT_TRANSACTIONS
    virtual.write_markers()
    assert virtual.state() == "CompleteCommit"


# -- a transaction ends


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize("version", [V1, V2])
def test_a_decision_is_carried_out_in_every_partition(virtual: VirtualTransactions, commit: bool, version: int) -> None:
    writer = begin(virtual)
    virtual.add(writer, THERE, HERE, version=version)
    bumped = Writer(100, 1 if version == V2 else 0)
    assert virtual.end(writer, commit=commit, version=version) == (ErrorCode.NONE, *bumped)
    assert virtual.markers == [(HERE, bumped, commit), (THERE, bumped, commit)]
    assert virtual.state() == ("CompleteCommit" if commit else "CompleteAbort")
    assert virtual.shard.verify("t", bumped) == frozenset()


@pytest.mark.parametrize("writes_markers", [True, False])
@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize("version", [V1, V2])
def test_a_repetition_decides_nothing_anew(writes_markers: bool, commit: bool, version: int) -> None:
    virtual = VirtualTransactions(writes_markers=writes_markers)
    writer = begin(virtual)
    virtual.add(writer, HERE, version=version)
    first = virtual.end(writer, commit=commit, version=version)
    written = len(virtual.log)
    again = virtual.end(writer, commit=commit, version=version)
    assert again == first if writes_markers else again.code is ErrorCode.CONCURRENT_TRANSACTIONS
    assert virtual.end(writer, commit=not commit, version=version).code is ErrorCode.INVALID_TXN_STATE
    assert len(virtual.log) == written


def test_strangers_end_nothing(virtual: VirtualTransactions) -> None:
    writer = begin(virtual)
    virtual.add(writer, HERE)
    for version in (V1, V2):
        assert virtual.end(writer, tid="other", version=version).code is ErrorCode.INVALID_PRODUCER_ID_MAPPING
        assert virtual.end(Writer(7, 0), version=version).code is ErrorCode.INVALID_PRODUCER_ID_MAPPING
        assert virtual.end(Writer(100, 5), version=version).code is ErrorCode.PRODUCER_FENCED
    assert virtual.state() == "Ongoing"


def test_what_has_not_begun_cannot_commit(virtual: VirtualTransactions) -> None:
    writer = begin(virtual)
    assert virtual.end(writer).code is ErrorCode.INVALID_TXN_STATE
    assert virtual.end(writer, commit=False).code is ErrorCode.INVALID_TXN_STATE
    assert virtual.end(writer, version=V2).code is ErrorCode.INVALID_TXN_STATE


def test_from_version_2_on_what_has_not_begun_may_abort(virtual: VirtualTransactions) -> None:
    """A producer cannot know whether its first batch has begun it; the epoch rises all the same."""
    writer = begin(virtual)
    for epoch in (1, 2, 3):
        assert virtual.end(writer, commit=False, version=V2) == (ErrorCode.NONE, 100, epoch)
        writer = Writer(100, epoch)
    assert virtual.markers == []


@pytest.mark.parametrize("commit", [True, False])
def test_a_last_epoch_that_ends_gives_another_producer_id(virtual: VirtualTransactions, commit: bool) -> None:
    """Its markers have the epoch that no producer has."""
    last = aged(virtual, EPOCH_EXHAUSTED)
    virtual.add(last, HERE, version=V2)
    ended = virtual.end(last, commit=commit, version=V2)
    assert ended == (ErrorCode.NONE, 101, 0)
    assert virtual.markers == [(HERE, Writer(100, EPOCH_MAX), commit)]
    assert virtual.end(last, commit=commit, version=V2) == ended, "a repetition"
    assert virtual.add(Writer(101, 0), HERE, version=V2) is ErrorCode.NONE


# -- what happens by itself


@pytest.mark.parametrize("version", [V1, V2])
def test_one_that_takes_too_long_is_aborted_and_its_producer_fenced(virtual: VirtualTransactions, version: int) -> None:
    writer = begin(virtual)
    virtual.add(writer, HERE, version=version)
    virtual.advance(TIMEOUT_MS - 1)
    assert virtual.state() == "Ongoing"
    virtual.advance(1)
    assert virtual.state() == "CompleteAbort"
    assert virtual.markers == [(HERE, Writer(100, 1), False)]
    assert virtual.add(writer, HERE, version=version) is ErrorCode.PRODUCER_FENCED
    code = virtual.end(writer, version=version).code
    assert code is (ErrorCode.INVALID_TXN_STATE if version else ErrorCode.PRODUCER_FENCED)


def test_time_counts_from_the_start_and_over_a_restart(virtual: VirtualTransactions) -> None:
    virtual.add(begin(virtual), HERE)
    virtual.advance(TIMEOUT_MS - 10)
    virtual.restart()
    virtual.advance(9)
    assert virtual.state() == "Ongoing"
    virtual.advance(1)
    assert virtual.state() == "CompleteAbort"


def test_a_refused_abort_is_tried_again(virtual: VirtualTransactions) -> None:
    virtual.add(begin(virtual), HERE)
    virtual.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    virtual.advance(TIMEOUT_MS + 3000)
    assert virtual.state() == "Ongoing"
    virtual.log_refuses_with = None
    virtual.advance(1000)
    assert virtual.state() == "CompleteAbort"


@pytest.mark.parametrize("commit", [True, False])
def test_a_half_finished_end_goes_on_after_a_restart(commit: bool) -> None:
    virtual = VirtualTransactions(writes_markers=False)
    writer = begin(virtual)
    virtual.add(writer, HERE)
    virtual.end(writer, commit=commit)
    virtual.writes_markers = True
    virtual.restart()
    assert virtual.markers == [(HERE, writer, commit)]
    assert virtual.state() == ("CompleteCommit" if commit else "CompleteAbort")


def test_an_id_that_nobody_uses_is_forgotten(virtual: VirtualTransactions) -> None:
    """`transactional.id.expiration.ms`."""
    begin(virtual)
    virtual.add(cast("Writer", virtual.init(tid="open")), HERE, tid="open")
    virtual.now_ms += 7 * 24 * 60 * 60 * 1000 - 1
    virtual.carry_out(virtual.shard.expire(virtual.now_ms))
    assert virtual.state() == "Empty"
    virtual.now_ms += 1
    virtual.carry_out(virtual.shard.expire(virtual.now_ms))
    assert virtual.state() is None
    assert virtual.state("open") == "Ongoing"


def test_very_many_ids_that_nobody_uses_are_forgotten_a_thousand_at_a_time(virtual: VirtualTransactions) -> None:
    for number in range(2 * EXPIRED_MAX + 1):
        virtual.init(tid=str(number))
    virtual.now_ms += 7 * 24 * 60 * 60 * 1000
    for left in (EXPIRED_MAX + 1, 1, 0):
        virtual.carry_out(virtual.shard.expire(virtual.now_ms))
        assert len(list(virtual.shard.live_records())) == left


def test_what_the_log_refuses_has_not_happened(virtual: VirtualTransactions) -> None:
    writer = begin(virtual)
    virtual.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert virtual.add(writer, HERE) is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert virtual.init() is ErrorCode.COORDINATOR_NOT_AVAILABLE
    virtual.log_refuses_with = None
    assert virtual.add(writer, HERE) is ErrorCode.NONE
    virtual.log_refuses_with = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert virtual.end(writer).code is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert (virtual.markers, virtual.state()) == ([], "Ongoing")


# -- for people, and the log


def test_lists_are_filtered(virtual: VirtualTransactions) -> None:
    begin(virtual)
    other = cast("Writer", virtual.init(tid="open"))
    virtual.add(other, HERE, tid="open")
    virtual.now_ms += 10

    def listed(**wanted: object) -> list[str]:
        every = TransactionFilter(frozenset(), frozenset(), -1, None)
        found = virtual.shard.list(every._replace(**wanted), virtual.now_ms)
        return [each.transactional_id for each in found]

    assert listed() == ["t", "open"]
    assert listed(states=frozenset({TransactionState.ONGOING})) == ["open"]
    assert listed(producer_ids=frozenset({other.producer_id})) == ["open"]
    assert (listed(states=frozenset({TransactionState.ONGOING}), running_ms=9)) == ["open"]
    assert (listed(states=frozenset({TransactionState.ONGOING}), running_ms=10)) == []


def test_a_record_has_all_of_a_transaction() -> None:
    made = Transaction(
        "ü", 7, 3, 1000, 55, TransactionState.PREPARE_COMMIT, frozenset({HERE, THERE, ("a", 9)}), 44, 6, 8, 2
    )
    assert parse_transaction(parse_transaction_key(transaction_key("ü")), transaction_value(made)) == made


@pytest.mark.parametrize("damaged", [b"", b"\0", b"\0\7garbage"])
def test_garbage_is_told_from_a_record(damaged: bytes) -> None:
    with pytest.raises(SchemaError):
        parse_transaction_key(damaged)
    with pytest.raises(SchemaError):
        parse_transaction("t", damaged)
