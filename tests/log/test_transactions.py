"""Transactions in one partition (KIP-98, KIP-890): markers, the last stable offset, what was aborted."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drave import records
from drave.log import Appended, InvalidProducerEpoch, NotInTransaction, OutOfOrderSequence, TransactionCoordinatorFenced
from drave.model.log_config import LogConfig
from drave.records import ControlKind
from tests.log.still import Still, batch
from tests.log.world import finish

COMMIT, ABORT = ControlKind.COMMIT, ControlKind.ABORT
LEFT = ["clean stop", "power cut", "kill"]


def part(sequence: int = 0, *, producer: int = 1, epoch: int = 0, size: int = 1) -> bytes:
    """A batch of a producer's transaction, of one record."""
    return batch(b"v" * size, producer=producer, epoch=epoch, sequence=sequence, transactional=True)


def mark(
    still: Still,
    kind: ControlKind = COMMIT,
    *,
    producer: int = 1,
    epoch: int = 0,
    coordinator: int = 0,
    version: int = 1,
) -> Appended:
    return still.log.append_marker(kind, producer, epoch, coordinator, now_ms=1000, transaction_version=version)


def leave(still: Still, how: str) -> None:
    """The broker ends, after all that waits was committed, and starts again."""
    still.logs.flush()
    if how == "clean stop":
        finish(still.logs.close())
        still.open()
    elif how == "power cut":
        still.power_cut()
    else:
        still.kill()


def told(still: Still, start: int = 0, *, bytes_max: int = 1 << 20) -> list[tuple[int, int]]:
    """The aborted transactions that one read is told of: producer and first offset."""
    batches = still.log.read_now(
        start, bytes_max=bytes_max, limit=still.log.last_stable, whole_first=True, committed=True
    )
    assert batches is not None
    return [(each.producer_id, each.first_offset) for each in batches.aborted]


# -- the last stable offset


def test_a_marker_takes_an_offset_and_is_a_control_batch() -> None:
    still = Still()
    still.append(part())
    appended = mark(still, ABORT, coordinator=3)
    still.commit()
    assert (appended.base_offset, appended.end) == (1, 2)
    found = still.log.read_now(1, bytes_max=1 << 20, limit=2, whole_first=True)
    assert found is not None
    ((header, data),) = records.split(found.parts[0])
    (record,) = records.read_records(data)
    assert (header.is_control, header.is_transactional, header.producer_id, header.producer_epoch) == (True, True, 1, 0)
    assert records.parse_control(record) == records.Marker(ABORT, 3)


@pytest.mark.parametrize("kind", [COMMIT, ABORT], ids=["commit", "abort"])
def test_it_moves_when_the_marker_is_durable(kind: ControlKind) -> None:
    still = Still()
    still.append(part())
    still.append(batch())
    still.commit()
    assert (still.log.last_stable, still.log.high_watermark) == (0, 2)
    mark(still, kind)
    assert still.log.last_stable == 0
    still.commit()
    assert still.log.last_stable == still.log.end == 3


def test_it_is_never_past_the_high_watermark() -> None:
    """A transaction may begin beyond what is durable."""
    still = Still()
    still.append(batch())
    work = still.logs.flusher.next_commit()
    assert work is not None
    still.append(batch())
    still.append(part())
    work.run()
    work.finish()
    assert (still.log.last_stable, still.log.high_watermark, still.log.end) == (1, 1, 3)


def test_the_oldest_of_several_open_transactions_holds_it_back() -> None:
    still = Still()
    for producer in (1, 2, 3):
        still.append(part(producer=producer))
    for producer, stable in ((2, 0), (1, 2), (3, 6)):
        mark(still, producer=producer)
        still.commit()
        assert still.log.last_stable == stable


def test_a_marker_without_a_transaction_changes_nothing_but_the_end() -> None:
    still = Still()
    mark(still, ABORT)
    still.commit()
    assert (still.log.last_stable, still.log.end) == (1, 1)
    assert told(still) == []


def test_records_that_are_deleted_under_an_open_transaction_are_past_it() -> None:
    """As in Kafka: nothing below the log's start is waited for."""
    still = Still()
    still.append(part())
    still.append(batch())
    still.commit()
    still.log.move_start(1)
    still.commit()
    assert (still.log.start, still.log.last_stable) == (1, 1)
    mark(still, ABORT)
    still.commit()
    assert still.log.last_stable == 3


def test_a_producer_with_an_open_transaction_does_not_expire() -> None:
    still = Still(producer_id_expiration_ms=1000)
    still.append(part())
    still.append(batch(producer=2, epoch=0, sequence=0))
    still.logs.flush()
    still.clock.now_ms += 60_000_000
    still.logs.keep_house(still.clock.now_ms)
    assert [producer_id for producer_id, _ in still.log.producers] == [1]
    assert still.log.last_stable == 0


# -- epochs


