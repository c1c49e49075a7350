"""Windows, commits and checkpoints: what is durable when, by which way, and what happens when the disk has no room."""

from __future__ import annotations

import pytest

from drave.log import LogClosed, StorageError, producer_snapshots
from drave.log.checkpoint import Preparation
from drave.log.commit import Commit
from drave.model.log_config import LogConfig
from drave.store.disk import SyncFailed
from tests.log.still import CARS, RIDES, Still, batch
from tests.log.world import Topic, finish


def synced(still: Still) -> list[str]:
    """The names of what was synced since the last time."""
    names = [path.name for path in still.disk.syncs]
    still.disk.syncs.clear()
    return names


# -- which way


def test_small_writes_take_the_journal_and_much_of_one_partition_goes_to_its_own_file() -> None:
    still = Still(partitions=3, direct_bytes_per_file=1000)
    for index in range(3):
        still.append(to=still.partition(index))
    still.append(batch(bytes(5000)), to=still.partition(2))
    synced(still)
    commit = still.commit()
    assert isinstance(commit, Commit)
    assert {(item.partition, item.kind) for item in commit.items} == {(0, 1), (1, 1)}
    assert "00000000000000000000.log" in synced(still)
    assert all(still.partition(index).high_watermark for index in range(3))


def test_a_partition_that_is_alone_needs_a_quarter_as_much_to_be_synced_directly() -> None:
    """Either way is one sync, and this one writes the bytes only once."""
    still = Still(direct_bytes_per_file=4000)
    still.append(batch(bytes(1500)))
    commit = still.commit()
    assert isinstance(commit, Commit)
    assert not commit.items


def test_an_entry_larger_than_the_bound_never_enters_the_journal() -> None:
    still = Still(journal_entry_bytes_max=2000, direct_bytes_per_file=1 << 30)
    for _ in range(30):
        still.append(batch(bytes(100)))
    commit = still.commit()
    assert isinstance(commit, Commit)
    assert not commit.items
    assert len(still.read()) == 30


def test_a_direct_commit_syncs_rolled_segments_and_new_names_too() -> None:
    still = Still(direct_bytes_per_file=1, config=LogConfig(segment_bytes=500))
    for _ in range(10):
        still.append(batch(bytes(100)))
    still.commit()
    names = synced(still)
    assert {f"{base:020d}.log" for base in (0, 2, 4, 6, 8)} <= set(names)
    assert {"partition.metadata", "rides-0", "topics"} <= set(names)
    still.power_cut()
    assert still.log.end == 10


def test_when_the_journal_is_full_and_cannot_turn_yet_writes_go_on() -> None:
    """'Journal full' is not a state."""
    still = Still(partitions=4, journal_bytes_max=16 * 1024, direct_bytes_per_file=1 << 30)
    for _ in range(60):
        for index in range(4):
            still.append(batch(bytes(200)), to=still.partition(index))
        still.commit()  # and no chore is done, so no checkpoint is ever made
    ends = [still.partition(index).high_watermark for index in range(4)]
    assert ends == [60] * 4
    still.power_cut()
    assert [still.partition(index).end for index in range(4)] == [60] * 4


# -- order


def test_a_window_waits_for_the_one_before_it() -> None:
    still = Still()
    still.append()
    first = still.logs.flusher.next_commit()
    still.append()
    assert still.logs.flusher.next_commit() is None, "one is in flight"
    assert first is not None
    first.run()
    first.finish()
    assert still.log.high_watermark == 1
    still.commit()
    assert still.log.high_watermark == 2


# -- checkpoints


def test_a_checkpoint_lets_recovery_begin_at_the_end() -> None:
    still = Still()
    for sequence in range(5):
        still.append(batch(producer=7, epoch=0, sequence=sequence))
    still.checkpoint()
    assert still.log.points.offset == 5
    still.power_cut()
    assert still.logs.report.replayed_batches == 0
    assert still.log.end == 5
    assert len(still.log.producers) == 1


