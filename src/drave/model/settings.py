"""What `drave serve` can be told, and where it is told it.

    command line  ▶  DRAVE_* environment  ▶  TOML file  ▶  default          the left one wins

Every setting has a default and its unit in its name; what it is in Kafka stands in its docstring, and Kafka's name is
accepted wherever ours is. The broker's defaults for topics are settings too: `log.retention.hours`, `log.retention.ms`
and plain `retention.ms` all say how long a topic keeps its records unless the topic says otherwise.

    file          socket.request.max.bytes = 1_000_000        or   request_bytes_max = 1_000_000
    environment   DRAVE_SOCKET_REQUEST_MAX_BYTES=1000000      or   DRAVE_REQUEST_BYTES_MAX=1000000
    command line  --set socket.request.max.bytes=1000000      or   --set request_bytes_max=1000000
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from drave.model.config import INT_MAX, LONG_MAX, InvalidConfig
from drave.model.group_settings import GroupSettings
from drave.model.log_config import TOPIC_CONFIGS, LogConfig, check_topic_configs
from drave.model.setting import (
    Address,
    AddressLimit,
    MiB,
    check_bounds,
    nearest,
    parse_address,
    parse_addresses,
    read_text,
    setting,
)
from drave.model.storage_settings import StorageSettings

__all__ = [
    "TOPIC_CONFIGS",
    "Address",
    "BrokerSettings",
    "InvalidConfig",
    "LogConfig",
    "StorageSettings",
    "parse_address",
    "parse_addresses",
    "setting_names",
]

ENVIRONMENT_PREFIX: Final = "DRAVE_"

NOT_SETTINGS: Final = frozenset({"DRAVE_CONFIG", "DRAVE_BOOTSTRAP"})
"""Variables with the prefix that other parts read: the file's path, and the broker that commands talk to."""

