"""Every backend is a map of bytes that remembers committed prefixes: one machine of random steps holds all to it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from drave.streams.errors import StateInUse, StreamsError
from drave.streams.state import Change, States, TaskId, TaskState
from drave.streams.state.memory import MemoryStates
from drave.streams.state.rocksdb import RocksStates
from drave.streams.state.sqlite import SqliteStates

TASK = TaskId("rides", 3)
STORES = ("counts", 'a "quoted" store', "counts2")

ROCKSDB = pytest.param(RocksStates, id="rocksdb", marks=pytest.mark.rocksdb)
ON_DISK = [pytest.param(SqliteStates, id="sqlite"), ROCKSDB]

stores = st.sampled_from(STORES)
keys = st.binary(max_size=3) | st.sampled_from([b"a", b"a\0", b"b", b"\xff\xff"])
values = st.binary(max_size=4)
changes = st.dictionaries(stores, st.lists(st.tuples(keys, st.none() | values), max_size=12), max_size=2)
offsets = st.dictionaries(stores, st.integers(0, 1 << 62), max_size=2)

Model = dict[str, dict[bytes, bytes]]


def changed(model: Model, by: dict[str, list[Change]]) -> Model:
    after = {store: dict(kept) for store, kept in model.items()}
    for store, steps in by.items():
        for key, value in steps:
            if value is None:
                after.setdefault(store, {}).pop(key, None)
            else:
                after.setdefault(store, {})[key] = value
    return after


def contents(state: TaskState) -> tuple[Model, dict[str, int]]:
    kept = {store: dict(state.scan(store, b"", None)) for store in STORES}
    found = {store: offset for store in STORES if (offset := state.offset(store)) is not None}
    return {store: rows for store, rows in kept.items() if rows}, found


class Machine(RuleBasedStateMachine):
    """Commits, reads, wipes, restarts and crashes, against plain dicts."""

    make: Callable[[Path], States]
    can_be_copied = True
    """Whether a copy of the folder is what a crash leaves behind. RocksDB deletes files behind our back meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="states-"))
        self.model: Model = {}
        self.offsets: dict[str, int] = {}
        self.lives = 0

    @initialize()
    def opened(self) -> None:
        self.states = type(self).make(self.folder / "0")
        self.state = self.states.open(TASK)

    @rule(by=changes, at=offsets)
    def commits(self, by: dict[str, list[Change]], at: dict[str, int]) -> None:
        self.state.commit(by, at)
        self.model = changed(self.model, by)
        self.offsets |= at

    @rule(store=stores)
    def wipes(self, store: str) -> None:
        self.state.wipe(store)
        self.model.pop(store, None)
        self.offsets.pop(store, None)

    @rule(store=stores, key=keys)
    def gets(self, store: str, key: bytes) -> None:
        assert self.state.get(store, key) == self.model.get(store, {}).get(key)

    @rule(store=stores, low=keys, high=st.none() | keys)
    def scans(self, store: str, low: bytes, high: bytes | None) -> None:
        kept = self.model.get(store, {})
        expected = sorted((key, value) for key, value in kept.items() if key >= low and (high is None or key < high))
        assert list(self.state.scan(store, low, high)) == expected

    @rule(store=stores, by=changes)
    def commits_while_it_scans(self, store: str, by: dict[str, list[Change]]) -> None:
        """What the commit does not touch is seen once and in order."""
        before = self.model.get(store, {})
        scan = self.state.scan(store, b"", None)
        seen = [next(scan, None)]
        self.commits(by, {})
        seen += list(scan)
        found = [row for row in seen if row is not None]
        touched = {key for key, _ in by.get(store, [])}
        assert [key for key, _ in found] == sorted({key for key, _ in found})
        assert {row for row in found if row[0] not in touched} == {
            row for row in before.items() if row[0] not in touched
        }

    @rule()
    def restarts(self) -> None:
        self.state.close()
        self.state = self.states.open(TASK)

    @rule()
    def crashes(self) -> None:
        """What lies on the disk while the file is open is what the next process finds."""
        if not self.can_be_copied:
            return
        self.lives += 1
        shutil.copytree(self.folder / str(self.lives - 1), self.folder / str(self.lives))
        self.state.close()
        self.states = type(self).make(self.folder / str(self.lives))
        self.state = self.states.open(TASK)

    @rule()
    def is_removed(self) -> None:
        self.state.close()
        assert self.states.tasks() == [TASK]
        self.states.remove(TASK)
        assert self.states.tasks() == []
        self.state = self.states.open(TASK)
        self.model, self.offsets = {}, {}

    @invariant()
    def offsets_are_kept(self) -> None:
        assert {store: self.state.offset(store) for store in STORES} == {
            store: self.offsets.get(store) for store in STORES
        }

    def teardown(self) -> None:
        assert contents(self.state) == ({store: rows for store, rows in self.model.items() if rows}, self.offsets)
        self.state.close()
        shutil.rmtree(self.folder)


class MemoryMachine(Machine):
    can_be_copied = False

    @staticmethod
    def make(folder: Path) -> States:
        return MemoryStates()


class SqliteMachine(Machine):
    make = SqliteStates


class RocksMachine(Machine):
    can_be_copied = False
    make = RocksStates


@pytest.mark.parametrize(
    ("machine", "examples"),
    [
        pytest.param(MemoryMachine, 50, id="memory"),
        pytest.param(SqliteMachine, 30, id="sqlite"),
        pytest.param(RocksMachine, 10, id="rocksdb", marks=pytest.mark.rocksdb),
    ],
)
def test_a_state_is_a_map_that_survives_restarts_and_crashes(machine: type[Machine], examples: int) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=20))


