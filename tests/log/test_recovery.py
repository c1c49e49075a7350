"""Recovery of one partition, rule by rule, on folders made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from drave import records
from drave.log.epochs import LeaderEpochs
from drave.log.recovery import PartitionRecovery, Recovered
from drave.model.ids import TopicId
from drave.model.log_config import LogConfig
from drave.store.disk import SyncFailed, write_whole
from drave.store.journal import BATCHES, LOG_START, Entry
from drave.store.names import LEADER_EPOCHS, LOG, METADATA, encode_metadata, offset_name
from drave.store.recovery_points import RecoveryPoint
from drave.testing.disk import SimulatedDisk

TOPIC = TopicId(b"topic-id-16-byte")
FOLDER = Path("/topics/rides-0")


def batch(base: int, *values: bytes, epoch: int = 0, producer: int = -1, sequence: int = -1) -> bytes:
    data = bytearray(
        records.build_batch(
            [(None, value) for value in values or (b"v",)],
            timestamp_ms=1000 + base,
            producer_id=producer,
            producer_epoch=0 if producer >= 0 else -1,
            base_sequence=sequence,
        )
    )
    records.place(data, base, epoch)
    return bytes(data)


def entry(*batches: bytes, epoch: int = 0) -> Entry:
    base = records.parse_header(batches[0]).base_offset
    return Entry(BATCHES, TOPIC, 0, epoch, base, memoryview(b"".join(batches)))


def new_start(offset: int) -> Entry:
    return Entry(LOG_START, TOPIC, 0, 0, offset, memoryview(b""))


class Folder:
    """A partition's folder on a simulated disk."""

    def __init__(self, **segments: Sequence[bytes]) -> None:
        self.disk = SimulatedDisk()
        self.disk.make_folder(FOLDER)
        self.write(METADATA, encode_metadata(TOPIC))
        for name, batches in segments.items():
            self.segment(int(name.removeprefix("at_")), *batches)

    def write(self, name: str, data: bytes) -> None:
        write_whole(self.disk, FOLDER / name, data)

    def segment(self, base: int, *batches: bytes) -> None:
        self.write(offset_name(base, LOG), b"".join(batches))

    def point(self, offset: int, base: int = 0, position: int = 0, *, start: int = 0, epoch: int = 3) -> RecoveryPoint:
        return RecoveryPoint(TOPIC, 0, epoch, start, offset, base, position, position, -1, -1, -1, -1, 0, 0)

    def recover(
        self, *entries: Entry, point: RecoveryPoint | None = None, config: LogConfig | None = None
    ) -> Recovered | None:
        return PartitionRecovery(
            self.disk,
            FOLDER,
            TOPIC,
            0,
            config or LogConfig(),
            point,
            entries,
            epoch_floor=1,
            now_ms=0,
            may_be_compacted=True,
        ).run()

    @property
    def logs(self) -> dict[int, list[bytes]]:
        """The values in every segment."""
        return {
            int(path.name.removesuffix(LOG)): [
                record.value or b"" for _, data in records.split(content) for record in records.read_records(data)
            ]
            for path, content in self.disk.files().items()
            if path.suffix == LOG and path.parent == FOLDER
        }


A, B, C = batch(0, b"a"), batch(1, b"b"), batch(2, b"c")


def test_whole_batches_that_follow_one_another_are_kept_though_no_journal_knows_them() -> None:
    folder = Folder(at_0=[A, B])
    recovered = folder.recover()
    assert recovered is not None
    assert (recovered.point.start, recovered.point.offset) == (0, 2)
    assert folder.logs == {0: [b"a", b"b"]}


@pytest.mark.parametrize("damage", ["short", "bad CRC", "bad magic", "bad length", "zeros", "a gap", "the past"])
def test_the_log_is_cut_at_the_first_batch_that_is_not_good(damage: str) -> None:
    bad = bytearray(C)
    match damage:
        case "short":
            del bad[-3:]
        case "bad CRC":
            bad[-1] ^= 1
        case "bad magic":
            bad[16] = 1
        case "bad length":
            bad[8:12] = b"\x7f\xff\xff\xff"
        case "zeros":
            bad[:] = bytes(len(bad))
        case "a gap":
            bad = bytearray(batch(3, b"c"))
        case _:
            bad = bytearray(batch(1, b"c"))
    folder = Folder(at_0=[A, B, bytes(bad), batch(4, b"behind it")])
    folder.segment(5, batch(5, b"and a later segment"))
    recovered = folder.recover()
    assert recovered is not None
    assert recovered.point.offset == 2
    assert recovered.truncated_bytes > len(bad)
    assert folder.logs == {0: [b"a", b"b"]}


def test_a_segment_ends_where_the_next_one_begins() -> None:
    """What a refused write left behind a closed segment is nothing, even when it is a whole batch."""
    folder = Folder(at_0=[A, batch(1, b"refused", b"too")], at_1=[B, C])
    recovered = folder.recover()
    assert recovered is not None
    assert recovered.point.offset == 3
    assert folder.logs == {0: [b"a"], 1: [b"b", b"c"]}