ONLY_ONE_COPY: Final = (
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
)
"""Kafka's settings that people give a single broker with the value 1, which is all that they can be here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings(GroupSettings):
    """The settings of one broker. Building one checks it: InvalidConfig."""

    data_folder: Path = setting(Path("drave-data"), kafka=("log.dirs", "log.dir"))  # noqa: RUF009  # makes a field
    """Where everything that must survive a restart lies. Kafka: `log.dirs`, `log.dir`."""

    listen: tuple[Address, ...] = setting((Address("127.0.0.1", 9092), Address("::1", 9092)), kafka="listeners")
    """Where clients may connect; port 0 takes any free one. Kafka: `listeners`."""

    advertise: Address | None = setting(None, kafka="advertised.listeners")  # noqa: RUF009  # makes a field
    """The address that clients are told; without it, the one that each of them dialled. Kafka:
    `advertised.listeners`."""

    node_id: int = setting(1, kafka=("node.id", "broker.id"), low=0, high=INT_MAX)
    """This broker's number among its peers. Kafka: `node.id`, `broker.id`."""

    rack: str = setting("", kafka="broker.rack")
    """Where this broker stands; clients may prefer to fetch from their own rack. Kafka: `broker.rack`."""

    # -- connections and memory

    request_bytes_max: int = setting(100 * MiB, kafka="socket.request.max.bytes", low=1024, high=INT_MAX)
    """A request past this size is refused before it is read. Kafka: `socket.request.max.bytes`."""

    request_memory_bytes_max: int = setting(256 * MiB, kafka="queued.max.request.bytes", low=1 * MiB)
    """Requests that have been read and not answered hold no more than this together; while they do, no more is read.
    Kafka: `queued.max.request.bytes` (no limit there)."""

    reply_backlog_bytes_max: int = setting(16 * MiB, low=64 * 1024)
    """A connection whose unsent replies pass this is not read from until its client has taken some of them."""

    connections_max: int = setting(10_000, kafka="max.connections", low=1, high=INT_MAX, dynamic=True)
    """Connections open at one time; one more is closed at once. Kafka: `max.connections` (no limit there)."""

    connections_per_ip_max: int = setting(INT_MAX, kafka="max.connections.per.ip", low=1, high=INT_MAX, dynamic=True)
    """Connections open at one time from one address; one more is closed at once. Kafka: `max.connections.per.ip`
    (0 there for all but the overrides)."""

    connections_per_ip_overrides: tuple[AddressLimit, ...] = setting(
        (), kafka="max.connections.per.ip.overrides", dynamic=True
    )
    """Addresses for which another number counts: `192.0.2.7:100,::1:5`. Kafka: `max.connections.per.ip.overrides`
    (which takes names of hosts, too)."""

    connection_creation_rate_max: int = setting(
        INT_MAX, kafka="max.connection.creation.rate", low=1, high=INT_MAX, dynamic=True
    )
    """New connections in a second; what comes faster waits for its turn. Kafka: `max.connection.creation.rate`."""

    connections_idle_ms_max: int = setting(600_000, kafka="connections.max.idle.ms", low=1000)
    """A connection on which nothing has been asked for so long is closed. Kafka: `connections.max.idle.ms`."""

    frame_ms_max: int = setting(60_000, low=1000)
    """A connection is closed whose client has stopped for so long halfway: in a request that it sends, or in the
    replies that it was sent. One that goes on, however slowly, is not."""

    listen_backlog: int = setting(1024, kafka="socket.listen.backlog.size", low=1, high=INT_MAX)
    """Connections that the kernel may hold before they are accepted. Kafka: `socket.listen.backlog.size` (50 there)."""

    shutdown_ms_max: int = setting(5_000, low=0)
    """How long a clean stop waits for requests that are being answered."""

    # -- quotas

    quota_windows: int = setting(11, kafka="quota.window.num", low=1, high=INT_MAX)
    """So many windows of the past count for quotas, the one that is not over among them. Kafka: `quota.window.num`."""

    quota_window_seconds: int = setting(1, kafka="quota.window.size.seconds", low=1, high=INT_MAX)
    """How long each of them is. Kafka: `quota.window.size.seconds`."""

    mutation_quota_windows: int = setting(11, kafka="controller.quota.window.num", low=1, high=INT_MAX)
    """So many windows' worth of partitions may be made or deleted at once. Kafka: `controller.quota.window.num`."""

    mutation_quota_window_seconds: int = setting(1, kafka="controller.quota.window.size.seconds", low=1, high=INT_MAX)
    """How long each of those is. Kafka: `controller.quota.window.size.seconds`."""

    # -- topics

    num_partitions: int = setting(1, kafka="num.partitions", low=1, high=10_000)
    """Partitions of a topic whose creator does not say how many. Kafka: `num.partitions`."""

    auto_create_topics: bool = setting(True, kafka="auto.create.topics.enable")
    """Whether asking for the metadata of an unknown topic may create it. Kafka: `auto.create.topics.enable`."""

    delete_topics: bool = setting(True, kafka="delete.topic.enable")
    """Whether topics may be deleted. Kafka: `delete.topic.enable`."""

    partitions_per_request_max: int = setting(10_000, low=1)
    """The most partitions that one request may create. Kafka has this number too, without a setting."""

    # -- fetching

    fetch_bytes_max: int = setting(55 * MiB, kafka="fetch.max.bytes", low=1024, high=INT_MAX)
    """The most that one Fetch is answered with, whatever it asks for; the first batch comes whole. Kafka:
    `fetch.max.bytes`."""

    fetch_sessions_max: int = setting(1000, kafka="max.incremental.fetch.session.cache.slots", low=0, high=INT_MAX)
    """Fetch sessions (KIP-227) kept at one time. Kafka: `max.incremental.fetch.session.cache.slots`."""

    # -- transactions

    transaction_timeout_ms_max: int = setting(900_000, kafka="transaction.max.timeout.ms", low=1, high=INT_MAX)
    """The longest time that a producer may ask for its transactions. Kafka: `transaction.max.timeout.ms`."""

    transactional_id_expiration_ms: int = setting(
        604_800_000, kafka="transactional.id.expiration.ms", low=1, high=INT_MAX
    )
    """How long a transactional id that nobody uses is remembered. Kafka: `transactional.id.expiration.ms`."""

    transactional_id_check_interval_ms: int = setting(
        3_600_000, kafka="transaction.remove.expired.transaction.cleanup.interval.ms", low=1, high=INT_MAX
    )
    """How often transactional ids that nobody uses are looked for. Kafka:
    `transaction.remove.expired.transaction.cleanup.interval.ms`."""

    transaction_topic_partitions: int = setting(50, kafka="transaction.state.log.num.partitions", low=1, high=10_000)
    """Partitions of `__transaction_state`; it counts once, when the topic is created. Kafka:
    `transaction.state.log.num.partitions`."""

    transaction_segment_bytes: int = setting(
        100 * MiB, kafka="transaction.state.log.segment.bytes", low=1 * MiB, high=INT_MAX
    )
    """Segment size of `__transaction_state`. Kafka: `transaction.state.log.segment.bytes`."""

    # -- what has tables of its own

    topic_defaults: Mapping[str, str] = field(default_factory=dict)
    """What topics have that do not say otherwise, under the topics' names: {"retention.ms": "60000"}. Given in Kafka's
    broker-level spelling (`log.retention.ms`, `log.retention.hours`) or in the topic's own."""

    storage: StorageSettings = field(default_factory=StorageSettings)
    """Journal, segments and recovery."""

    def __post_init__(self) -> None:
        check_bounds(self)
        if "," in str(self.data_folder):  # a list in Kafka
            raise InvalidConfig("log.dirs", str(self.data_folder), "is more than one folder; a broker here has one")
        LogConfig.of(self.topic_defaults)
        check_topic_configs(self.topic_defaults, durability=self.storage.durability)
        if self.group_session_timeout_ms_min > self.group_session_timeout_ms_max:
            raise InvalidConfig(
                "group_session_timeout_ms_min",
                str(self.group_session_timeout_ms_min),
                f"is above group_session_timeout_ms_max = {self.group_session_timeout_ms_max}",
            )

    @classmethod
    def load(
        cls,
        file: Path | None = None,
        sets: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        **given: Any,
    ) -> BrokerSettings:
        """The settings from a TOML file, `--set` pairs, the environment and command-line options.

        `given` are options under our own names, as text or as the value itself; None means not given. They win over
        `sets`. Raises InvalidConfig, which for an unknown name gives the nearest known one.
        """
        texts: dict[str, Any] = {}
        topics: dict[str, tuple[int, str]] = {}
        for layer in (_from_file(file) if file else {}, _from_environment(environ or {}), sets or {}):
            _take_layer(layer, texts, topics)
        texts.update((name, value) for name, value in given.items() if value is not None)
        return _build(texts, {name: text for name, (_, text) in topics.items()})


