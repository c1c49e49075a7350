"""The real disk: what it promises beyond the calls it passes on."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from drave.store import disk as disks
from drave.store.disk import (
    DataFolderInUse,
    RealDisk,
    SyncFailed,
    WouldBlock,
    explain,
    read_whole,
    replace_file,
    write_whole,
)


@pytest.fixture
def disk() -> RealDisk:
    return RealDisk()


def test_a_locked_folder_names_the_process_that_has_it(disk: RealDisk, tmp_path: Path) -> None:
    lock = disk.lock(tmp_path / "lock")
    with pytest.raises(DataFolderInUse) as refused:
        disk.lock(tmp_path / "lock")
    assert f"process {os.getpid()} on {socket.gethostname()}" in str(refused.value)
    assert str(tmp_path) in str(refused.value)
    lock.release()
    disk.lock(tmp_path / "lock").release()


def test_the_lock_of_a_process_that_was_killed_is_free(disk: RealDisk, tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from drave.store.disk import RealDisk\n"
        "lock = RealDisk().lock(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "lock")], check=False)
    disk.lock(tmp_path / "lock").release()


def test_a_file_stays_open_while_somebody_holds_it(disk: RealDisk, tmp_path: Path) -> None:
    """A reader on another thread must never meet a descriptor that was closed and given to another file."""
    file = disk.open(tmp_path / "a", create=True)
    file.pwrite(b"abc", 0)
    reader = file
    del file
    disk.unlink(tmp_path / "a")
    assert reader.pread(3, 0) == b"abc"


def test_descriptors_come_back_when_the_last_holder_lets_go(disk: RealDisk, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for number in range(50):
        disk.open(tmp_path / str(number), create=True).pwrite(b"x", 0)
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after == before


def test_reading_now_gives_what_is_in_memory_and_never_less_than_was_asked(disk: RealDisk, tmp_path: Path) -> None:
    file = disk.open(tmp_path / "a", create=True)
    file.pwrite(b"abcdef", 0)
    try:
        assert bytes(file.read_now(3, 1)) == b"bcd"
    except WouldBlock:
        assert disks._nowait is None, "only where the platform cannot tell"
    with pytest.raises(WouldBlock):
        file.read_now(10, 0)


def test_a_sync_that_fails_is_its_own_kind_of_error(disk: RealDisk, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # nothing of it can be on a disk
    with pytest.raises(SyncFailed, match="pipe durable"):
        disk.open(tmp_path / "pipe").sync()


def test_replacing_a_file_leaves_nothing_else_behind(disk: RealDisk, tmp_path: Path) -> None:
    write_whole(disk, tmp_path / "a", b"a longer content than the next one")
    replace_file(disk, tmp_path / "a", b"short")
    assert read_whole(disk, tmp_path / "a") == b"short"
    assert disk.list_folder(tmp_path) == ["a"]
    assert read_whole(disk, tmp_path / "b") is None


async def test_what_may_wait_runs_beside_the_loop(disk: RealDisk) -> None:
    import threading

    assert await disk.run(threading.current_thread) is not threading.current_thread()


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EROFS, "read-write"),
        (errno.EACCES, "owner"),
        (errno.ENOTDIR, "move it away"),
        (errno.ENOSPC, "make room"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_an_unusable_folder_is_one_sentence_with_its_remedy(number: int, remedy: str) -> None:
    error = OSError(number, os.strerror(number), "/data/topics")
    said = str(explain(Path("/data"), error))
    assert said.startswith("/data cannot be used: ")
    assert remedy in said


def test_a_volume_is_asked_to_write_out_and_a_folder_that_is_not_there_is_no_harm(tmp_path: Path) -> None:
    disk = RealDisk()
    write_whole(disk, tmp_path / "a", b"x", sync=False)
    disk.write_out(tmp_path)
    disk.write_out(tmp_path / "nowhere")
    assert (tmp_path / "a").read_bytes() == b"x"
