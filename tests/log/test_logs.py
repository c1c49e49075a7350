"""All logs of a broker: what a start does and does not do, and whose folders are whose."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from drave.log import Logs, lock_folder
from drave.model.log_config import LogConfig
from drave.model.storage_settings import StorageSettings
from drave.store.disk import DataFolderInUse, DataFolderUnusable, RealDisk
from drave.store.names import METADATA, encode_metadata
from drave.testing.disk import SimulatedDisk, SimulatedFile
from tests.log.still import CARS, RIDES, Still, batch
from tests.log.world import ROOT, HandClock, Topic, finish

TOPICS = ROOT / "topics"


def rename_on(still: Still, old: Path, new: Path) -> None:
    still.disk.rename(old, new)
    still.disk.sync_folder(old.parent)


# -- starting


def test_a_folder_that_another_broker_holds_is_refused() -> None:
    still = Still()
    with pytest.raises(DataFolderInUse, match="Stop that broker"):
        still.open()


async def test_a_folder_is_free_when_its_broker_has_closed() -> None:
    still = Still()
    await still.logs.close()
    still.open()


def test_a_start_that_fails_gives_the_folder_back(monkeypatch: pytest.MonkeyPatch) -> None:
    still = Still()
    finish(still.logs.close())
    still.disk.room_bytes = 0
    with pytest.raises(DataFolderUnusable, match="make room"):
        still.open()
    still.disk.room_bytes = None
    still.open()


@pytest.mark.parametrize("inside", ["", "deeper"], ids=["itself", "above it"])
def test_a_file_where_the_data_folder_should_be_is_one_sentence_that_names_it_once(tmp_path: Path, inside: str) -> None:
    blocking = tmp_path / "data"
    blocking.write_text("not a folder")
    with pytest.raises(DataFolderUnusable, match="a file where a folder belongs") as refusal:
        open_real(blocking / inside)
    named = "it" if not inside else str(blocking)
    assert str(refusal.value).startswith(f"{blocking / inside} cannot be used: {named} is a file ")


def test_a_lock_that_the_caller_holds_stays_the_callers(tmp_path: Path) -> None:
    """What else was opened under it, such as the catalog, is closed before anybody else may come."""
    disk = RealDisk()
    lock = lock_folder(tmp_path, disk=disk)
    finish(open_real(tmp_path, locked=True).close())
    with pytest.raises(DataFolderInUse):
        open_real(tmp_path)
    lock.release()
    finish(open_real(tmp_path).close())


def test_a_file_among_the_folders_of_a_half_written_one_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "topics").write_text("not a folder")
    with pytest.raises(DataFolderUnusable, match="topics is a file"):
        open_real(tmp_path)


def open_real(root: Path, *, locked: bool = False) -> Logs:
    return Logs.open(root, disk=RealDisk(), clock=HandClock(), settings=StorageSettings(), topics=[], locked=locked)


def test_a_clean_start_opens_no_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start with many partitions takes no longer than reading their recovery points."""
    still = Still(partitions=20)
    for index in range(20):
        still.append(batch(b"v%d" % index), to=still.partition(index))
    finish(still.logs.close())
    opened: list[Path] = []
    original = SimulatedDisk.open

    def open_and_note(disk: SimulatedDisk, path: Path, *, create: bool = False) -> SimulatedFile:
        opened.append(path)
        return original(disk, path, create=create)

    monkeypatch.setattr(SimulatedDisk, "open", open_and_note)
    still.open()
    assert [path for path in opened if TOPICS in path.parents] == []
    log = still.partition(7)
    assert (log.end, log.size_bytes > 0, log.leader_epoch) == (1, True, 0)
    assert still.read(log=log) == [b"v7"]
    assert {path.parent.name for path in opened if TOPICS in path.parents} == {"rides-7"}


def test_after_a_crash_only_partitions_that_were_written_since_are_looked_into() -> None:
    still = Still(partitions=20)
    for index in range(20):
        still.append(to=still.partition(index))
    still.checkpoint()
    still.append(to=still.partition(3))
    still.logs.flush()
    still.power_cut()
    assert (still.logs.report.clean, still.logs.report.partitions, still.logs.report.recovered) == (False, 20, 1)
    assert all(still.partition(index).leader_epoch == 1 for index in range(20))


def test_a_clean_stop_is_clean_once() -> None:
    """What a life writes is not known to the recovery points that it began with."""
    still = Still()
    still.append()
    finish(still.logs.close())
    still.open()
    assert still.logs.report.clean
    still.append()
    still.logs.flush()
    still.kill()
    assert not still.logs.report.clean
    assert still.log.end == 2


