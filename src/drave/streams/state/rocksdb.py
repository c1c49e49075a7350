"""State in RocksDB: one database per task, for states that are larger than memory and written all the time.

    \\0format              1
    \\0offset <store>      where its changelog goes on
    <store> \\0 <key>      its value

A commit is one write batch. The log of RocksDB is not synced at each of them: a crash of the process loses nothing, a
power cut the newest commits only. Installed by `pip install drave[rocksdb]`.
"""

from __future__ import annotations

import importlib
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from drave.streams.errors import StateDamaged, StateInUse, StreamsError
from drave.streams.state import Change, TaskId

logger = logging.getLogger("drave.streams")

FORMAT: Final = 1

_SUFFIX: Final = ".rocksdb"
_ASIDE: Final = ".damaged"
_FORMAT_KEY: Final = b"\0format"
_OFFSET: Final = b"\0offset "
_CACHE_BYTES: Final = 64 << 20
_WRITE_BUFFER_BYTES: Final = 16 << 20
_BLOOM_BITS: Final = 10
_LOGS_MAX: Final = 2


class RocksStates:
    """`States` as databases in `folder`. Raises StreamsError when RocksDB is not installed."""

    def __init__(self, folder: Path) -> None:
        try:
            self._rocksdb: Any = importlib.import_module("rocksdict")
        except ImportError:
            raise StreamsError("state in RocksDB wants rocksdict: pip install 'drave[rocksdb]'") from None
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._options = self._bounded()

    def open(self, task: TaskId) -> RocksTaskState:
        path = self._path(task)
        try:
            return RocksTaskState(self._rocksdb, path, self._options)
        except StateDamaged:
            return RocksTaskState(self._rocksdb, path, self._options)  # the damaged one was put aside

    def tasks(self) -> list[TaskId]:
        return sorted(TaskId.parse(path.name.removesuffix(_SUFFIX)) for path in self._folder.glob(f"*{_SUFFIX}"))

    def remove(self, task: TaskId) -> None:
        if (path := self._path(task)).exists():
            shutil.rmtree(path)

    def _path(self, task: TaskId) -> Path:
        return self._folder / f"{task}{_SUFFIX}"

    def _bounded(self) -> Any:
        """All tasks share one cache of blocks; RocksDB's own defaults are for one database in a process."""
        blocks = self._rocksdb.BlockBasedOptions()
        blocks.set_block_cache(self._rocksdb.Cache(_CACHE_BYTES))
        blocks.set_bloom_filter(_BLOOM_BITS, False)
        options = self._rocksdb.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_block_based_table_factory(blocks)
        options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
        options.set_keep_log_file_num(_LOGS_MAX)
        return options


class RocksTaskState:
    """`TaskState` in the database at `path`. Raises StateInUse, and StateDamaged once a damaged one is put aside."""

    def __init__(self, rocksdb: Any, path: Path, options: Any) -> None:
        self._path = path
        self._rocksdb = rocksdb
        try:
            self._database = rocksdb.Rdict(str(path), options)
        except Exception as error:
            raise self._meant(error) from error
        version = int(self._database.get(_FORMAT_KEY) or b"0")
        if version > FORMAT:
            self.close()
            raise StreamsError(
                f"{path} was written by a newer Drave (its format is {version}); upgrade, or delete the folder: "
                "its state is restored from the changelog"
            )
        self._database.put(_FORMAT_KEY, b"%d" % FORMAT)

    def offset(self, store: str) -> int | None:
        found = self._get(_OFFSET + store.encode())
        return None if found is None else int(found)

    def get(self, store: str, key: bytes) -> bytes | None:
        return self._get(_prefix(store) + key)

    def scan(self, store: str, low: bytes, high: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        prefix = _prefix(store)
        skipped = len(prefix)
        end = _after(store) if high is None else prefix + high
        try:
            for key, value in self._database.items(from_key=prefix + low):
                if key >= end:
                    return
                yield key[skipped:], value
        except Exception as error:
            raise self._meant(error) from error

    def commit(self, changes: Mapping[str, Iterable[Change]], offsets: Mapping[str, int]) -> None:
        batch = self._rocksdb.WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for store, changed in changes.items():
            prefix = _prefix(store)
            for key, value in changed:
                if value is None:
                    delete(prefix + key)
                else:
                    put(prefix + key, value)
        for store, offset in offsets.items():
            put(_OFFSET + store.encode(), b"%d" % offset)
        self._write(batch)

    def wipe(self, store: str) -> None:
        batch = self._rocksdb.WriteBatch(raw_mode=True)
        batch.delete_range(_prefix(store), _after(store))
        batch.delete(_OFFSET + store.encode())
        self._write(batch)

    def close(self) -> None:
        self._database.close()

    def _get(self, key: bytes) -> bytes | None:
        try:
            found: bytes | None = self._database.get(key)
        except Exception as error:
            raise self._meant(error) from error
        return found

    def _write(self, batch: Any) -> None:
        try:
            self._database.write(batch)
        except Exception as error:
            raise self._meant(error) from error

    def _meant(self, error: Exception) -> StreamsError:
        """rocksdict raises plain exceptions; RocksDB's own words tell them apart."""
        words = str(error)
        if "LOCK" in words:
            return StateInUse(self._path)
        if "Corruption" in words:
            self._put_aside(words)
            return StateDamaged(self._path)
        return StreamsError(f"the state in {self._path} cannot be read or written: {words}")

    def _put_aside(self, words: str) -> None:
        if hasattr(self, "_database"):
            self._database.close()
        aside = Path(f"{self._path}{_ASIDE}")
        shutil.rmtree(aside, ignore_errors=True)
        self._path.replace(aside)
        logger.warning(
            "%s: the state is damaged (%s) and is now %s; it is restored from the changelog", self._path, words, aside
        )


def _prefix(store: str) -> bytes:
    return store.encode() + b"\0"


def _after(store: str) -> bytes:
    """Behind all of a store's keys, and before any other's."""
    return store.encode() + b"\1"