def test_a_segment_that_follows_on_nothing_is_deleted() -> None:
    folder = Folder(at_0=[A], at_2=[C])
    recovered = folder.recover()
    assert recovered is not None
    assert recovered.point.offset == 1
    assert folder.logs == {0: [b"a"]}


def test_a_log_whose_first_segment_lost_its_name_is_built_from_the_journal() -> None:
    folder = Folder(at_2=[C])
    recovered = folder.recover(entry(A), entry(B), entry(C))
    assert recovered is not None
    assert (recovered.point.start, recovered.point.offset, recovered.replayed_batches) == (0, 3, 3)
    assert folder.logs == {0: [b"a", b"b", b"c"]}


def test_entries_that_the_segment_has_are_skipped_and_the_others_appended() -> None:
    folder = Folder(at_0=[A, B])
    recovered = folder.recover(entry(A, B), entry(C))
    assert recovered is not None
    assert (recovered.replayed_batches, recovered.point.offset) == (1, 3)
    assert folder.logs == {0: [b"a", b"b", b"c"]}


def test_where_segment_and_journal_differ_the_journal_is_right() -> None:
    """A refused write may have left a whole batch where another one was appended afterwards."""
    folder = Folder(at_0=[A, batch(1, b"refused"), C])
    folder.segment(3, batch(3, b"later"))
    recovered = folder.recover(entry(B))
    assert recovered is not None
    assert recovered.point.offset == 2
    assert folder.logs == {0: [b"a", b"b"]}


def test_an_entry_above_the_end_and_all_that_follow_are_dropped() -> None:
    """What lay between was never durable, so nobody was told of them."""
    folder = Folder(at_0=[A])
    recovered = folder.recover(entry(C), entry(B))
    assert recovered is not None
    assert recovered.point.offset == 1


def test_replay_never_looks_below_the_recovery_point() -> None:
    folder = Folder(at_0=[A, B])
    point = folder.point(2, 0, len(A) + len(B))
    recovered = folder.recover(entry(batch(0, b"other")), entry(batch(1, b"than"), C), point=point)
    assert recovered is not None
    assert recovered.point.offset == 3
    assert folder.logs == {0: [b"a", b"b", b"c"]}


def test_what_lies_below_the_recovery_point_is_not_read() -> None:
    folder = Folder(at_0=[bytes(len(A)), B])
    point = folder.point(1, 0, len(A))
    recovered = folder.recover(entry(B), point=point)
    assert recovered is not None
    assert recovered.point.offset == 2


def test_a_partition_that_nobody_wrote_to_is_not_looked_into() -> None:
    folder = Folder(at_0=[A, B])
    recovered = folder.recover(point=folder.point(2, 0, len(A) + len(B)))
    assert recovered is not None
    assert not recovered.looked_into
    assert recovered.point.leader_epoch == 4


def test_an_end_below_the_log_start_moves_up_to_it() -> None:
    folder = Folder(at_0=[A])
    recovered = folder.recover(new_start(7), point=folder.point(1, 0, len(A)))
    assert recovered is not None
    assert (recovered.point.start, recovered.point.offset) == (7, 7)
    assert folder.logs == {}


def test_the_log_start_is_the_latest_that_anybody_was_told() -> None:
    folder = Folder(at_0=[A, B, C])
    recovered = folder.recover(new_start(2), new_start(1), point=folder.point(0))
    assert recovered is not None
    assert recovered.point.start == 2


def test_a_segment_that_went_lawfully_and_came_back_does_no_harm() -> None:
    """Names reach the disk in no order: of two segments that were removed, the first may be there again."""
    folder = Folder(at_0=[A], at_2=[C])
    recovered = folder.recover(point=folder.point(2, 1, len(B), start=2))
    assert recovered is not None
    assert (recovered.point.start, recovered.point.offset) == (2, 3)
    assert folder.logs == {2: [b"c"]}


def test_a_log_that_is_shorter_than_its_recovery_point_keeps_what_there_is(caplog: pytest.LogCaptureFixture) -> None:
    folder = Folder(at_0=[A])
    recovered = folder.recover(point=folder.point(3, 0, 500))
    assert recovered is not None
    assert recovered.point.offset == 1
    assert "does not hold what its recovery point says" in caplog.text


def test_the_leader_epoch_rises_above_every_one_that_was_seen() -> None:
    folder = Folder(at_0=[A, batch(1, b"b", epoch=6)])
    recovered = folder.recover(entry(batch(2, b"c", epoch=8), epoch=8), point=folder.point(0, epoch=3))
    assert recovered is not None
    assert recovered.point.leader_epoch == 9
    epochs = LeaderEpochs.decode(folder.disk.files()[FOLDER / LEADER_EPOCHS])
    assert epochs.entries == [(0, 0), (6, 1), (8, 2)]


