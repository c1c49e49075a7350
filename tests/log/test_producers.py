"""KIP-98: a batch of an idempotent producer is appended once, in order, or refused."""

from __future__ import annotations

import struct

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from drave import records
from drave.log import InvalidProducerEpoch, OutOfOrderSequence, producer_snapshots
from drave.log.producers import SEQUENCE_MAX, DamagedSnapshot, Producers, SentBatch, advance, retreat
from drave.records import ControlKind
from tests.log.history import facts
from tests.log.still import Still, batch
from tests.log.world import finish


def sent(sequence: int, count: int = 1, *, epoch: int = 0, producer: int = 7) -> bytes:
    return batch(*[b"v"] * count, producer=producer, epoch=epoch, sequence=sequence)


def test_batches_that_follow_one_another_are_appended() -> None:
    still = Still()
    assert [still.append(sent(sequence, 3)).base_offset for sequence in (0, 3, 6)] == [0, 3, 6]


def test_a_batch_that_comes_again_is_answered_with_its_first_offsets_and_not_appended() -> None:
    still = Still()
    for sequence in (0, 3, 6):
        still.append(sent(sequence, 3))
    again = still.append(sent(3, 3))
    assert (again.duplicate, again.base_offset, again.end) == (True, 3, 6)
    assert still.log.end == 9


def test_the_last_five_batches_are_recognised() -> None:
    """`max.in.flight.requests.per.connection`: the sixth before cannot come again."""
    still = Still()
    for sequence in range(6):
        still.append(sent(sequence))
    for sequence in range(1, 6):
        assert still.append(sent(sequence)).duplicate
    with pytest.raises(OutOfOrderSequence):
        still.append(sent(0))


@pytest.mark.parametrize("sequence", [2, 100, SEQUENCE_MAX])
def test_a_sequence_gap_is_refused_and_appends_nothing(sequence: int) -> None:
    """Only the batch that directly follows is accepted."""
    still = Still()
    still.append(sent(0))
    with pytest.raises(OutOfOrderSequence, match="1 is next"):
        still.append(sent(sequence))
    assert still.log.end == 1
    assert not still.append(sent(1)).duplicate


def test_part_of_an_earlier_batch_is_not_a_duplicate() -> None:
    still = Still()
    still.append(sent(0, 3))
    with pytest.raises(OutOfOrderSequence):
        still.append(sent(0, 2))


def test_a_producer_that_nobody_knows_may_begin_anywhere() -> None:
    """KIP-360: its earlier batches may have been deleted, or it was silent for long."""
    still = Still()
    still.append(sent(42))
    still.append(sent(43))


def test_a_later_epoch_begins_again_at_zero_and_ends_the_earlier_one() -> None:
    still = Still()
    still.append(sent(0))
    with pytest.raises(OutOfOrderSequence):
        still.append(sent(1, epoch=1))
    still.append(sent(0, epoch=1))
    with pytest.raises(InvalidProducerEpoch, match="its epoch is 1"):
        still.append(sent(1, epoch=0))
    assert still.log.end == 2


def test_sequences_go_round_after_the_last_one() -> None:
    still = Still()
    still.append(sent(SEQUENCE_MAX - 1, 2))
    still.append(sent(0))
    again = still.append(sent(SEQUENCE_MAX - 1, 2))
    assert again.duplicate
    still.append(sent(SEQUENCE_MAX, 3, producer=8))
    assert still.append(sent(SEQUENCE_MAX, 3, producer=8)).duplicate
    assert not still.append(sent(2, producer=8)).duplicate


@given(sequence=st.integers(0, SEQUENCE_MAX), by=st.integers(0, SEQUENCE_MAX))
def test_retreating_undoes_advancing(sequence: int, by: int) -> None:
    assert 0 <= advance(sequence, by) <= SEQUENCE_MAX
    assert retreat(advance(sequence, by), by) == sequence


def test_producers_do_not_know_of_each_other() -> None:
    still = Still(partitions=2)
    still.append(sent(0, producer=1))
    still.append(sent(5, producer=2))
    still.append(sent(0, producer=1), to=still.partition(1))
    assert still.append(sent(1, producer=1)).base_offset == 2


@pytest.mark.parametrize("how", ["kill", "power cut", "clean stop"])
def test_a_duplicate_is_still_recognised_after_a_restart(how: str) -> None:
    """All five: Kafka forgets the first four of them at a restart."""
    still = Still()
    for sequence in range(6):
        still.append(sent(sequence))
    still.logs.flush()
    if how == "clean stop":
        finish(still.logs.close())
        still.open()
    elif how == "kill":
        still.kill()
    else:
        still.power_cut()
    assert [still.append(sent(sequence)).base_offset for sequence in range(1, 6)] == [1, 2, 3, 4, 5]
    assert still.log.end == 6


def test_a_producer_that_is_silent_for_a_day_is_forgotten_however_old_its_records_say_they_are() -> None:
    still = Still(producer_id_expiration_ms=86_400_000)
    still.append(sent(0, producer=1))
    still.clock.now_ms += 80_000_000
    still.append(sent(0, producer=2))
    still.logs.flush()
    still.clock.now_ms += 7_000_000
    still.logs.keep_house(still.clock.now_ms)
    assert set(facts(still.log.producers)) == {2}
    still.append(sent(17, producer=1))


