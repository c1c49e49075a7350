"""The catalog in SQL: one schema and one set of statements, for SQLite and PostgreSQL alike.

    cluster         cluster_id
    counters        version (of the catalog), producer_id (the next that was never given out)
    topics          what there is
    tombstones      what was deleted, until its files are gone
    broker_configs  by broker, '' for all of them
    group_configs   by group
    client_quotas   by entity, which is a JSON object: {"client-id": "app", "user": null}

Parameters are $1, $2, … in both. Ids are in Kafka's text form and configs are JSON, so a shell shows them readably. A
row's `version` is the catalog's at its last change: `WHERE version > $1` is all that a follower has to ask.

The schema only grows: each version of it is the one before and some statements more.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

Value: TypeAlias = str | int

SCHEMAS: Final = (
    (
        "CREATE TABLE cluster (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
        """CREATE TABLE topics (topic_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions BIGINT NOT NULL,
                            configs TEXT NOT NULL, version BIGINT NOT NULL)""",
        """CREATE TABLE tombstones (topic_id TEXT PRIMARY KEY, name TEXT NOT NULL, partitions BIGINT NOT NULL,
                                version BIGINT NOT NULL)""",
        "CREATE TABLE broker_configs (broker TEXT PRIMARY KEY, configs TEXT NOT NULL)",
    ),
    ("CREATE TABLE client_quotas (entity TEXT PRIMARY KEY, quotas TEXT NOT NULL)",),
    ("CREATE TABLE group_configs (group_id TEXT PRIMARY KEY, configs TEXT NOT NULL)",),
)
"""What each version of the schema adds, from the first."""

SCHEMA_VERSION: Final = len(SCHEMAS)

LOAD_CLUSTER: Final = "SELECT name, value FROM cluster"
LOAD_COUNTERS: Final = "SELECT name, value FROM counters"
LOAD_TOPICS: Final = "SELECT topic_id, name, partitions, configs, version FROM topics ORDER BY version"
LOAD_TOMBSTONES: Final = "SELECT topic_id FROM tombstones"
LOAD_BROKER_CONFIGS: Final = "SELECT broker, configs FROM broker_configs"
LOAD_GROUP_CONFIGS: Final = "SELECT group_id, configs FROM group_configs"
LOAD_CLIENT_QUOTAS: Final = "SELECT entity, quotas FROM client_quotas"

_SET_COUNTER: Final = (
    "INSERT INTO counters (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


class Write(NamedTuple):
    """One statement of a transaction and its parameters."""

    statement: str
    values: tuple[Value, ...]


def name_cluster(cluster_id: str) -> Write:
    return Write("INSERT INTO cluster (name, value) VALUES ('cluster_id', $1)", (cluster_id,))


def set_version(version: int) -> Write:
    return Write(_SET_COUNTER, ("version", version))


def set_next_producer_id(producer_id: int) -> Write:
    return Write(_SET_COUNTER, ("producer_id", producer_id))


def insert_topic(topic_id: str, name: str, partitions: int, configs: str, version: int) -> Write:
    return Write(
        "INSERT INTO topics (topic_id, name, partitions, configs, version) VALUES ($1, $2, $3, $4, $5)",
        (topic_id, name, partitions, configs, version),
    )


def update_topic(topic_id: str, partitions: int, configs: str, version: int) -> Write:
    return Write(
        "UPDATE topics SET partitions = $2, configs = $3, version = $4 WHERE topic_id = $1",
        (topic_id, partitions, configs, version),
    )


def delete_topic(topic_id: str) -> Write:
    return Write("DELETE FROM topics WHERE topic_id = $1", (topic_id,))


def insert_tombstone(topic_id: str, name: str, partitions: int, version: int) -> Write:
    return Write(
        "INSERT INTO tombstones (topic_id, name, partitions, version) VALUES ($1, $2, $3, $4)",
        (topic_id, name, partitions, version),
    )


def delete_tombstone(topic_id: str) -> Write:
    return Write("DELETE FROM tombstones WHERE topic_id = $1", (topic_id,))


def set_broker_configs(broker: str, configs: str) -> Write:
    return Write(
        "INSERT INTO broker_configs (broker, configs) VALUES ($1, $2)"
        " ON CONFLICT (broker) DO UPDATE SET configs = excluded.configs",
        (broker, configs),
    )


def set_group_configs(group_id: str, configs: str) -> Write:
    return Write(
        "INSERT INTO group_configs (group_id, configs) VALUES ($1, $2)"
        " ON CONFLICT (group_id) DO UPDATE SET configs = excluded.configs",
        (group_id, configs),
    )


def delete_group_configs(group_id: str) -> Write:
    return Write("DELETE FROM group_configs WHERE group_id = $1", (group_id,))


def set_client_quotas(entity: str, quotas: str) -> Write:
    return Write(
        "INSERT INTO client_quotas (entity, quotas) VALUES ($1, $2)"
        " ON CONFLICT (entity) DO UPDATE SET quotas = excluded.quotas",
        (entity, quotas),
    )


def delete_client_quotas(entity: str) -> Write:
    return Write("DELETE FROM client_quotas WHERE entity = $1", (entity,))
