"""The catalog in one SQLite file: what a single machine has.

    the loop's thread        check, plan ───────────────┐        ┌──▶ apply, tell listeners
    the catalog's thread                                └▶ commit ┘      (WAL, synchronous=FULL: on the disk)

The file belongs to one broker at a time (SQLite's own exclusive lock, which also spares the shared-memory file), so the
picture in memory is the truth while it is open. Opening blocks; it happens once, before anything is served. A change
that was begun is finished even when whoever asked for it has gone.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from drave.catalog import statements
from drave.catalog.base import CatalogBase, Plan, T
from drave.catalog.statements import Write
from drave.catalog.topic import CatalogUnusable, Topic
from drave.model.clock import Entropy
from drave.model.errors import DraveError
from drave.model.ids import topic_id_from_text, topic_id_text
from drave.model.quotas import entity_of

APPLICATION_ID: Final = 0x44526156
"""'DRaV' in the file's header: this SQLite file is a Drave catalog."""

HARMLESS: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT})
"""Failures after which the file is surely as it was. After any other, what a restart would find is not known."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the file at `path`, of whatever thread. Raises CatalogUnusable."""
    try:
        # Autocommit in the module's words: a transaction begins where we say BEGIN. No patience with a lock: it is
        # another broker's, and that one will keep it.
        return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise CatalogUnusable(str(path), _why(error)) from error


class SqliteCatalog(CatalogBase):
    """A `Catalog` in a file of its own. Raises CatalogUnusable when it cannot be opened."""

    def __init__(
        self,
        path: Path,
        entropy: Entropy,
        *,
        topic_defaults: Mapping[str, str] | None = None,
        connect: Callable[[Path], sqlite3.Connection] = connect,
    ) -> None:
        super().__init__(topic_defaults)
        self._path = path
        self._failure: CatalogUnusable | None = None
        self._turn = asyncio.Lock()
        self._begun: set[asyncio.Task[Any]] = set()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="catalog")
        self._connection = connect(path)
        try:
            self._open(entropy)
        except sqlite3.Error as error:
            self._connection.close()
            raise CatalogUnusable(str(path), _why(error)) from error
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._failure = CatalogUnusable(str(self._path), "is closed.")
        self._thread.shutdown()
        self._connection.close()

    async def _carry_out(self, plan: Callable[[], Plan[T]]) -> T:
        task = asyncio.ensure_future(self._in_turn(plan))
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        return await asyncio.shield(task)

    async def _in_turn(self, plan: Callable[[], Plan[T]]) -> T:
        async with self._turn:
            if self._failure is not None:
                raise self._failure
            ready = plan()
            if ready.writes:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, ready.writes)
            return ready.apply()

    # -- on the catalog's thread

    def _commit(self, writes: tuple[Write, ...]) -> None:
        try:
            with self._connection:  # commits, or rolls back
                self._connection.execute("BEGIN")
                for write in writes:
                    _execute(self._connection, write)
        except sqlite3.Error as error:
            failure = CatalogUnusable(str(self._path), f"could not be written: {error}")
            if error.sqlite_errorcode & 0xFF not in HARMLESS:
                self._failure = failure
            raise failure from error

    # -- opening

    def _open(self, entropy: Entropy) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA synchronous = FULL")
        (tables,) = run("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = run("PRAGMA application_id").fetchone()
        (version,) = run("PRAGMA user_version").fetchone()
        if tables and application != APPLICATION_ID:
            raise CatalogUnusable(
                str(self._path), "is a SQLite file of something else. Give Drave a folder of its own."
            )
        if version > statements.SCHEMA_VERSION:
            raise CatalogUnusable(
                str(self._path), f"was written by a newer Drave (its schema is {version}). Start that one, or upgrade."
            )
        run("PRAGMA journal_mode = WAL")
        if version < statements.SCHEMA_VERSION:
            self._upgrade(version, entropy)
        self._load()

    def _upgrade(self, version: int, entropy: Entropy) -> None:
        """From an older schema to this one; version 0 is an empty file."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for statement in chain.from_iterable(statements.SCHEMAS[version:]):
                self._connection.execute(statement)
            if not version:
                _execute(self._connection, statements.name_cluster(topic_id_text(entropy.topic_id())))
                self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {statements.SCHEMA_VERSION}")

    def _load(self) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")  # takes the lock for good
        cluster = dict(run(statements.LOAD_CLUSTER))
        counters = dict(run(statements.LOAD_COUNTERS))
        try:
            self._cluster_id = cluster["cluster_id"]
            self._version = counters.get("version", 0)
            self._next_producer_id = counters.get("producer_id", 0)
            self._show([self._topic_of(*row) for row in run(statements.LOAD_TOPICS)])
            self._tombstones = frozenset(topic_id_from_text(text) for (text,) in run(statements.LOAD_TOMBSTONES))
            self._broker_configs = {
                broker: MappingProxyType(json.loads(configs)) for broker, configs in run(statements.LOAD_BROKER_CONFIGS)
            }
            self._group_configs = {
                group_id: MappingProxyType(json.loads(configs))
                for group_id, configs in run(statements.LOAD_GROUP_CONFIGS)
            }
            self._client_quotas = {
                entity_of(json.loads(entity).items()): MappingProxyType(json.loads(quotas))
                for entity, quotas in run(statements.LOAD_CLIENT_QUOTAS)
            }
        except (KeyError, TypeError, ValueError, DraveError) as error:
            raise CatalogUnusable(str(self._path), f"holds what this Drave cannot read: {error}") from error
        finally:
            run("ROLLBACK")

    def _topic_of(self, topic_id: str, name: str, partitions: int, configs: str, version: int) -> Topic:
        try:
            return self._topic(name, topic_id_from_text(topic_id), partitions, json.loads(configs), version)
        except DraveError as error:
            raise DraveError(f"topic {name!r}: {error}") from error


def _execute(connection: sqlite3.Connection, write: Write) -> None:
    connection.execute(write.statement, {str(number): value for number, value in enumerate(write.values, 1)})


def _why(error: sqlite3.Error) -> str:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "is in use by another broker. Stop that one, or give this one another folder."
        case sqlite3.SQLITE_NOTADB:
            return "is not a SQLite file. Restore it from a copy, or move it away to start with an empty catalog."
        case sqlite3.SQLITE_CORRUPT:
            return f"is damaged ({error}). Restore it from a copy."
        case sqlite3.SQLITE_CANTOPEN:
            return "cannot be opened. Does its folder exist, and may this user write there?"
        case sqlite3.SQLITE_READONLY:
            return "cannot be written: the file or its folder is read-only."
        case sqlite3.SQLITE_FULL:
            return "cannot be written: the disk is full."
        case _:
            return f"cannot be opened: {error}."
