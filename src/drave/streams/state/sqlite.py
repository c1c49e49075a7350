"""State in SQLite: one file per task, one table per store.

    <task>.sqlite    "offsets"        store → where its changelog goes on
                     "store <name>"   key → value, in the order of the keys' bytes
    …-wal            what was committed since the last checkpoint

A commit writes values and offsets in one transaction. `synchronous = NORMAL`: a crash of the process loses nothing, a
power cut the newest commits and never one from the middle, and the changelog has them. One process at a time (SQLite's
exclusive locking, which also spares the shared-memory file). What is damaged is put aside and restored.

WITHOUT ROWID keeps a store in one tree: random inserts cost more than beside an index, updates, reads and scans less.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Final

from drave.streams.errors import StateDamaged, StateInUse, StreamsError
from drave.streams.state import Change, TaskId

logger = logging.getLogger("drave.streams")

APPLICATION_ID: Final = 0x44526153
"""'DRaS' in the file's header: this SQLite file is a task's state."""

FORMAT: Final = 1
"""The tables and what they mean. A file of a later format is refused, for its values may mean something else too."""

_SUFFIX: Final = ".sqlite"
_ASIDE: Final = ".damaged"
_BESIDE: Final = ("", "-wal", "-shm", "-journal")
"""What SQLite may keep beside a file; it all moves and goes together."""

_TABLE: Final = "store "
_PORTION: Final = 512
"""A scan reads so many rows at a time, so that no statement stays open while a commit comes between."""

_CACHE_KIB: Final = 16_384
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SET_OFFSET: Final = "INSERT INTO offsets VALUES (?, ?) ON CONFLICT (store) DO UPDATE SET next = excluded.next"


class SqliteStates:
    """`States` as files in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def open(self, task: TaskId) -> SqliteTaskState:
        path = self._path(task)
        try:
            return SqliteTaskState(path)
        except StateDamaged:
            return SqliteTaskState(path)  # the damaged one was put aside

    def tasks(self) -> list[TaskId]:
        return sorted(TaskId.parse(path.name.removesuffix(_SUFFIX)) for path in self._folder.glob(f"*{_SUFFIX}"))

    def remove(self, task: TaskId) -> None:
        for beside in _BESIDE:
            Path(f"{self._path(task)}{beside}").unlink(missing_ok=True)

    def _path(self, task: TaskId) -> Path:
        return self._folder / f"{task}{_SUFFIX}"


class SqliteTaskState:
    """`TaskState` in the file at `path`. Raises StateInUse, and StateDamaged once it has put a damaged file aside."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = sqlite3.connect(
            path, timeout=0, isolation_level=None, cached_statements=512, check_same_thread=False
        )  # other threads only look, and `state.shared` sees to it that nothing changes then
        self._run = self._connection.execute
        self._selects: dict[str, str] = {}
        self._offsets: dict[str, int] = {}
        try:
            with self._minded():
                self._open()
        except BaseException:
            self._connection.close()
            raise

    def offset(self, store: str) -> int | None:
        return self._offsets.get(store)

    def get(self, store: str, key: bytes) -> bytes | None:
        select = self._selects.get(store)
        if select is None:
            return None
        try:
            found = self._run(select, (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._meant(error) from error
        return None if found is None else found[0]

    def scan(self, store: str, low: bytes, high: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        below, bound = ("", ()) if high is None else ("AND key < ? ", (high,))
        select = f"SELECT key, value FROM {_table(store)} WHERE key >= ? {below}ORDER BY key LIMIT {_PORTION}"
        while store in self._selects:
            with self._minded():
                portion = self._run(select, (low, *bound)).fetchall()
            yield from portion
            if len(portion) < _PORTION:
                return
            low = portion[-1][0] + b"\0"  # the next key that there can be

    def commit(self, changes: Mapping[str, Iterable[Change]], offsets: Mapping[str, int]) -> None:
        with self._minded(), self._transaction():
            created = [store for store in changes if store not in self._selects]
            for store in created:
                self._run(f"CREATE TABLE {_table(store)} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
            for store, changed in changes.items():
                self._change(_table(store), dict(changed))
            self._connection.executemany(_SET_OFFSET, offsets.items())
        self._selects.update((store, _select(store)) for store in created)
        self._offsets.update(offsets)

    def wipe(self, store: str) -> None:
        with self._minded(), self._transaction():
            self._run(f"DROP TABLE IF EXISTS {_table(store)}")
            self._run("DELETE FROM offsets WHERE store = ?", (store,))
        self._selects.pop(store, None)
        self._offsets.pop(store, None)

    def close(self) -> None:
        with self._minded():
            self._connection.close()

    def _change(self, table: str, changed: Mapping[bytes, bytes | None]) -> None:
        """In the order of the keys, so that neighbours' pages are touched once."""
        kept = sorted((change for change in changed.items() if change[1] is not None), key=itemgetter(0))
        ended = sorted((key,) for key, value in changed.items() if value is None)
        if kept:
            put = f"INSERT INTO {table} VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            self._connection.executemany(put, kept)
        if ended:
            self._connection.executemany(f"DELETE FROM {table} WHERE key = ?", ended)

    def _open(self) -> None:
        run = self._run
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA synchronous = NORMAL")
        run(f"PRAGMA cache_size = -{_CACHE_KIB}")
        (tables,) = run("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = run("PRAGMA application_id").fetchone()
        (version,) = run("PRAGMA user_version").fetchone()
        if tables and application != APPLICATION_ID:
            raise StreamsError(
                f"{self._path} is a SQLite file of something else; give the app a state folder of its own"
            )
        if version > FORMAT:
            raise StreamsError(
                f"{self._path} was written by a newer Drave (its format is {version}); upgrade, or delete the file: "
                "its state is restored from the changelog"
            )
        run("PRAGMA journal_mode = WAL")
        with self._transaction():  # takes the lock for good
            if not tables:
                run("CREATE TABLE offsets (store TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID")
                run(f"PRAGMA application_id = {APPLICATION_ID}")
                run(f"PRAGMA user_version = {FORMAT}")
            self._offsets = dict(run("SELECT store, next FROM offsets"))
            names = [name for (name,) in run("SELECT name FROM sqlite_master WHERE type = 'table'")]
            stores = [name.removeprefix(_TABLE) for name in names if name.startswith(_TABLE)]
            self._selects = {store: _select(store) for store in stores}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._run("ROLLBACK")
            raise

    @contextmanager
    def _minded(self) -> Iterator[None]:
        """What SQLite raises comes out in our words."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._meant(error) from error

    def _meant(self, error: sqlite3.Error) -> StreamsError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            return StateInUse(self._path)
        if code in _DAMAGED:
            self._put_aside(error)
            return StateDamaged(self._path)
        return StreamsError(f"the state file {self._path} cannot be read or written: {error}")

    def _put_aside(self, error: sqlite3.Error) -> None:
        self._connection.close()
        aside = f"{self._path}{_ASIDE}"
        for beside in _BESIDE:
            Path(f"{aside}{beside}").unlink(missing_ok=True)
            if (file := Path(f"{self._path}{beside}")).exists():
                file.replace(f"{aside}{beside}")
        logger.warning(
            "%s: the state file is damaged (%s) and is now %s; the state is restored from the changelog",
            self._path,
            error,
            aside,
        )


def _table(store: str) -> str:
    quoted = f"{_TABLE}{store}".replace('"', '""')
    return f'"{quoted}"'


def _select(store: str) -> str:
    return f"SELECT value FROM {_table(store)} WHERE key = ?"