@dataclass(frozen=True, slots=True)
class SettingPlace:
    """Where a name leads: to a field of BrokerSettings, of its storage, or to a default for topics."""

    field: str
    kind: Any
    in_storage: bool = False
    dynamic: str = ""
    """The one name under which it may change while the broker runs; none where it may not."""
    topic_config: str = ""
    multiplier: int = 1
    rank: int = 0
    """Of two spellings of one topic default in one source, the lower rank wins (ms, then minutes, then hours)."""


@functools.cache
def setting_names() -> Mapping[str, SettingPlace]:
    """Every name that a setting goes by, ours and Kafka's."""
    places: dict[str, SettingPlace] = {}
    for name, place in _all_names():
        places.setdefault(name, place)
    return places


def _all_names() -> Iterator[tuple[str, SettingPlace]]:
    for owner, in_storage in ((BrokerSettings, False), (StorageSettings, True)):
        kinds = typing.get_type_hints(owner)
        for each in dataclasses.fields(owner):
            if each.name not in ("topic_defaults", "storage"):
                names = each.metadata.get("kafka", ())
                dynamic = names[0] if each.metadata.get("dynamic") else ""
                place = SettingPlace(each.name, kinds[each.name], in_storage, dynamic)
                for name in (each.name, *names):
                    yield name, place
    for key in TOPIC_CONFIGS.values():
        if key.hidden:
            continue
        dynamic = key.broker_name or ""
        spellings = [(key.broker_name or key.name, 1), *key.broker_units]
        for rank, (name, multiplier) in enumerate(spellings):
            yield name, SettingPlace("topic_defaults", int, False, dynamic, key.name, multiplier, rank)
        yield key.name, SettingPlace("topic_defaults", int, False, dynamic, key.name)


