"""What the broker may find around it: no room, somebody else's folder or port, and what a crash has left.

Where it cannot start, it says why and what to do in one sentence; where it can, nothing that was acknowledged is gone.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drave.model.errors import ErrorCode
from drave.testing import Broker, BrokerDied
from tests.net.raw import Connection, good_batch

RECORDS = 50


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a broker was killed after it had acknowledged some records."""
    folder = tmp_path_factory.mktemp("killed")
    with Broker(folder, process=True, durability="fsync") as running:
        with Connection(running.port) as client:
            assert client.create("rides") == ErrorCode.NONE
            for number in range(RECORDS):
                assert client.produce("rides", good_batch(b"%d" % number)) == (ErrorCode.NONE, number)
        running.kill()
    return folder


@pytest.fixture
def data(killed: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return shutil.copytree(killed, tmp_path / "data")


def _has_everything(folder: Path) -> None:
    """A broker on this folder has the records, and takes more."""
    with Broker(folder, durability="fsync") as running, Connection(running.port) as client:
        assert client.end("rides") == (ErrorCode.NONE, RECORDS)
        code, batches = client.fetch("rides")
        assert code == ErrorCode.NONE
        assert len(batches) == sum(len(good_batch(b"%d" % number)) for number in range(RECORDS))
        assert client.produce("rides", good_batch(b"more")) == (ErrorCode.NONE, RECORDS)


def _refusal(**given: object) -> str:
    """What a broker says that cannot start: one sentence or two, and no traceback."""
    with pytest.raises(BrokerDied) as refusal:
        Broker(**given).start()  # type: ignore[arg-type]  # what each test gives
    said = str(refusal.value)
    assert "Traceback" not in said
    assert "\n" not in said.strip(), said
    return said


@pytest.mark.parametrize("process", [False, True], ids=["thread", "process"])
def test_a_busy_port_is_named(tmp_path: Path, process: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        said = _refusal(data=tmp_path, port=port, process=process)
    assert str(port) in said


def test_serve_says_it_in_one_sentence_and_ends_with_an_exit_code(tmp_path: Path) -> None:
    """What a person sees: no traceback, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        command = [sys.executable, "-m", "drave.cli", "serve", "--data", str(tmp_path), "--listen", f"127.0.0.1:{port}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode not in (0, -signal.SIGKILL)
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_folder_in_use_is_named_with_who_uses_it(tmp_path: Path) -> None:
    """One broker, one folder: the second says which process has it; the first goes on."""
    with Broker(tmp_path, process=True) as first:
        said = _refusal(data=tmp_path)
        assert str(tmp_path) in said
        assert str(first.pid) in said
        with Connection(first.port) as client:
            assert client.create("still-here") == ErrorCode.NONE


def test_a_folder_is_free_again_after_kill_nine(data: Path) -> None:
    """The lock is the process's, not a file that somebody has to remove."""
    _has_everything(data)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        folder = Path("/proc/sys/drave-data")  # root may write anywhere but here
        if not folder.parent.is_dir():
            pytest.skip("root is stopped by no folder on this system")
    else:
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o555)
    assert str(folder) in _refusal(data=folder)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    there = tmp_path / "data"
    there.write_text("not a folder")
    assert str(there) in _refusal(data=there)
    assert there.read_text() == "not a folder"


def test_a_catalog_that_is_no_catalog_is_refused_and_kept(data: Path) -> None:
    """It might be mended: a broker that began anew would leave all partitions without their names."""
    catalog = data / "catalog.sqlite"
    for leftover in data.glob("catalog.sqlite-*"):
        leftover.unlink()
    catalog.write_bytes(b"this is not a database " * 100)
    assert "catalog.sqlite" in _refusal(data=data)
    assert catalog.read_bytes().startswith(b"this is not a database")


def _torn_tail(data: Path) -> None:
    with (data / "topics" / "rides-0" / "00000000000000000000.log").open("ab") as log:
        log.write(good_batch(b"never acknowledged")[:40])


def _zeros_at_the_end(data: Path) -> None:
    with (data / "topics" / "rides-0" / "00000000000000000000.log").open("ab") as log:
        log.write(bytes(5000))


def _no_indexes(data: Path) -> None:
    for index in (data / "topics" / "rides-0").glob("*index"):
        index.unlink()


def _garbage_in_indexes(data: Path) -> None:
    for index in (data / "topics" / "rides-0").glob("*index"):
        index.write_bytes(b"\xff" * 36)


def _no_snapshots(data: Path) -> None:
    for snapshot in (data / "topics" / "rides-0").glob("*.snapshot"):
        snapshot.unlink()


def _half_a_snapshot(data: Path) -> None:
    (data / "topics" / "rides-0" / f"{RECORDS:020}.snapshot").write_bytes(b"\0\1\2")


def _leftovers_of_a_rewrite(data: Path) -> None:
    folder = data / "topics" / "rides-0"
    (folder / "00000000000000000000.log.cleaned").write_bytes(b"half a segment")
    (folder / "00000000000000000000.log.deleted").write_bytes(b"on its way out")
    (data / "recovery-points.tmp").write_bytes(b"half")


def _no_leader_epochs(data: Path) -> None:
    (data / "topics" / "rides-0" / "leader-epoch-checkpoint").unlink(missing_ok=True)


def _a_folder_nobody_knows(data: Path) -> None:
    (data / "topics" / "stranger-0").mkdir()
    (data / "topics" / "stranger-0" / "00000000000000000000.log").write_bytes(good_batch(b"somebody's"))


def _lost_page_cache(data: Path) -> None:
    """A power cut: the segment was in the page cache only, the journal was on the disk."""
    (data / "topics" / "rides-0" / "00000000000000000000.log").write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [
        _torn_tail,
        _zeros_at_the_end,
        _no_indexes,
        _garbage_in_indexes,
        _no_snapshots,
        _half_a_snapshot,
        _leftovers_of_a_rewrite,
        _no_leader_epochs,
        _a_folder_nobody_knows,
        _lost_page_cache,
    ],
    ids=lambda damage: damage.__name__.strip("_").replace("_", " "),
)
def test_what_a_crash_may_leave_is_put_right_and_nothing_acknowledged_is_lost(
    data: Path, damage: Callable[[Path], None]
) -> None:
    damage(data)
    _has_everything(data)
    _has_everything_and_one_more(data)