def test_without_recovery_points_everything_is_read_and_nothing_is_lost() -> None:
    still = Still(partitions=2, config=LogConfig(segment_bytes=300))
    for sequence in range(8):
        still.append(batch(b"v%d" % sequence, producer=7, epoch=0, sequence=sequence))
    still.append(batch(b"w"), to=still.partition(1))
    finish(still.logs.close())
    still.disk.unlink(ROOT / "nodes" / "1" / "recovery-points")
    still.open()
    assert not still.logs.report.clean
    assert still.read() == [b"v%d" % n for n in range(8)]
    assert still.read(log=still.partition(1)) == [b"w"]
    assert still.append(batch(b"v7", producer=7, epoch=0, sequence=7)).duplicate


def test_damaged_recovery_points_are_as_good_as_none() -> None:
    still = Still()
    still.append(batch(b"v"))
    finish(still.logs.close())
    still.disk.open(ROOT / "nodes" / "1" / "recovery-points").pwrite(b"!", 12)
    still.open()
    assert still.read() == [b"v"]


def test_without_its_journal_a_crashed_broker_has_what_its_segments_have() -> None:
    still = Still()
    still.append(batch(b"v"))
    still.logs.flush()
    still.disk.kill()
    still.disk.unlink(ROOT / "nodes" / "1" / "journal" / "0.journal")
    still.open()
    assert still.read() == [b"v"]


# -- whose folders


def test_a_folder_that_the_catalog_does_not_know_is_reported_and_left_alone() -> None:
    still = Still()
    still.append(batch(b"v"))
    finish(still.logs.close())
    before = {path: data for path, data in still.disk.files().items() if TOPICS in path.parents}
    del still.topics[RIDES]
    still.open()
    assert still.logs.report.strangers == [TOPICS / "rides-0"]
    still.kill()
    assert {path: data for path, data in still.disk.files().items() if TOPICS in path.parents} == before


def test_a_folder_of_another_topic_id_under_a_known_name_is_a_stranger_too() -> None:
    still = Still()
    still.append(batch(b"theirs"))
    finish(still.logs.close())
    still.topics = {CARS: Topic("rides", CARS, 1, LogConfig())}
    still.open()
    assert still.logs.report.strangers == [TOPICS / "rides-0"]
    log = still.partition(0, CARS)
    still.append(batch(b"ours"), to=log)
    still.logs.flush()
    assert still.read(log=log) == [b"ours"]
    aside = [path for path in still.disk.files() if path.parent.name.endswith("-stray") and path.suffix == ".log"]
    assert len(aside) == 1, "what was there keeps being there"


def test_a_partition_that_the_topic_does_not_have_is_a_stranger() -> None:
    still = Still(partitions=2)
    still.append(to=still.partition(1))
    finish(still.logs.close())
    still.topics = {RIDES: Topic("rides", RIDES, 1, LogConfig())}
    still.open()
    assert still.logs.report.strangers == [TOPICS / "rides-1"]


def test_a_deletion_that_a_crash_interrupted_is_finished() -> None:
    still = Still(partitions=2)
    for index in range(2):
        still.append(to=still.partition(index))
    still.logs.flush()
    still.disk.kill()
    del still.topics[RIDES]
    still.tombstones = {RIDES}
    still.open()
    assert still.logs.report.strangers == []
    assert still.logs.report.removed == 2
    assert not [path for path in still.disk.files() if TOPICS in path.parents]


def test_a_folder_that_somebody_copied_in_opens() -> None:
    """`drave topic adopt`: the catalog has the topic now, and no recovery point speaks of it."""
    still = Still()
    for value in (b"a", b"b"):
        still.append(batch(value))
    finish(still.logs.close())
    still.open()
    finish(still.logs.close())
    rename_on(still, TOPICS / "rides-0", TOPICS / "cars-0")
    still.disk.open(TOPICS / "cars-0" / METADATA).pwrite(encode_metadata(CARS), 0)
    still.topics = {CARS: Topic("cars", CARS, 1, LogConfig())}
    still.open()
    assert still.read(log=still.partition(0, CARS)) == [b"a", b"b"]


def test_files_that_vanished_while_the_broker_was_stopped_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    still = Still()
    for _ in range(3):
        still.append()
    finish(still.logs.close())
    rename_on(still, TOPICS / "rides-0", TOPICS / "elsewhere-0")
    still.open()
    assert still.logs.report.missing == ["rides-0"]
    assert "rides-0 are gone" in caplog.text
    assert (still.log.start, still.log.end) == (3, 3), "no offset is ever given twice"
    assert still.append().base_offset == 3


