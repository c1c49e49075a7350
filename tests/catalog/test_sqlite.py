"""The catalog's file: durable, one broker's at a time, and clear about what is wrong with it."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sqlite3
import subprocess
import sys

import pytest

from drave.catalog import CatalogUnusable, statements
from drave.catalog.sqlite import APPLICATION_ID, SqliteCatalog

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA locking_mode = EXCLUSIVE")
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalog.sqlite"


@pytest.fixture
def opened(path, entropy):
    catalog = SqliteCatalog(path, entropy)
    yield catalog
    catalog.close()


async def test_an_answered_change_is_in_the_file_at_that_moment(opened, path, entropy, tmp_path):
    """A copy of the files, taken without closing anything, is what a crash would leave."""
    await opened.create_topic("rides", entropy.topic_id(), 3, {})
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for file in path.parent.glob("catalog.sqlite*"):
        shutil.copy(file, crashed)
    survivor = SqliteCatalog(crashed / "catalog.sqlite", entropy)
    assert survivor.topics() == opened.topics()
    survivor.close()


async def test_a_change_is_finished_even_when_whoever_asked_has_gone(opened, entropy):
    asking = asyncio.ensure_future(opened.create_topic("rides", entropy.topic_id(), 3, {}))
    await asyncio.sleep(0)
    asking.cancel()
    await opened.next_producer_ids()  # in its turn, so after the creation
    assert "rides" in opened.topics()


async def test_it_syncs_every_commit_and_keeps_a_write_ahead_log(opened):
    assert opened._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert opened._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_in_use_is_refused_at_once(opened, path, entropy):
    with pytest.raises(CatalogUnusable, match="in use by another broker"):
        SqliteCatalog(path, entropy)


def test_a_file_in_use_by_another_process_is_refused_at_once(path, entropy):
    SqliteCatalog(path, entropy).close()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CatalogUnusable, match="in use by another broker"):
            SqliteCatalog(path, entropy)
        holder.stdin.close()
        holder.wait()
    SqliteCatalog(path, entropy).close()


def test_a_file_that_is_not_sqlite_is_refused_and_left_as_it_is(path, entropy):
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(CatalogUnusable, match="not a SQLite file"):
        SqliteCatalog(path, entropy)
    assert path.read_bytes() == b"something else entirely" * 100


def test_a_foreign_database_is_refused_and_left_as_it_is(path, entropy):
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE topics (name TEXT)")
    foreign.commit()
    foreign.close()
    before = path.read_bytes()
    with pytest.raises(CatalogUnusable, match="something else"):
        SqliteCatalog(path, entropy)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def _tamper(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_catalog_of_a_newer_version_is_refused(path, entropy):
    SqliteCatalog(path, entropy).close()
    _tamper(path, "PRAGMA user_version = 99")
    with pytest.raises(CatalogUnusable, match="newer Drave"):
        SqliteCatalog(path, entropy)


@pytest.mark.parametrize("version", range(1, statements.SCHEMA_VERSION))
async def test_a_catalog_of_an_older_version_is_taken_over(path, entropy, version):
    _tamper(
        path,
        *itertools.chain.from_iterable(statements.SCHEMAS[:version]),
        "INSERT INTO cluster VALUES ('cluster_id', 'older')",
        "INSERT INTO topics VALUES ('AAAAAAAAAAAAAAAAAAAAAQ', 'rides', 3, '{}', 1)",
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {version}",
    )
    for _ in range(2):
        catalog = SqliteCatalog(path, entropy)
        assert (catalog.cluster_id, list(catalog.topics())) == ("older", ["rides"])
        await catalog.alter_client_quotas({(("user", "ann"),): {"producer_byte_rate": 1.0}})
        catalog.close()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("INSERT INTO client_quotas VALUES ('{\"colour\":\"red\"}', '{}')", "colour"),
        ("DELETE FROM cluster", "cluster_id"),
        ("INSERT INTO topics VALUES ('AAAAAAAAAAAAAAAAAAAAAQ', 'rides', 1, 'nonsense', 1)", "cannot read"),
        ("INSERT INTO topics VALUES ('AAAAAAAAAAAAAAAAAAAAAQ', 'rides', 1, '{\"a\":\"b\"}', 1)", "topic 'rides'"),
        ("INSERT INTO topics VALUES ('short', 'rides', 1, '{}', 1)", "not a topic id"),
        ("DROP TABLE topics", "topics"),
    ],
)
def test_content_that_cannot_be_read_is_named(path, entropy, statement, named):
    SqliteCatalog(path, entropy).close()
    _tamper(path, statement)
    with pytest.raises(CatalogUnusable, match=named):
        SqliteCatalog(path, entropy)


def test_a_damaged_page_is_named(path, entropy):
    SqliteCatalog(path, entropy).close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(CatalogUnusable, match="damaged"):
        SqliteCatalog(path, entropy)


def test_a_folder_that_does_not_exist_is_named(tmp_path, entropy):
    with pytest.raises(CatalogUnusable, match="folder"):
        SqliteCatalog(tmp_path / "nowhere" / "catalog.sqlite", entropy)


async def test_a_full_disk_refuses_one_change_and_the_next_may_pass(opened, entropy):
    run = opened._connection.execute
    (pages,) = run("PRAGMA page_count").fetchone()
    run(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(CatalogUnusable, match="full"):
        await opened.create_topic(
            "large", entropy.topic_id(), 1, {"leader.replication.throttled.replicas": "1:1," * 9999 + "1:1"}
        )
    assert opened.topics() == {}
    run("PRAGMA max_page_count = 1000000")
    await opened.create_topic("rides", entropy.topic_id(), 1, {})


async def test_a_commit_that_failed_in_an_unknown_way_is_the_last(opened, entropy):
    """What a restart would find is not known after a failed sync, so nothing more is promised."""
    opened._connection.execute("ALTER TABLE topics RENAME TO elsewhere")
    with pytest.raises(CatalogUnusable, match="could not be written"):
        await opened.create_topic("rides", entropy.topic_id(), 1, {})
    opened._connection.execute("ALTER TABLE elsewhere RENAME TO topics")
    with pytest.raises(CatalogUnusable, match="could not be written"):
        await opened.create_topic("rides", entropy.topic_id(), 1, {})
    assert opened.topics() == {}


async def test_a_closed_catalog_says_so_and_may_be_closed_again(path, entropy):
    catalog = SqliteCatalog(path, entropy)
    catalog.close()
    catalog.close()
    with pytest.raises(CatalogUnusable, match="closed"):
        await catalog.next_producer_ids()


async def test_a_catalog_of_an_older_schema_is_made_into_one_of_today(path, entropy):
    catalog = SqliteCatalog(path, entropy)
    await catalog.create_topic("rides", entropy.topic_id(), 1, {})
    catalog._connection.execute("DROP TABLE group_configs")
    catalog._connection.execute("PRAGMA user_version = 2")
    catalog.close()
    for configs in ({}, {"readers": {"consumer.session.timeout.ms": "50000"}}):
        catalog = SqliteCatalog(path, entropy)
        assert (set(catalog.topics()), catalog.group_configs()) == ({"rides"}, configs)
        await catalog.alter_group_configs("readers", lambda _: {"consumer.session.timeout.ms": "50000"})
        catalog.close()