ENDLESS = """
import sys
from pathlib import Path
from drave.streams.state import TaskId
from {module} import {name}

state = {name}(Path(sys.argv[1])).open(TaskId("rides", 3))
for number in range(1, 1_000_000):
    state.commit({{"counts": [(b"a", b"%d" % number), (b"b", b"%d" % number)]}}, {{"counts": number}})
    print(number, flush=True)
"""


@pytest.mark.parametrize("make", ON_DISK)
def test_a_killed_process_loses_no_commit(make: type[States], tmp_path: Path) -> None:
    script = ENDLESS.format(module=make.__module__, name=make.__name__)
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if line.strip() == "50":
                break
        writer.kill()
        told = [50, *map(int, writer.stdout.read().splitlines()[:-1])]
    state = make(tmp_path).open(TASK)
    offset = state.offset("counts")
    assert offset is not None
    assert offset >= told[-1]
    assert list(state.scan("counts", b"", None)) == [(b"a", b"%d" % offset), (b"b", b"%d" % offset)]
    state.close()


@settings(max_examples=40)
@given(st.lists(st.tuples(changes, offsets), min_size=1, max_size=6), st.floats(0, 1))
def test_a_power_cut_takes_the_newest_commits_of_a_sqlite_file_and_never_one_from_the_middle(
    steps: list[tuple[dict[str, list[Change]], dict[str, int]]], kept: float
) -> None:
    """SQLite's WAL is a log: wherever it is torn, a prefix of the transactions is left."""
    with tempfile.TemporaryDirectory() as folder:
        state = SqliteStates(Path(folder, "before")).open(TASK)
        model: Model = {}
        at: dict[str, int] = {}
        history = [contents(state)]
        for by, offset in steps:
            state.commit(by, offset)
            model, at = changed(model, by), at | offset
            history.append(({store: rows for store, rows in model.items() if rows}, at))
        shutil.copytree(Path(folder, "before"), Path(folder, "after"))
        state.close()
        log = Path(folder, "after", f"{TASK}.sqlite-wal")
        with log.open("r+b") as torn:
            torn.truncate(int(log.stat().st_size * kept))
        again = SqliteStates(Path(folder, "after")).open(TASK)
        assert contents(again) in history
        again.close()


@pytest.mark.parametrize("make", ON_DISK)
def test_a_state_that_is_open_is_in_use(make: Callable[[Path], States], tmp_path: Path) -> None:
    state = make(tmp_path).open(TASK)
    with pytest.raises(StateInUse, match=r"rides-3.* in use by another process; stop that one, or give"):
        make(tmp_path).open(TASK)
    state.close()
    make(tmp_path).open(TASK).close()


@pytest.mark.parametrize(
    ("make", "file"),
    [
        pytest.param(SqliteStates, "rides-3.sqlite", id="sqlite"),
        pytest.param(RocksStates, "rides-3.rocksdb/CURRENT", id="rocksdb", marks=pytest.mark.rocksdb),
    ],
)
def test_a_damaged_state_is_put_aside_and_begins_anew(
    make: Callable[[Path], States], file: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = make(tmp_path).open(TASK)
    state.commit({"counts": [(b"soho", b"3")]}, {"counts": 7})
    state.close()
    (tmp_path / file).write_bytes(b"no longer what it was\n" * 100)
    again = make(tmp_path).open(TASK)
    assert again.offset("counts") is None
    assert again.get("counts", b"soho") is None
    again.close()
    assert (tmp_path / f"{file.partition('/')[0]}.damaged").exists()
    assert "is restored from the changelog" in caplog.text
    assert make(tmp_path).tasks() == [TASK]


def test_damage_that_is_found_while_running_is_told_and_the_next_open_begins_anew(tmp_path: Path) -> None:
    states = SqliteStates(tmp_path)
    state = states.open(TASK)
    state.commit({"counts": [(b"%06d" % n, b"x" * 100) for n in range(2_000)]}, {"counts": 2_000})
    state.close()
    file = tmp_path / f"{TASK}.sqlite"
    whole = file.read_bytes()
    file.write_bytes(whole[: 3 * 4096] + b"\xa5" * (len(whole) - 3 * 4096))
    state = states.open(TASK)
    with pytest.raises(StreamsError, match="is damaged and was put aside; start again"):
        list(state.scan("counts", b"", None))
    again = states.open(TASK)
    assert again.offset("counts") is None
    again.close()


def test_a_file_of_a_later_format_is_refused_and_kept(tmp_path: Path) -> None:
    SqliteStates(tmp_path).open(TASK).close()
    connection = sqlite3.connect(tmp_path / f"{TASK}.sqlite")
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(StreamsError, match=r"written by a newer Drave \(its format is 9\); upgrade, or delete"):
        SqliteStates(tmp_path).open(TASK)
    assert SqliteStates(tmp_path).tasks() == [TASK]


def test_a_file_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / f"{TASK}.sqlite")
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(StreamsError, match="is a SQLite file of something else"):
        SqliteStates(tmp_path).open(TASK)


def test_a_scan_is_read_in_portions_and_whole(tmp_path: Path) -> None:
    rows = [(b"%06d" % number, b"x") for number in range(2_000)]
    for states in (MemoryStates(), SqliteStates(tmp_path)):
        state = states.open(TASK)
        state.commit({"counts": rows}, {})
        assert list(state.scan("counts", b"", None)) == rows
        assert list(state.scan("counts", b"000512", b"001024")) == rows[512:1024]
        state.close()


def test_without_rocksdict_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "rocksdict", None)
    with pytest.raises(StreamsError, match=r"pip install 'drave\[rocksdb\]'"):
        RocksStates(tmp_path)
