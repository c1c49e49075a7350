"""The simulated disk is a disk, and it loses what a real one may lose."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drave.store.disk import DataFolderInUse, Disk, RealDisk, SyncFailed, WouldBlock, replace_file, write_whole
from drave.testing.disk import SECTOR, PowerCut, SimulatedDisk

NAMES = ("a", "b", "c")

step = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.integers(0, 2000), st.binary(max_size=1500)),
    st.tuples(st.just("truncate"), st.sampled_from(NAMES), st.integers(0, 2500)),
    st.tuples(st.just("read"), st.sampled_from(NAMES), st.integers(0, 3000), st.integers(0, 2000)),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("unlink"), st.sampled_from(NAMES)),
    st.tuples(st.just("sync"), st.sampled_from(NAMES)),
    st.tuples(st.just("stat"), st.sampled_from(NAMES)),
    st.tuples(st.just("list")),
)


def do(disk: Disk, root: Path, what: tuple[Any, ...]) -> object:
    """One step, and what was seen: a value, or the name of the error."""
    try:
        match what:
            case ("write", name, at, data):
                return disk.open(root / name, create=True).pwrite(data, at)
            case ("truncate", name, size):
                return disk.open(root / name).truncate(size)
            case ("read", name, at, size):
                return bytes(disk.open(root / name).pread(size, at))
            case ("rename", old, new):
                return disk.rename(root / old, root / new)
            case ("unlink", name):
                return disk.unlink(root / name)
            case ("sync", name):
                disk.open(root / name).sync()
                return disk.sync_folder(root)
            case ("stat", name):
                stat = disk.stat(root / name)
                return None if stat is None else stat.size
            case _:
                return sorted(disk.list_folder(root))
    except OSError as error:
        return error.errno


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(step, max_size=30))
def test_without_a_crash_it_behaves_like_the_real_one(tmp_path_factory: pytest.TempPathFactory, steps: Any) -> None:
    real, simulated = RealDisk(), SimulatedDisk()
    root = tmp_path_factory.mktemp("disk")
    simulated.make_folder(Path("/root"))
    for each in steps:
        if each[:1] == ("write",) and not each[3]:
            continue  # an empty write past the end is not a write
        assert do(simulated, Path("/root"), each) == do(real, root, each)


def folder(seed: int = 0) -> SimulatedDisk:
    disk = SimulatedDisk(seed)
    disk.make_folder(Path("/d"))
    disk.sync_folder(Path("/"))
    return disk


FILE = Path("/d/file")


def test_what_was_synced_survives_with_its_name_when_that_was_synced_too() -> None:
    for seed in range(30):
        disk = folder(seed)
        write_whole(disk, FILE, b"x" * 2000)
        disk.sync_folder(FILE.parent)
        disk.power_cut()
        assert disk.files() == {FILE: b"x" * 2000}


def test_syncing_a_file_does_not_make_its_name_durable() -> None:
    kept = set()
    for seed in range(30):
        disk = folder(seed)
        write_whole(disk, FILE, b"x")
        disk.power_cut()
        kept.add(FILE in disk.files())
    assert kept == {True, False}


def test_a_write_that_was_not_synced_may_be_kept_lost_or_torn_between_sectors() -> None:
    seen = set()
    for seed in range(200):
        disk = folder(seed)
        file = disk.open(FILE, create=True)
        file.pwrite(bytes(4 * SECTOR), 0)
        file.sync()
        disk.sync_folder(FILE.parent)
        file.pwrite(b"x" * 4 * SECTOR, 0)
        disk.power_cut()
        content = disk.files()[FILE]
        seen.add("".join("x" if content[at : at + SECTOR] == b"x" * SECTOR else "." for at in range(0, 2048, SECTOR)))
    assert {"....", "xxxx", "x.x."} <= seen


def test_a_durable_write_survives_and_what_others_wrote_to_the_file_need_not() -> None:
    others = set()
    for seed in range(40):
        disk = folder(seed)
        file = disk.open(FILE, create=True)
        disk.sync_folder(FILE.parent)
        file.pwrite(b"o" * 4 * SECTOR, 0)
        file.sync()
        file.pwrite(b"n" * SECTOR, 0)
        file.write_durably(b"durable", 2 * SECTOR)
        disk.power_cut()
        found = disk.files()[FILE]
        assert found[2 * SECTOR : 2 * SECTOR + 7] == b"durable"
        assert found[SECTOR : 2 * SECTOR] == b"o" * SECTOR
        others.add(found[:1])
    assert others == {b"o", b"n"}


def test_a_durable_write_is_torn_between_sectors_and_leaves_alone_what_lies_before_it() -> None:
    tails = set()
    for seed in range(60):
        disk = folder(seed)
        file = disk.open(FILE, create=True)
        disk.sync_folder(FILE.parent)
        file.write_durably(b"before", 0)
        disk.cut_at = 1
        with pytest.raises(PowerCut):
            file.write_durably(b"a" * 2 * SECTOR, 6)
        disk.power_cut()
        found = disk.files()[FILE]
        assert found[:6] == b"before"
        tails.add((found[6:7] == b"a", found[2 * SECTOR : 2 * SECTOR + 1] == b"a"))
    assert len(tails) == 4, "either, both or none"


def test_a_durable_write_that_fails_is_a_failed_sync_unless_there_is_no_room() -> None:
    file = (disk := folder()).open(FILE, create=True)
    disk.failing_syncs = 1
    with pytest.raises(SyncFailed):
        file.write_durably(b"abc", 0)
    disk.failing_writes = 1
    with pytest.raises(SyncFailed):
        file.write_durably(b"abc", 0)
    disk.room_bytes = 0
    with pytest.raises(OSError, match="No space"):
        file.write_durably(bytes(9000), 0)


def test_a_rename_that_was_not_synced_leaves_the_old_name_or_the_new() -> None:
    seen = set()
    for seed in range(60):
        disk = folder(seed)
        write_whole(disk, FILE, b"old")
        disk.sync_folder(FILE.parent)
        write_whole(disk, Path("/d/next"), b"new")
        disk.rename(Path("/d/next"), FILE)
        disk.power_cut()
        seen.add(disk.files()[FILE])
    assert seen == {b"old", b"new"}


def test_a_replaced_file_holds_the_old_content_or_the_new_wherever_the_power_goes() -> None:
    for seed in range(40):
        for call in range(1, 8):
            disk = folder(seed)
            replace_file(disk, FILE, b"old" * 500)
            disk.cut_at = call
            try:
                replace_file(disk, FILE, b"new" * 700)
                whole = {b"new" * 700}
            except PowerCut:
                whole = {b"old" * 500, b"new" * 700}
            disk.power_cut()
            assert disk.files()[FILE] in whole


def test_the_power_may_go_just_when_something_is_to_become_durable() -> None:
    disk = folder()
    file = disk.open(FILE, create=True)
    disk.cut_at_sync = 3
    file.pwrite(b"abc", 0)
    file.sync()
    disk.rename(FILE, Path("/d/other"))
    disk.sync_folder(Path("/d"))
    file.pwrite(b"def", 3)
    with pytest.raises(PowerCut):
        file.write_durably(b"ghi", 6)
    disk.power_cut()
    assert disk.cut_at_sync is None


def test_of_two_files_one_may_be_wholly_there_and_nothing_of_the_other() -> None:
    """Whoever relies on the order of two writes has to sync between them."""
    whole, seen = b"n" * 10 * SECTOR, set()
    for seed in range(60):
        disk = folder(seed)
        files = [disk.open(Path("/d") / name, create=True) for name in ("one", "two")]
        disk.sync_folder(Path("/d"))
        for file in files:
            file.pwrite(whole, 0)
        disk.power_cut()
        seen.add(tuple(disk.files()[file.path] for file in files))
    assert {(whole, whole), (whole, b""), (b"", whole), (b"", b"")} < seen


def test_a_kill_loses_nothing_that_was_written() -> None:
    disk = folder()
    file = disk.open(FILE, create=True)
    file.pwrite(b"x" * 100, 0)
    disk.kill()
    assert disk.files() == {FILE: b"x" * 100}
    with pytest.raises(PowerCut):
        file.pread(1, 0)  # it was the dead process's


def test_after_the_power_went_nothing_works_until_the_restart() -> None:
    disk = folder()
    disk.cut_at = 1
    with pytest.raises(PowerCut):
        disk.open(FILE, create=True)
    with pytest.raises(PowerCut):
        disk.list_folder(Path("/d"))
    disk.power_cut()
    assert isinstance(disk.list_folder(Path("/")), list)


def test_a_full_disk_takes_a_part_and_then_nothing() -> None:
    disk = folder()
    file = disk.open(FILE, create=True)
    disk.room_bytes = 150
    assert file.pwrite(b"x" * 100, 0) == 100
    assert file.pwrite(b"x" * 100, 100) == 50
    with pytest.raises(OSError) as full:
        file.pwrite(b"x", 150)
    assert full.value.errno == errno.ENOSPC
    assert file.pwrite(b"y" * 150, 0) == 150, "what is there can be written over"


def test_a_failed_sync_loses_its_pages_and_the_next_one_says_nothing_of_it() -> None:
    disk = folder()
    file = disk.open(FILE, create=True)
    disk.sync_folder(FILE.parent)
    file.pwrite(b"x" * 100, 0)
    disk.failing_syncs = 1
    with pytest.raises(SyncFailed):
        file.sync()
    file.sync()
    disk.power_cut()
    assert disk.files()[FILE] == bytes(100)


def test_a_cold_disk_would_block() -> None:
    disk = folder()
    file = disk.open(FILE, create=True)
    file.pwrite(b"abc", 0)
    assert file.read_now(3, 0) == b"abc"
    disk.cold = True
    with pytest.raises(WouldBlock):
        file.read_now(3, 0)
    assert file.pread(3, 0) == b"abc"


def test_a_lock_is_held_until_it_is_released_or_the_process_dies() -> None:
    disk = folder()
    lock = disk.lock(Path("/d/lock"))
    with pytest.raises(DataFolderInUse):
        disk.lock(Path("/d/lock"))
    lock.release()
    disk.lock(Path("/d/lock"))
    disk.kill()
    disk.lock(Path("/d/lock"))