def test_the_open_transaction_of_a_producer_holds_the_last_stable_offset_back() -> None:
    """It stays unstable until the high watermark has passed its marker."""
    still = Still()
    still.append(batch(b"plain"))
    still.append(batch(b"in", producer=1, epoch=0, sequence=0, transactional=True))
    still.append(batch(b"plain"))
    still.commit()
    assert (still.log.last_stable, still.log.high_watermark) == (1, 3)
    still.log.append_marker(ControlKind.COMMIT, 1, 0, 0, now_ms=0, transaction_version=1)
    assert still.log.last_stable == 1
    still.commit()
    assert still.log.last_stable == 4


# -- snapshots


def test_a_snapshot_is_kafkas() -> None:
    """version int16 · CRC-32C uint32 of what follows · count int32 · id, epoch, last sequence, last offset, offset
    delta, timestamp, coordinator epoch, first offset of the open transaction. The time by our clock comes behind it."""
    producers = Producers()
    producers.add(records.parse_header(sent(10, 3)), 100, 5000)
    body = struct.pack(">iqhiqiqiq", 1, 7, 0, 12, 102, 2, 1000, -1, -1) + b"DRVC" + struct.pack(">q", 5000)
    assert producers.snapshot() == struct.pack(">hI", 1, crc32c(body)) + body


def test_a_snapshot_that_kafka_wrote_is_read() -> None:
    body = struct.pack(">i", 2)
    body += struct.pack(">qhiqiqiq", 7, 3, 12, 102, 2, 5000, -1, -1)
    body += struct.pack(">qhiqiqiq", 8, 0, -1, -1, 0, 6000, 4, 55)
    producers = Producers.restore(struct.pack(">hI", 1, crc32c(body)) + body)
    assert facts(producers) == {7: (3, [SentBatch(10, 12, 100, 102)]), 8: (0, [])}
    assert {each: (producer.last_timestamp, producer.last_ms) for each, producer in producers} == {
        7: (5000, 5000),
        8: (6000, 6000),
    }
    assert producers.first_unstable(1000) == 55


@given(
    batches=st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 5), st.booleans(), st.booleans()), min_size=1, max_size=30
    )
)
def test_producers_come_back_from_their_snapshot_as_they_were(batches: list[tuple[int, int, bool, bool]]) -> None:
    producers = Producers()
    offset = 0
    state: dict[int, tuple[int, int]] = {}
    for producer, count, bumped, transactional in batches:
        epoch, sequence = state.get(producer, (0, 0))
        if bumped:
            epoch, sequence = epoch + 1, 0
        data = batch(*[b"v"] * count, producer=producer, epoch=epoch, sequence=sequence, transactional=transactional)
        producers.add(records.parse_header(data), offset, 5000)
        state[producer] = epoch, sequence + count
        offset += count
    again = Producers.restore(producers.snapshot())
    assert facts(again) == facts(producers)
    assert again.first_unstable(offset) == producers.first_unstable(offset)
    assert all((each.last_ms, each.last_timestamp) == (5000, 1000) for _, each in again)
    assert again.snapshot() == producers.snapshot()


_happenings = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["send", "expire", "slice"])), max_size=40)


@given(before=st.integers(1, 6), happenings=_happenings, slice_=st.integers(1, 3))
def test_a_snapshot_that_is_drafted_in_slices_is_what_one_in_one_go_would_be(
    before: int, happenings: list[tuple[int, str]], slice_: int
) -> None:
    """Whatever producers do between the slices, and whichever of them expire."""
    producers, offset = Producers(), 0

    def send(producer: int) -> None:
        nonlocal offset
        data = batch(b"v", producer=producer, epoch=offset, sequence=0)
        producers.add(records.parse_header(data), offset, offset)
        offset += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(producer_snapshots, "SLICE", slice_)
        for producer in range(before):
            send(producer)
        for producer, what in happenings:
            if what == "send":
                send(producer)
            elif what == "expire":
                producers.expire(offset, producer)
            else:
                producers.draft_snapshot()
        while not producers.is_drafted:
            producers.draft_snapshot()
        drafted = Producers.restore(producers.snapshot())
    assert facts(drafted) == facts(producers)
    assert facts(Producers.restore(producers.snapshot())) == facts(producers)


def test_very_many_producers_are_looked_at_in_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drave.log.producers.LOOKED_AT_MAX", 2)
    producers = Producers()
    for number in range(5):
        data = batch(b"v", producer=number, epoch=0, sequence=0)
        producers.add(records.parse_header(data), number, number)
    assert [producers.expire(100, 50) for _ in range(4)] == [2, 2, 1, 0]


@given(data=st.binary(max_size=200), at=st.floats(0, 0.99))
def test_a_damaged_snapshot_is_refused(data: bytes, at: float) -> None:
    with pytest.raises(DamagedSnapshot):
        Producers.restore(data)
    producers = Producers()
    producers.add(records.parse_header(sent(0)), 0, 0)
    good = bytearray(producers.snapshot())
    good[int(at * len(good))] ^= 0x40
    with pytest.raises(DamagedSnapshot):
        Producers.restore(bytes(good))