def test_a_marker_of_an_earlier_epoch_is_refused() -> None:
    still = Still()
    still.append(part(epoch=3))
    with pytest.raises(InvalidProducerEpoch):
        mark(still, epoch=2)
    assert still.log.end == 1


def test_a_marker_of_an_earlier_coordinator_is_refused() -> None:
    still = Still()
    still.append(part())
    mark(still, coordinator=5)
    still.append(part(1))
    with pytest.raises(TransactionCoordinatorFenced, match="its epoch is 5"):
        mark(still, coordinator=4)
    assert still.log.end == 3
    mark(still, coordinator=5)


def test_from_version_2_on_a_marker_has_a_higher_epoch_than_what_it_ends() -> None:
    still = Still()
    still.append(part())
    with pytest.raises(InvalidProducerEpoch):
        mark(still, version=2)
    mark(still, epoch=1, version=2)
    assert still.log.end == 2


def test_a_marker_of_version_2_that_comes_again_is_taken() -> None:
    """The coordinator did not hear of the first one; it ends nothing."""
    still = Still()
    still.append(part())
    mark(still, ABORT, epoch=1, version=2)
    mark(still, ABORT, epoch=1, version=2)
    still.commit()
    assert (still.log.end, still.log.last_stable, told(still)) == (3, 3, [(1, 0)])


def test_the_last_epoch_of_all_ends_its_own_transaction() -> None:
    """There is none higher; the producer goes on with another id."""
    still = Still()
    still.append(part(epoch=32767))
    mark(still, epoch=32767, version=2)


def test_a_producer_follows_the_epoch_of_its_marker_and_begins_again_at_0() -> None:
    still = Still()
    still.append(part(0))
    still.append(part(1))
    mark(still, epoch=1, version=2)
    with pytest.raises(InvalidProducerEpoch):
        still.append(part(2))
    with pytest.raises(OutOfOrderSequence, match="0 is next"):
        still.append(part(2, epoch=1))
    still.append(part(0, epoch=1))
    assert still.log.end == 4


def test_with_version_1_sequences_go_on_from_one_transaction_to_the_next() -> None:
    still = Still()
    still.append(part(0))
    mark(still)
    with pytest.raises(OutOfOrderSequence):
        still.append(batch(b"a", b"b", producer=1, epoch=0, sequence=0, transactional=True))
    still.append(part(1))
    assert still.append(part(0)).duplicate, "it is known across the marker"


def test_a_batch_outside_of_the_producers_open_transaction_is_refused() -> None:
    still = Still()
    still.append(part(0))
    with pytest.raises(NotInTransaction):
        still.append(batch(producer=1, epoch=0, sequence=1))
    still.append(batch(producer=2, epoch=0, sequence=0))
    mark(still)
    still.append(batch(producer=1, epoch=0, sequence=1))


def test_what_a_coordinator_writes_for_a_producer_has_no_sequence_but_an_epoch() -> None:
    """Offsets in a transaction."""
    still = Still()
    offsets = batch(producer=1, epoch=4, sequence=-1, transactional=True)
    for _ in range(3):
        assert not still.append(offsets).duplicate
    still.commit()
    assert still.log.last_stable == 0
    with pytest.raises(InvalidProducerEpoch):
        still.append(batch(producer=1, epoch=3, sequence=-1, transactional=True))


# -- what was aborted


def test_a_reader_is_told_of_what_was_aborted_in_what_it_reads() -> None:
    """By first offset; one that was committed is not among them."""
    still = Still()
    for producer in (1, 2, 3):
        still.append(part(producer=producer))
    mark(still, ABORT, producer=3)
    mark(still, COMMIT, producer=2)
    mark(still, ABORT, producer=1)
    still.append(batch())
    still.commit()
    assert told(still) == [(1, 0), (3, 2)]
    assert told(still, 4) == [(1, 0)], "its marker lies there"
    assert told(still, 6) == []
    assert told(still, bytes_max=1) == [(1, 0)], "one batch is all that is read"


def test_who_reads_everything_is_told_of_nothing() -> None:
    still = Still()
    still.append(part())
    mark(still, ABORT)
    still.commit()
    batches = still.log.read_now(0, bytes_max=1000, limit=2, whole_first=True)
    assert batches is not None
    assert batches.aborted == ()


@pytest.mark.parametrize("how", LEFT)
def test_a_transaction_that_spans_segments_is_told_of_from_the_one_with_its_marker(how: str) -> None:
    still = Still(config=LogConfig(segment_bytes=200))
    still.append(part())
    for _ in range(6):
        still.append(batch(b"x" * 100))
    mark(still, ABORT)
    for _ in range(3):
        still.append(batch(b"x" * 100))
    leave(still, how)
    names = [name for name in still.disk.list_folder(still.log.folder) if name.endswith(".txnindex")]
    assert len(names) == 1, "the others have none"
    assert told(still, bytes_max=1) == told(still, 3, bytes_max=1) == told(still, 7) == [(1, 0)]
    assert told(still, 8) == []