def test_a_checkpoint_is_made_when_a_journal_file_is_full() -> None:
    still = Still(journal_bytes_max=16 * 1024, direct_bytes_per_file=1 << 30)
    for _ in range(100):
        still.append(batch(bytes(200)))
        still.logs.flush()
    assert still.log.points.offset > 0
    journals = [path for path in still.disk.files() if path.suffix == ".journal"]
    assert len(journals) == 2
    assert all(len(still.disk.files()[path]) <= 16 * 1024 for path in journals)


@pytest.mark.parametrize("durability", ["fsync", "os"])
@pytest.mark.parametrize("bound", [{"checkpoint_bytes": 20_000}, {"checkpoint_batches": 50}])
def test_a_checkpoint_is_made_after_so_much_that_recovery_would_have_to_read(
    durability: str, bound: dict[str, int]
) -> None:
    still = Still(durability=durability, direct_bytes_per_file=1, **bound)
    for _ in range(120):
        still.append(batch(bytes(300)))
        still.logs.flush()
    assert still.log.points.offset > 50


def test_only_the_newest_producer_snapshot_is_kept() -> None:
    still = Still()
    for sequence in range(3):
        still.append(batch(producer=7, epoch=0, sequence=sequence))
        still.checkpoint()
    assert [path.name for path in still.disk.files() if path.suffix == ".snapshot"] == ["00000000000000000003.snapshot"]


def test_a_checkpoint_without_news_of_producers_writes_no_snapshot() -> None:
    still = Still()
    still.append(batch(producer=7, epoch=0, sequence=0))
    still.checkpoint()
    still.append()
    still.checkpoint()
    assert [path.name for path in still.disk.files() if path.suffix == ".snapshot"] == ["00000000000000000001.snapshot"]
    still.power_cut()
    assert len(still.log.producers) == 1


def test_a_commit_in_flight_is_never_overtaken_by_a_turn_of_the_journal() -> None:
    """Its place is in the old file."""
    still = Still()
    still.append()
    commit = still.logs.flusher.next_commit()
    generation = still.logs.flusher.journal.generation
    still.logs.flusher.begin_checkpoint()
    assert still.logs.flusher.next_chore() is None
    assert still.logs.flusher.journal.generation == generation
    assert commit is not None
    commit.run()
    commit.finish()
    assert still.logs.flusher.next_chore() is not None
    assert still.logs.flusher.journal.generation == generation + 1


# -- new log starts


def test_a_new_start_is_seen_when_it_is_durable_and_survives() -> None:
    still = Still()
    for _ in range(5):
        still.append()
    still.commit()
    still.log.move_start(3)
    assert still.log.start == 0
    still.commit()
    assert still.log.start == 3
    still.power_cut()
    assert (still.log.start, still.log.end) == (3, 5)


def test_segments_go_only_when_the_recovery_point_has_passed_them() -> None:
    still = Still(config=LogConfig(segment_bytes=200))
    for _ in range(6):
        still.append(batch(bytes(60)))
    still.commit()
    still.log.move_start(5)
    still.logs.flush()
    assert sum(path.suffix == ".log" for path in still.disk.files()) == 6, "they may be needed to recover"
    still.checkpoint()
    assert sum(path.suffix == ".log" for path in still.disk.files()) == 1


def test_a_new_start_waits_when_the_journal_has_no_room_for_it() -> None:
    still = Still(journal_bytes_max=16 * 1024)
    for _ in range(400):
        still.append()
        still.log.move_start(still.log.high_watermark)
        still.commit()
    told = still.log.start
    assert 0 < told <= still.log.end
    still.power_cut()
    assert still.log.start >= told


async def test_deleting_records_returns_when_the_new_start_is_durable() -> None:
    import asyncio

    still = Still()
    for _ in range(4):
        still.append()
    still.commit()
    deleting = asyncio.ensure_future(still.log.delete_records(3))
    await asyncio.sleep(0)
    assert not deleting.done()
    still.logs.flush()
    assert await deleting == 3
    assert await still.log.delete_records(1) == 3, "it begins later already"