def test_producers_are_the_snapshot_and_what_follows_it() -> None:
    folder = Folder(at_0=[batch(0, producer=1, sequence=0), batch(1, producer=2, sequence=0)])
    first = folder.recover()
    assert first is not None
    folder.segment(2, batch(2, producer=1, sequence=1))
    second = folder.recover(entry(batch(3, producer=3, sequence=9)), point=first.point)
    assert second is not None
    assert second.point.snapshot == 4
    assert [path.name for path in second.obsolete] == ["00000000000000000002.snapshot"]
    assert FOLDER / "00000000000000000002.snapshot" in folder.disk.files(), "a second recovery would need it"


def test_a_second_recovery_finds_what_the_first_one_left() -> None:
    folder = Folder(at_0=[A, bytes(50)])
    entries = [entry(B), entry(C), new_start(1)]
    first = folder.recover(*entries)
    second = folder.recover(*entries)
    assert first is not None
    assert second is not None
    assert first.point == second.point._replace(leader_epoch=first.point.leader_epoch)
    assert folder.logs == {0: [b"a", b"b", b"c"]}


def test_what_is_kept_is_durable_though_a_sync_failed_before_and_the_kernel_takes_its_pages_for_clean() -> None:
    folder = Folder(at_0=[A])
    for each in (FOLDER, *FOLDER.parents):
        folder.disk.sync_folder(each)
    point = folder.point(1, position=len(A))
    log = folder.disk.open(FOLDER / offset_name(0, LOG))
    log.pwrite(B, len(A))
    folder.disk.failing_syncs = 1
    with pytest.raises(SyncFailed):
        log.sync()
    folder.disk.kill()
    folder.recover(entry(B), point=point)
    folder.disk.power_cut()
    assert folder.logs == {0: [b"a", b"b"]}


def test_a_log_that_compaction_has_left_gaps_in_is_taken_as_it_is() -> None:
    folder = Folder(at_0=[A, C], at_5=[batch(7, b"d")])
    recovered = folder.recover(config=LogConfig(cleanup_compact=True))
    assert recovered is not None
    assert recovered.point.offset == 8
    assert folder.logs == {0: [b"a", b"c"], 5: [b"d"]}


def test_a_folder_that_does_not_say_whose_it_is_and_holds_nothing_good_goes() -> None:
    folder = Folder(at_0=[bytes(100)])
    folder.disk.unlink(FOLDER / METADATA)
    assert folder.recover() is None
    assert not folder.disk.exists(FOLDER)


def test_a_folder_of_somebody_else_under_our_name_steps_aside_with_all_that_is_in_it() -> None:
    folder = Folder(at_0=[batch(0, b"theirs")])
    folder.write(METADATA, encode_metadata(TopicId(b"another-topic-id")))
    recovered = folder.recover(entry(A))
    assert recovered is not None
    assert folder.logs == {0: [b"a"]}
    (aside,) = [path for path in folder.disk.files() if path.parent.name.endswith("-stray") and path.suffix == LOG]
    assert folder.disk.files()[aside] == batch(0, b"theirs")


def test_a_swap_takes_the_place_of_the_segments_that_it_covers() -> None:
    folder = Folder(at_0=[A, B], at_2=[C], at_3=[batch(3, b"d")])
    folder.write("00000000000000000000.log.swap", A + C)
    folder.write("00000000000000000000.index.swap", b"")
    recovered = folder.recover(config=LogConfig(cleanup_compact=True))
    assert recovered is not None
    assert folder.logs == {0: [b"a", b"c"], 3: [b"d"]}
    assert not [path for path in folder.disk.files() if path.name.endswith(".swap")]


def test_what_was_still_being_cleaned_is_dropped_and_a_swap_beside_it_too() -> None:
    folder = Folder(at_0=[A, B, C])
    folder.write("00000000000000000000.log.swap", A)
    folder.write("00000000000000000000.log.cleaned", A)
    folder.write("00000000000000000007.log.deleted", A)
    recovered = folder.recover()
    assert recovered is not None
    assert folder.logs == {0: [b"a", b"b", b"c"]}
    assert not [path for path in folder.disk.files() if path.suffix in (".swap", ".cleaned", ".deleted")]


def test_indexes_are_built_anew_where_the_log_was_scanned() -> None:
    many = [batch(n, bytes(100)) for n in range(100)]
    folder = Folder(at_0=many)
    folder.write("00000000000000000000.index", b"\xff" * 64)
    folder.write("00000000000000000000.timeindex", b"\xff" * 60)
    recovered = folder.recover(config=LogConfig(index_interval_bytes=1000))
    assert recovered is not None
    data = folder.disk.files()[FOLDER / "00000000000000000000.index"]
    assert recovered.point.index_entries == len(data) // 8 > 10
    for at in range(0, len(data), 8):
        offset, position = int.from_bytes(data[at : at + 4], "big"), int.from_bytes(data[at + 4 : at + 8], "big")
        assert position == offset * len(many[0])