def test_files_that_somebody_changed_while_the_broker_was_stopped_are_recovered_when_they_are_opened(
    caplog: pytest.LogCaptureFixture,
) -> None:
    still = Still()
    for value in (b"a", b"b"):
        still.append(batch(value))
    finish(still.logs.close())
    file = still.disk.open(TOPICS / "rides-0" / "00000000000000000000.log")
    file.truncate(file.size() - 5)
    still.open()
    assert still.logs.report.clean
    still.append(batch(b"c"))
    still.logs.flush()
    assert still.read() == [b"a", b"c"]
    assert still.log.leader_epoch == 1
    assert "does not hold what the broker left there" in caplog.text


# -- following the catalog


def test_a_topic_gets_more_partitions() -> None:
    still = Still()
    still.append()
    still.logs.add_topic(Topic("rides", RIDES, 3, LogConfig()))
    assert len(still.logs) == 3
    assert still.log.end == 1
    assert still.partition(2).end == 0
    assert still.logs.partition(RIDES, 3) is None
    assert still.logs.partition(CARS, 0) is None


def test_an_idle_partition_costs_little() -> None:
    """Ten thousand of them must be possible."""
    still = Still(partitions=100)
    finish(still.logs.close())
    log = still.log
    own = [getattr(log, name) for name in type(log).__slots__ if name not in ("_shared", "_flusher", "config", "name")]
    held = sys.getsizeof(log) + sum(sys.getsizeof(value) for value in own if not isinstance(value, type | Path))
    assert held < 2500


# -- keeping house


def test_old_segments_go_by_time_and_the_active_one_is_rolled_first() -> None:
    still = Still(config=LogConfig(retention_ms=60_000, segment_bytes=200))
    for _ in range(4):
        still.append(batch(bytes(60), timestamp=still.clock.now_ms))
        still.clock.now_ms += 30_000
    still.logs.flush()
    still.logs.keep_house(still.clock.now_ms)
    still.logs.flush()
    assert (still.log.start, still.log.end) == (2, 4)
    still.clock.now_ms += 1_000_000
    still.logs.keep_house(still.clock.now_ms)
    still.logs.flush()
    assert (still.log.start, still.log.end) == (4, 4)
    still.checkpoint()
    logs = [path.name for path in still.disk.files() if path.suffix == ".log"]
    assert logs == ["00000000000000000004.log"]
    still.append(batch(b"after"))
    still.logs.flush()
    assert still.read(4) == [b"after"]


def test_a_partition_that_nobody_opened_is_kept_in_order_too() -> None:
    still = Still(config=LogConfig(retention_ms=60_000))
    still.append(batch(timestamp=still.clock.now_ms))
    finish(still.logs.close())
    still.open()
    still.logs.keep_house(still.clock.now_ms)
    assert still.log.files is None, "nothing is due"
    still.clock.now_ms += 1_000_000
    still.logs.keep_house(still.clock.now_ms)
    still.logs.flush()
    assert still.log.start == 1


def test_records_without_timestamps_count_from_when_they_were_written() -> None:
    still = Still(config=LogConfig(retention_ms=60_000))
    still.append(batch(timestamp=-1))
    still.logs.flush()
    still.logs.keep_house(still.clock.now_ms)
    still.logs.flush()
    assert still.log.start == 1, "the simulated disk dates every file to 1970"


def test_housekeeping_goes_round_all_partitions_however_short_its_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    still = Still(partitions=30, config=LogConfig(retention_ms=1000))
    for index in range(30):
        still.append(batch(timestamp=still.clock.now_ms), to=still.partition(index))
    still.logs.flush()
    still.clock.now_ms += 100_000

    def hurry() -> float:
        still.clock.now_ms += 100
        return still.clock.now_ms / 1000

    monkeypatch.setattr(still.clock, "monotonic", hurry)
    for _ in range(30):
        still.logs.keep_house(still.clock.now_ms)
    monkeypatch.undo()
    still.logs.flush()
    assert [still.partition(index).start for index in range(30)] == [1] * 30


def test_folders_that_belong_to_no_topic_are_told_of_once_for_each_topic(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("rides-0", "rides-1", "cars-0", "lost+found"):
        (tmp_path / "topics" / name).mkdir(parents=True)
    open_real(tmp_path)
    said = [record.getMessage().removeprefix(str(tmp_path / "topics")) for record in caplog.records]
    known_for = (
        "folders of {0} that belong to no topic of this broker ({1}) are left as they are; `drave topic adopt {0}`"
    )
    assert sorted(said) == [
        f": {known_for.format('cars', 1)} takes them in",
        f": {known_for.format('rides', 2)} takes them in",
        ": what is no partition's folder (1) is left as it is",
    ]