async def test_whoever_waits_for_a_new_start_when_the_broker_stops_hears_that_it_did() -> None:
    import asyncio

    still = Still()
    still.append()
    still.commit()
    deleting = asyncio.ensure_future(still.log.delete_records(1))
    await asyncio.sleep(0)
    still.logs.flusher.window.clear()  # it never gets to the disk
    await still.logs.close()
    with pytest.raises(LogClosed):
        await deleting


# -- a full disk


def test_a_journal_that_cannot_grow_leaves_the_write_to_the_segments() -> None:
    still = Still(partitions=2)
    still.append()
    still.append(to=still.partition(1))
    still.disk.room_bytes = 100
    still.logs.flush()
    assert [still.partition(index).high_watermark for index in range(2)] == [1, 1]
    still.disk.room_bytes = None
    still.power_cut()
    assert [still.partition(index).end for index in range(2)] == [1, 1]


def test_a_checkpoint_that_finds_no_room_is_made_later() -> None:
    still = Still()
    still.append(batch(producer=7, epoch=0, sequence=0))
    still.logs.flush()
    still.disk.room_bytes = 0
    still.logs.flusher.begin_checkpoint()
    still.logs.flush()
    assert still.log.points.offset == 0
    still.disk.room_bytes = None
    still.logs.flush()
    assert still.log.points.offset == 0, "it rests a little"
    still.clock.now_ms += 2000
    still.logs.flush()
    assert still.log.points.offset == 1


# -- a failing disk


@pytest.mark.parametrize("direct", [1, 1 << 30])
def test_after_a_failed_sync_nobody_is_told_that_all_is_well(direct: int) -> None:
    """It is never retried: the kernel may have dropped the pages."""
    still = Still(direct_bytes_per_file=direct)
    told: list[int] = []
    still.append()
    still.log.when_durable(1, lambda: told.append(1))
    still.disk.failing_syncs = 1
    with pytest.raises(SyncFailed):
        still.logs.flush()
    assert still.logs.flusher.next_commit() is None
    assert still.logs.flusher.next_chore() is None
    with pytest.raises(StorageError, match="the broker stops"):
        still.append()
    finish(still.logs.close())
    assert told == []
    assert still.log.high_watermark == 0


# -- topics that go


def make(still: Still, name: str = "cars", topic_id: bytes = CARS) -> None:
    topic = Topic(name, topic_id, 1, LogConfig())  # type: ignore[arg-type]
    still.topics[topic.topic_id] = topic
    still.logs.add_topic(topic)


def remove(still: Still) -> None:
    del still.topics[RIDES]
    still.tombstones.add(RIDES)
    still.logs.remove_topic(RIDES)


def test_the_files_of_a_deleted_topic_go_and_its_name_is_free_at_once() -> None:
    still = Still()
    still.append(batch(b"old"))
    still.logs.flush()
    remove(still)
    make(still, "rides")
    still.append(batch(b"new"), to=still.partition(0, CARS))
    still.logs.flush()
    assert still.read(log=still.partition(0, CARS)) == [b"new"]
    folders = {path.parent.name for path in still.disk.files() if "topics" in path.parts}
    assert folders == {"rides-0"}


def test_what_was_written_to_a_topic_before_it_went_is_still_answered() -> None:
    still = Still()
    log = still.log
    still.append()
    told: list[int] = []
    log.when_durable(1, lambda: told.append(1))
    remove(still)
    still.logs.flush()
    assert told == [1]
    with pytest.raises(StorageError, match="deleted"):
        still.append(to=log)