def _take_layer(layer: Mapping[str, str], texts: dict[str, Any], topics: dict[str, tuple[int, str]]) -> None:
    """Lay one source of settings over the weaker ones."""
    fresh: dict[str, tuple[int, str]] = {}
    for name, text in layer.items():
        if name in ONLY_ONE_COPY:
            if text.strip() != "1":
                raise InvalidConfig(name, text, "must be 1: a broker keeps one copy of each partition")
            continue
        place = setting_names().get(name)
        if place is None:
            raise InvalidConfig(name, text, "there is no such setting" + nearest(name, setting_names()))
        if not place.topic_config:
            texts[place.field] = _read(name, text, place)
        elif place.topic_config not in fresh or place.rank < fresh[place.topic_config][0]:
            fresh[place.topic_config] = place.rank, _topic_default(name, text, place)
    topics.update(fresh)


def _read(name: str, text: str, place: SettingPlace) -> Any:
    value = read_text(place.kind, text, name)
    if place.kind == Address | None and isinstance(value, Address) and not value.host:
        raise InvalidConfig(name, text, "clients need a host name or address to come to")
    return value


def _topic_default(name: str, text: str, place: SettingPlace) -> str:
    if place.multiplier != 1:
        number = read_text(int, text, name)
        text = str(min(number * place.multiplier, LONG_MAX) if number >= 0 else -1)
    try:
        LogConfig.of({place.topic_config: text})
    except InvalidConfig as error:
        raise InvalidConfig(name, text, error.why) from None
    return text


def _build(texts: Mapping[str, Any], topics: Mapping[str, str]) -> BrokerSettings:
    """Values, or text still to be read, into the frozen settings."""
    mine: dict[str, Any] = {}
    storage: dict[str, Any] = {}
    for name, value in texts.items():
        place = setting_names().get(name)
        if place is None or place.field != name:
            raise InvalidConfig(name, str(value), "there is no such setting" + nearest(name, setting_names()))
        if isinstance(value, str) and place.kind is not str:
            value = _read(name, value, place)
        (storage if place.in_storage else mine)[name] = value
    return BrokerSettings(**mine, topic_defaults=dict(topics), storage=StorageSettings(**storage))


def _from_file(file: Path) -> dict[str, str]:
    """A TOML file as flat names: `socket.request.max.bytes = 1` is nested tables to TOML, and one name to us."""
    import tomllib  # only where there is a file

    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidConfig("config file", str(file), error.strerror or str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfig("config file", str(file), f"is not valid TOML: {error}") from None
    return dict(_flat(tables, ""))


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, bool):
            yield prefix + name, "true" if value else "false"
        elif isinstance(value, list):
            yield prefix + name, ",".join(str(item) for item in value)
        else:
            yield prefix + name, str(value)


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    variables = {_variable(name): name for name in (*ONLY_ONE_COPY, *setting_names())}
    layer: dict[str, str] = {}
    for variable, text in environ.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in NOT_SETTINGS:
            if variable not in variables:
                raise InvalidConfig(variable, text, "there is no such setting" + nearest(variable, variables))
            layer[variables[variable]] = text
    return layer


def _variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.replace(".", "_").upper()