def _has_everything_and_one_more(folder: Path) -> None:
    """The same again: what was put right stays right."""
    with Broker(folder, durability="fsync") as running, Connection(running.port) as client:
        assert client.end("rides") == (ErrorCode.NONE, RECORDS + 1)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Broker]:
    if not hasattr(resource, "prlimit"):
        pytest.skip("a process's limits can be set from outside on Linux only")
    with Broker(tmp_path, process=True, durability="os") as running:
        yield running


def test_a_full_disk_refuses_writes_and_nothing_else(limited: Broker) -> None:
    """KAFKA_STORAGE_ERROR, which producers retry; what is there stays readable, and room that comes back is used."""
    batch = good_batch(bytes(10_000))
    with Connection(limited.port) as client:
        assert client.create("rides") == ErrorCode.NONE
        assert client.produce("rides", batch) == (ErrorCode.NONE, 0)
        resource.prlimit(limited.pid, resource.RLIMIT_FSIZE, (15_000, resource.RLIM_INFINITY))
        for _ in range(3):
            assert client.produce("rides", batch) == (ErrorCode.KAFKA_STORAGE_ERROR, -1)
        assert client.end("rides") == (ErrorCode.NONE, 1)
        assert len(client.fetch("rides")[1]) == len(batch)
        resource.prlimit(limited.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert client.produce("rides", batch) == (ErrorCode.NONE, 1)
    limited.restart()
    with Connection(limited.port) as client:
        assert client.end("rides") == (ErrorCode.NONE, 2)


def test_a_journal_that_cannot_be_written_ends_the_broker_with_a_sentence(tmp_path: Path) -> None:
    """A failed sync is never retried. What was acknowledged before is there after the next start."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("a process's limits can be set from outside on Linux only")
    own = {"data_folder": str(tmp_path), "listen": [["127.0.0.1", 0]]}
    given = json.dumps({"sets": {}, "given": own})
    command = [sys.executable, "-m", "drave.testing.process", given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        with Connection(json.loads(running.stdout.readline())["port"]) as client:
            assert client.create("rides") == ErrorCode.NONE
            resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (3_000, resource.RLIM_INFINITY))
            acknowledged = _write_until_closed(client)
        try:
            _, said = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 1
    assert "journal" in said.splitlines()[-1]
    with Broker(tmp_path, durability="fsync") as again, Connection(again.port) as client:
        code, end = client.end("rides")
        assert code == ErrorCode.NONE
        assert end >= acknowledged


def _write_until_closed(client: Connection) -> int:
    """How many records were acknowledged until the broker closed the connection."""
    for acknowledged in range(10):  # a journal's entry is larger than its batch in the segment: its bound is hit first
        try:
            assert client.produce("rides", good_batch(bytes(500))) == (ErrorCode.NONE, acknowledged)
        except EOFError:
            return acknowledged
    raise AssertionError("the bound was not hit")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_serve_ends_cleanly_when_it_is_asked_to(tmp_path: Path, how: signal.Signals) -> None:
    """Exit code 0, and no traceback."""
    command = [sys.executable, "-m", "drave.cli", "serve", "--data", str(tmp_path), "--listen", "127.0.0.1:0", "--json"]
    serving = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert serving.stdout is not None
    try:
        _, _, port = json.loads(serving.stdout.readline())["bootstrap"].rpartition(":")
        with Connection(int(port)) as client:
            assert client.create("rides") == ErrorCode.NONE
    finally:
        serving.send_signal(how)
        rest, _ = serving.communicate(timeout=60)
    assert serving.returncode == 0, rest
    assert "Traceback" not in rest