def test_a_chore_of_a_deleted_topic_does_nothing_to_the_next_topic_of_its_name() -> None:
    """It names files by their paths, and the paths are the next topic's now."""
    still = Still(config=LogConfig(segment_bytes=200))
    for _ in range(4):
        still.append(batch(bytes(60)))
    still.checkpoint()
    still.log.move_start(4)
    still.commit()  # now the removal of its first segments waits
    remove(still)
    make(still, "rides")
    still.append(batch(b"new"), to=still.partition(0, CARS))
    still.logs.flush()
    still.checkpoint()
    still.power_cut()
    assert still.read(log=still.partition(0, CARS)) == [b"new"]


def test_while_a_chore_is_at_work_in_a_deleted_topics_folder_the_next_topic_waits() -> None:
    still = Still()
    still.append()
    still.logs.flush()
    still.logs.flusher.begin_checkpoint()
    step = still.logs.flusher.next_chore()
    assert step is not None
    remove(still)
    make(still, "rides")
    log = still.partition(0, CARS)
    with pytest.raises(StorageError, match="on its way out"):
        still.append(to=log)
    step.run()
    step.finish()
    still.append(to=log)
    still.logs.flush()
    assert log.high_watermark == 1


def test_a_tombstone_is_needed_until_neither_files_nor_journal_speak_of_its_topic() -> None:
    still = Still(partitions=2)
    make(still)
    forgotten: list[bytes] = []
    still.logs.on_forgotten(forgotten.append)
    still.append()
    still.append(to=still.partition(0, CARS))
    still.logs.flush()
    remove(still)
    still.logs.flush()
    assert forgotten == [], "its entries are in the journal"
    still.append(to=still.partition(0, CARS))
    still.checkpoint()
    assert forgotten == [RIDES]


def test_a_checkpoint_of_very_many_producers_is_prepared_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in between is in it."""
    monkeypatch.setattr(producer_snapshots, "SLICE", 2)
    still = Still()
    for producer in range(7):
        still.append(batch(producer=producer, epoch=0, sequence=0))
    still.commit()
    still.logs.flusher.begin_checkpoint()
    slices = 0
    while (work := still.logs.flusher.next_chore()) is not None:
        work.run()
        work.finish()
        if isinstance(work, Preparation):
            slices += 1
            still.append(batch(producer=slices, epoch=0, sequence=1))
    assert slices > 3
    still.power_cut()
    assert len(still.log.producers) == 7
    assert {len(producer.batches) for _, producer in still.log.producers} <= {1, 2}


def test_a_partition_that_knows_very_many_producers_is_opened_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drave.log.logs.SLOW_SNAPSHOT_BYTES", 100)
    still = Still(partitions=2)
    for producer in range(7):
        still.append(batch(producer=producer, epoch=0, sequence=0))
    still.append(to=still.partition(1))
    finish(still.logs.close())
    still.open()
    assert [still.partition(index).files is not None for index in (0, 1)] == [True, False]


def test_before_a_stop_many_partitions_go_through_their_checkpoint_together() -> None:
    """First all files are synced, then all names; while the broker serves, each partition has a step of its own."""
    still = Still(partitions=20)
    for index in range(20):
        still.append(to=still.partition(index))
    still.commit()
    still.logs.flusher.begin_checkpoint(clean=True)
    steps = []
    while (work := still.logs.flusher.next_chore()) is not None:
        work.run()
        work.finish()
        steps.append(work)
    assert [type(step).__name__ for step in steps] == ["CheckpointStep", "PointsWrite"]
    still.power_cut()
    assert still.logs.report.clean
    assert [still.partition(index).end for index in range(20)] == [1] * 20


def test_one_of_many_that_finds_no_room_waits_alone() -> None:
    still = Still(partitions=20)
    for index in range(20):
        still.append(to=still.partition(index))
    still.commit()
    still.logs.flusher.begin_checkpoint(clean=True)
    step = still.logs.flusher.next_chore()
    assert step is not None
    still.disk.room_bytes = 0
    step.run()
    step.finish()
    still.disk.room_bytes = None
    still.clock.now_ms += 2000
    still.chores()
    still.power_cut()
    assert [still.partition(index).end for index in range(20)] == [1] * 20
