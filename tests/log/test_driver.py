"""The flusher with threads, on a real disk and a real loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from drave import records
from drave.log import Logs, PartitionLog, StorageError
from drave.log.driver import EMPTY_TURNS_MAX, Driver
from drave.log.flusher import FILL_SLICE_BYTES
from drave.log.pace import BYTES_MAX
from drave.model.log_config import LogConfig
from drave.model.storage_settings import StorageSettings
from drave.model.system import SystemClock
from drave.store.disk import Buffer, File, RealDisk, SyncFailed
from tests.log.still import RIDES, batch
from tests.log.world import Topic


class Gate:
    """Stands in front of every write to the journal: it counts them, and holds or fails them on demand."""

    def __init__(self) -> None:
        self.syncs = 0
        self.threads: set[str] = set()
        self.open = threading.Event()
        self.open.set()
        self.error: OSError | None = None

    def wait(self) -> None:
        self.open.wait(100)
        self.syncs += 1
        self.threads.add(threading.current_thread().name)
        if self.error is not None:
            raise SyncFailed("journal", self.error)


class GatedFile:
    def __init__(self, file: File, gate: Gate) -> None:
        self._file = file
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write_durably(self, data: Buffer, at: int) -> None:
        self._gate.wait()
        self._file.write_durably(data, at)


class GatedDisk(RealDisk):
    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    def open(self, path: Path, *, create: bool = False) -> Any:
        file = super().open(path, create=create)
        return GatedFile(file, self._gate) if path.suffix == ".journal" else file


class Broker:
    """Running logs with one partition."""

    def __init__(self, folder: Path, gate: Gate, **settings: Any) -> None:
        self.gate = gate
        self.failures: list[BaseException] = []
        self.logs = Logs.open(
            folder,
            disk=GatedDisk(gate),
            clock=SystemClock(),
            settings=StorageSettings(**{"journal_fill_bytes": 0, **settings}),
            topics=[Topic("rides", RIDES, 1, LogConfig())],
        )
        self.logs.start(asyncio.get_running_loop(), self.failures.append)

    @property
    def log(self) -> PartitionLog:
        log = self.logs.partition(RIDES, 0)
        assert log is not None
        return log

    @property
    def driver(self) -> Driver:
        driver = self.logs._driver
        assert driver is not None, "they have been started"
        return driver

    def append(self, value: bytes = b"v") -> asyncio.Future[None]:
        """Append one batch; the future is done when it is durable."""
        data = batch(value)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        appended = self.log.append(data, records.parse_header(data), now_ms=0)
        self.log.when_durable(appended.end, lambda: done.set_result(None))
        return done


Run = Callable[..., Broker]


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    running: list[Broker] = []

    def start(**settings: Any) -> Broker:
        running.append(Broker(tmp_path, Gate(), **settings))
        return running[-1]

    yield start
    for broker in running:
        broker.gate.open.set()
        await broker.logs.close()


async def test_what_arrives_while_a_commit_is_in_flight_is_durable_with_one_more(run: Run) -> None:
    """Group commit."""
    broker = run(inline_sync_us_max=0)
    broker.gate.open.clear()
    first = broker.append()
    while not broker.logs.flusher._commit:
        await asyncio.sleep(0)
    others = [broker.append() for _ in range(100)]
    broker.gate.open.set()
    await asyncio.gather(first, *others)
    assert broker.gate.syncs == 2


async def test_writes_of_one_turn_of_the_loop_share_a_commit(run: Run) -> None:
    broker = run()
    await asyncio.gather(*[broker.append() for _ in range(50)])
    assert broker.gate.syncs == 1


@pytest.mark.parametrize("together", [1, 50])
async def test_small_commits_need_no_other_thread_while_the_disk_is_quick(run: Run, together: int) -> None:
    broker = run(inline_sync_us_max=10_000_000)
    for _ in range(5):
        await asyncio.gather(*[broker.append() for _ in range(together)])
    assert broker.gate.threads == {threading.current_thread().name}


async def test_a_large_commit_leaves_the_loop_to_others(run: Run) -> None:
    broker = run(inline_sync_us_max=10_000_000, direct_bytes_per_file=1 << 30)
    await asyncio.gather(*[broker.append(bytes(BYTES_MAX // 4)) for _ in range(5)])
    assert broker.gate.threads == {"drave-commit"}


async def test_on_the_loop_a_commit_waits_as_long_as_each_turn_brings_more_writes(run: Run) -> None:
    """Those who were answered by the last one write again in the turns that follow, and share a sync."""
    broker = run(inline_sync_us_max=10_000_000)
    await asyncio.gather(broker.append(), broker.append())
    broker.driver._pace.sync_s = 1.0  # so the clock cannot end the patience
    waiting = []
    for _ in range(20):
        waiting.append(broker.append())
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert broker.gate.syncs == 2


async def test_whoever_writes_while_the_last_replies_leave_waits_for_those_who_get_them(run: Run) -> None:
    broker = run(inline_sync_us_max=10_000_000)
    waiting = [broker.append() for _ in range(5)]
    while not waiting[0].done():
        await asyncio.sleep(0)
    broker.driver._pace.sync_s = 1.0
    for _ in range(5):
        waiting.append(broker.append())
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert broker.gate.syncs == 2


async def test_a_straggler_waits_a_little_for_those_who_shared_the_last_commit(run: Run) -> None:
    broker = run(inline_sync_us_max=10_000_000)
    await asyncio.gather(*[broker.append() for _ in range(5)])
    straggler = broker.append()
    for _ in range(EMPTY_TURNS_MAX - 1):
        await asyncio.sleep(0)
    assert not straggler.done()
    await asyncio.gather(straggler, *[broker.append() for _ in range(4)])
    assert broker.gate.syncs == 2


async def test_it_does_not_wait_for_ever(run: Run) -> None:
    broker = run(inline_sync_us_max=10_000_000)
    await asyncio.gather(*[broker.append() for _ in range(5)])
    straggler = broker.append()
    for _ in range(EMPTY_TURNS_MAX + 3):
        await asyncio.sleep(0)
    assert straggler.done()


async def test_who_is_alone_as_the_time_before_is_committed_in_the_next_turn(run: Run) -> None:
    broker = run(inline_sync_us_max=10_000_000)
    turns = []
    for _ in range(3):
        waiting = broker.append()
        turns.append(0)
        while not waiting.done():
            turns[-1] += 1
            await asyncio.sleep(0)
    assert turns == [2, 1, 1]


async def test_for_a_slow_disk_nobody_waits_for_more_writes(run: Run) -> None:
    """While it syncs, they gather by themselves."""
    broker = run(inline_sync_us_max=0)
    broker.gate.open.clear()
    waiting = []
    turns = 0
    while not broker.logs.flusher._commit:
        waiting.append(broker.append())
        turns += 1
        await asyncio.sleep(0)
    broker.gate.open.set()
    await asyncio.gather(*waiting)
    assert turns <= 3


async def test_patience_has_an_end(run: Run) -> None:
    """However many writes each turn brings."""
    broker = run(inline_sync_us_max=10_000_000)
    broker.driver._pace.sync_s = 1e-9
    first = broker.append()
    waiting = []
    while not first.done():
        waiting.append(broker.append())
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)


async def test_a_slow_disk_never_keeps_the_loop_waiting(run: Run) -> None:
    broker = run(inline_sync_us_max=0)
    for _ in range(5):
        await broker.append()
    assert broker.gate.threads == {"drave-commit"}


async def test_a_failed_sync_is_told_once_and_whoever_waits_hears_nothing(run: Run) -> None:
    broker = run()
    await broker.append()
    broker.gate.error = OSError(5, "Input/output error")
    waiting = [broker.append() for _ in range(3)]
    while not broker.failures:
        await asyncio.sleep(0)
    with pytest.raises(StorageError, match="the broker stops"):
        broker.append()
    await broker.logs.close()
    assert [type(error) for error in broker.failures] == [SyncFailed]
    assert not any(future.done() for future in waiting)
    assert "Check the disk" in str(broker.failures[0])


async def test_closing_makes_durable_what_was_appended_and_leaves_nothing_to_recover(run: Run) -> None:
    broker = run()
    waiting = [broker.append() for _ in range(20)]
    await broker.logs.close()
    assert all(future.done() for future in waiting)
    again = run()
    assert again.logs.report.clean
    assert again.log.end == 20


async def test_closing_twice_is_closing_once(run: Run) -> None:
    broker = run()
    await broker.append()
    await broker.logs.close()
    await broker.logs.close()


async def test_the_journal_is_filled_ahead_of_use_while_nothing_else_is_to_do(run: Run, tmp_path: Path) -> None:
    broker = run(journal_fill_bytes=1 << 20)
    await broker.append()
    await broker.driver.settle()
    (journal,) = tmp_path.glob("nodes/1/journal/*.journal")
    assert journal.stat().st_size >= 1 << 20


async def test_writers_who_never_rest_do_not_run_ahead_of_the_filling(run: Run, tmp_path: Path) -> None:
    broker = run(journal_fill_bytes=1 << 20)
    for _ in range(3):
        waiting = broker.append()
        while not waiting.done():
            broker.append()
            await asyncio.sleep(0)
    (journal,) = tmp_path.glob("nodes/1/journal/*.journal")
    assert journal.stat().st_size >= FILL_SLICE_BYTES


async def test_checkpoints_and_commits_go_on_side_by_side(run: Run, tmp_path: Path) -> None:
    broker = run(journal_bytes_max=32 * 1024, direct_bytes_per_file=1 << 30)
    for _ in range(40):
        await asyncio.gather(*[broker.append() for _ in range(20)])
    assert len(list(tmp_path.glob("nodes/1/journal/*.journal"))) == 2
    await broker.logs.close()
    again = run()
    assert again.logs.report.clean, "chores that rest are woken by a stop"
    assert again.log.end == 800