@pytest.mark.parametrize("how", LEFT)
def test_transactions_are_after_a_restart_what_they_were_before(how: str) -> None:
    still = Still()
    for producer in (1, 2):
        still.append(part(producer=producer))
    mark(still, ABORT)
    still.checkpoint()
    still.append(part(1))
    mark(still, ABORT)
    leave(still, how)
    assert still.log.last_stable == 1
    assert still.log.high_watermark == 5
    mark(still, ABORT, producer=2)
    still.commit()
    assert told(still) == [(1, 0), (2, 1), (1, 3)]
    with pytest.raises(TransactionCoordinatorFenced):
        mark(still, coordinator=-1)


def test_an_open_transaction_holds_readers_back_before_anything_was_opened() -> None:
    """After a clean stop no partition is looked into: the recovery points say so."""
    still = Still()
    still.append(batch())
    still.append(part())
    leave(still, "clean stop")
    assert (still.log.last_stable, still.log.high_watermark) == (1, 2)
    assert still.log.files is None


def test_a_marker_that_a_power_cut_took_has_ended_nothing() -> None:
    still = Still()
    still.append(part())
    still.logs.flush()
    mark(still)
    still.power_cut()
    assert (still.log.last_stable, still.log.end) == (0, 1)
    mark(still, coordinator=1)


def test_the_index_goes_with_its_segment() -> None:
    still = Still(config=LogConfig(segment_bytes=200))
    still.append(part())
    mark(still, ABORT)
    for _ in range(6):
        still.append(batch(b"x" * 100))
    still.checkpoint()
    assert any(name.endswith(".txnindex") for name in still.disk.list_folder(still.log.folder))
    still.log.move_start(5)
    still.checkpoint()
    still.chores()
    assert not any(name.endswith(".txnindex") for name in still.disk.list_folder(still.log.folder))
    assert told(still, 5) == []


@pytest.mark.parametrize("how", LEFT)
def test_a_full_disk_loses_no_entry_of_the_index(how: str) -> None:
    """Unlike the other indexes, nobody could tell that it lacks something."""
    still = Still(config=LogConfig(segment_bytes=200))
    still.append(part())
    mark(still, ABORT)
    for _ in range(3):
        still.append(batch(b"x" * 100))
    still.logs.flush()
    still.disk.room_bytes = 0
    still.logs.flusher.begin_checkpoint()
    still.logs.flush()
    still.disk.room_bytes = None
    still.clock.now_ms += 5000
    leave(still, how)
    assert told(still) == [(1, 0)]


Step = tuple[int, str]
steps = st.lists(st.tuples(st.integers(1, 4), st.sampled_from(("write", "commit", "abort"))), max_size=40)


@settings(max_examples=60, deadline=None)
@given(steps=steps, segment_bytes=st.sampled_from((150, 400, 1 << 20)), how=st.sampled_from([*LEFT, "nothing"]))
def test_readers_of_what_is_committed_see_what_was_committed(steps: list[Step], segment_bytes: int, how: str) -> None:
    """A consumer that leaves out what it is told of has the committed records, in order, and no others."""
    still = Still(config=LogConfig(segment_bytes=segment_bytes))
    sequences = {producer: count() for producer in range(1, 5)}
    undecided: dict[int, dict[int, bytes]] = {}
    committed: dict[int, bytes] = {}
    for number, (producer, what) in enumerate(steps):
        if what == "write":
            value = b"%d" % number
            data = batch(value, producer=producer, epoch=0, sequence=next(sequences[producer]), transactional=True)
            undecided.setdefault(producer, {})[still.append(data).base_offset] = value
        else:
            mark(still, COMMIT if what == "commit" else ABORT, producer=producer)
            records_of = undecided.pop(producer, {})
            committed |= records_of if what == "commit" else {}
    if how == "nothing":
        still.logs.flush()
    else:
        leave(still, how)
    stable = min((min(each) for each in undecided.values()), default=still.log.end)
    assert still.log.last_stable == stable
    assert dict(consumed(still)) == {offset: value for offset, value in committed.items() if offset < stable}


def consumed(still: Still) -> Any:
    """What Kafka's consumer makes of its fetches: it begins to pass a producer over at the first offset that it was
    told, and ends with the producer's marker."""
    at = still.log.start
    while at < still.log.last_stable:
        found = still.log.read_now(at, bytes_max=300, limit=still.log.last_stable, whole_first=True, committed=True)
        assert found is not None
        waiting = [(each.first_offset, each.producer_id) for each in found.aborted]
        assert waiting == sorted(waiting)
        passed_over: set[int] = set()
        for header, data in records.split(found.parts[0]):
            while waiting and waiting[0][0] <= header.last_offset:
                passed_over.add(waiting.pop(0)[1])
            if header.is_control:
                passed_over.discard(header.producer_id)
            elif header.producer_id not in passed_over:
                yield from ((record.offset, record.value) for record in records.read_records(data))
            at = header.last_offset + 1
