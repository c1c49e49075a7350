"""What every catalog does, whatever keeps it: one picture in memory, and one way to change it.

    a change:   check against the picture ──▶ plan(writes, apply) ──▶ commit the writes ──▶ apply ──▶ tell listeners
                       refused here                                    durable here         seen here

Changes happen one at a time, in the order in which they were asked for, so a check still holds when its writes commit.
The driver supplies only `_carry_out`, which takes a plan through its last three steps. Reads never wait: they see the
picture, which is replaced and never altered, so whoever holds a part of it may keep it across an `await`.
"""

from __future__ import annotations

import abc
import dataclasses
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Generic, Literal, Protocol, TypeVar

from drave.catalog import statements
from drave.catalog.names import INTERNAL_TOPICS, InvalidTopic, check_topic_name, collision_key
from drave.catalog.statements import Write
from drave.catalog.topic import (
    Change,
    ChangeKind,
    InvalidPartitions,
    NoSuchTopic,
    Topic,
    TopicAlreadyExists,
    TopicIdTaken,
)
from drave.model.ids import ZERO_TOPIC_ID, TopicId, topic_id_text
from drave.model.log_config import LogConfig
from drave.model.quotas import Entity, Quotas

logger = logging.getLogger("drave.catalog")

T = TypeVar("T")
Listener = Callable[[Change], None]
Alter = Callable[[Mapping[str, str]], Mapping[str, str]]
"""What becomes of configs; may refuse by raising."""

PRODUCER_ID_BLOCK: Final = 1000
"""Producer ids taken at one time, as Kafka does: one commit for a thousand producers."""

PARTITIONS_MAX: Final = 2**31 - 1


class Catalog(Protocol):
    """What changes slowly: topics, their configs, broker configs, quotas, and the ids that are given out once."""

    @property
    def cluster_id(self) -> str:
        """The cluster's name for ever, in Kafka's form: 22 characters of URL-safe base64."""
        ...

    @property
    def version(self) -> int:
        """How many changes there have been."""
        ...

    def topics(self) -> Mapping[str, Topic]:
        """All topics by name, as they are now; the mapping never changes."""
        ...

    def topic(self, name: str) -> Topic | None: ...

    def topic_by_id(self, topic_id: TopicId) -> Topic | None: ...

    def tombstones(self) -> frozenset[TopicId]:
        """Deleted topics whose files may not all be gone."""
        ...

    def broker_configs(self, broker: int | None = None) -> Mapping[str, str]:
        """What was set on one broker while it ran, or on all of them (None)."""
        ...

    def group_configs(self) -> Mapping[str, Mapping[str, str]]:
        """What was set on groups, by group: those that have configs, whether there is such a group or not."""
        ...

    def client_quotas(self) -> Mapping[Entity, Quotas]:
        """The quotas of everybody who has any; the mapping never changes."""
        ...

    async def create_topic(self, name: str, topic_id: TopicId, partitions: int, configs: Mapping[str, str]) -> Topic:
        """Raises InvalidTopic, TopicAlreadyExists, TopicIdTaken, InvalidPartitions or InvalidConfig."""
        ...

    def check_new_topic(self, name: str, partitions: int, configs: Mapping[str, str]) -> LogConfig:
        """Raise what `create_topic` would raise now; create nothing, return the configs that the topic would have."""
        ...

    async def delete_topic(self, topic_id: TopicId) -> Topic:
        """Leaves a tombstone. Returns the topic as it was. Raises NoSuchTopic."""
        ...

    async def forget_tombstone(self, topic_id: TopicId) -> None:
        """The files are gone. An id without a tombstone is no error: the first time may have been cut short."""
        ...

    async def set_partitions(self, topic_id: TopicId, partitions: int) -> Topic:
        """Raises NoSuchTopic, or InvalidPartitions unless there are more than before."""
        ...

    async def alter_topic_configs(self, topic_id: TopicId, alter: Alter) -> Topic:
        """Makes of the topic's configs what `alter` does, with nothing in between. Raises NoSuchTopic, InvalidConfig,
        and what `alter` raises."""
        ...

    async def alter_broker_configs(self, broker: int | None, alter: Alter) -> None:
        """The same for what was set on one broker while it ran, or on all (None)."""
        ...

    async def alter_group_configs(self, group_id: str, alter: Alter) -> None:
        """The same for what was set on a group. One that has none left is forgotten."""
        ...

    async def alter_client_quotas(self, changes: Mapping[Entity, Mapping[str, float | None]]) -> None:
        """Gives each entity these quotas, and takes those that are None; all others stay. All at once, or not at all.

        What is asked for was checked before: `drave.model.quotas`."""
        ...

    def set_topic_defaults(self, defaults: Mapping[str, str]) -> list[Topic]:
        """What topics have from now on that do not say otherwise; the broker's own matter, and kept nowhere.

        For the broker at its start, and when it hears of other broker configs: never while a change is on its way.
        Returns the topics whose effective configs are others now.
        """
        ...

    async def next_producer_ids(self, count: int = PRODUCER_ID_BLOCK) -> range:
        """Ids that nobody was ever given and that nobody else will be."""
        ...

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` after each change to a topic, once it is durable, on the thread that asked for it."""
        ...

    def on_broker_configs(self, listener: Callable[[], None]) -> None:
        """The same for changes of broker configs."""
        ...

    def on_group_configs(self, listener: Callable[[str], None]) -> None:
        """The same for changes of a group's configs; the listener is told its id."""
        ...

    def on_client_quotas(self, listener: Callable[[], None]) -> None:
        """The same for changes of quotas."""
        ...

    def close(self) -> None:
        """Finish what was begun and let go of the files. The second time does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Plan(Generic[T]):
    """A change that was found possible: what must be durable, and what is true then."""

    writes: tuple[Write, ...]
    apply: Callable[[], T]


class CatalogBase(abc.ABC):
    """The picture in memory and the checks; see `Catalog` for what the methods promise."""

    def __init__(self, topic_defaults: Mapping[str, str] | None = None) -> None:
        self._topic_defaults = dict(topic_defaults or {})
        self._cluster_id = ""
        self._version = 0
        self._next_producer_id = 0
        self._topics: dict[str, Topic] = {}
        self._by_id: dict[TopicId, Topic] = {}
        self._taken: dict[str, str] = {}
        """Every topic by its `collision_key`."""
        self._tombstones: frozenset[TopicId] = frozenset()
        self._broker_configs: dict[str, Mapping[str, str]] = {}
        self._group_configs: dict[str, Mapping[str, str]] = {}
        self._client_quotas: dict[Entity, Quotas] = {}
        self._listeners: list[Listener] = []
        self._broker_listeners: list[Callable[[], None]] = []
        self._group_listeners: list[Callable[[str], None]] = []
        self._quota_listeners: list[Callable[[], None]] = []

    # -- what there is

    @property
    def cluster_id(self) -> str:
        return self._cluster_id

    @property
    def version(self) -> int:
        return self._version

    def topics(self) -> Mapping[str, Topic]:
        return MappingProxyType(self._topics)

    def topic(self, name: str) -> Topic | None:
        return self._topics.get(name)

    def topic_by_id(self, topic_id: TopicId) -> Topic | None:
        return self._by_id.get(topic_id)

    def tombstones(self) -> frozenset[TopicId]:
        return self._tombstones

    def broker_configs(self, broker: int | None = None) -> Mapping[str, str]:
        return self._broker_configs.get(_broker_key(broker), {})

    def group_configs(self) -> Mapping[str, Mapping[str, str]]:
        return MappingProxyType(self._group_configs)

    def client_quotas(self) -> Mapping[Entity, Quotas]:
        return MappingProxyType(self._client_quotas)

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def on_broker_configs(self, listener: Callable[[], None]) -> None:
        self._broker_listeners.append(listener)

    def on_group_configs(self, listener: Callable[[str], None]) -> None:
        self._group_listeners.append(listener)

    def on_client_quotas(self, listener: Callable[[], None]) -> None:
        self._quota_listeners.append(listener)

    # -- what can be asked for

    async def create_topic(self, name: str, topic_id: TopicId, partitions: int, configs: Mapping[str, str]) -> Topic:
        def plan() -> Plan[Topic]:
            self.check_new_topic(name, partitions, configs)
            if topic_id == ZERO_TOPIC_ID or topic_id in self._by_id or topic_id in self._tombstones:
                raise TopicIdTaken(topic_id)
            topic = self._topic(name, topic_id, partitions, configs, self._version + 1)
            row = statements.insert_topic(topic_id_text(topic_id), name, partitions, json_text(configs), topic.version)
            return self._topic_plan("created", topic, row)

        return await self._carry_out(plan)

    def check_new_topic(self, name: str, partitions: int, configs: Mapping[str, str]) -> LogConfig:
        check_topic_name(name)
        if name in self._topics:
            raise TopicAlreadyExists(name)
        neighbour = self._taken.get(collision_key(name))
        if neighbour is not None:
            raise InvalidTopic(name, f"it differs from the topic {neighbour!r} only in '.' and '_'")
        if not 1 <= partitions <= PARTITIONS_MAX:
            raise InvalidPartitions(name, partitions)
        return LogConfig.of(configs, self._topic_defaults)

    async def delete_topic(self, topic_id: TopicId) -> Topic:
        def plan() -> Plan[Topic]:
            topic = self._existing(topic_id)
            text, version = topic_id_text(topic_id), self._version + 1
            return self._topic_plan(
                "deleted",
                topic,
                statements.delete_topic(text),
                statements.insert_tombstone(text, topic.name, topic.partitions, version),
            )

        return await self._carry_out(plan)

    async def forget_tombstone(self, topic_id: TopicId) -> None:
        def plan() -> Plan[None]:
            def apply() -> None:
                self._tombstones -= {topic_id}

            known = topic_id in self._tombstones
            return Plan((statements.delete_tombstone(topic_id_text(topic_id)),) if known else (), apply)

        await self._carry_out(plan)

    async def set_partitions(self, topic_id: TopicId, partitions: int) -> Topic:
        def plan() -> Plan[Topic]:
            topic = self._existing(topic_id)
            if not topic.partitions < partitions <= PARTITIONS_MAX:
                raise InvalidPartitions(topic.name, partitions, topic.partitions)
            return self._update_plan(
                "partitions", dataclasses.replace(topic, partitions=partitions, version=self._version + 1)
            )

        return await self._carry_out(plan)

    async def alter_topic_configs(self, topic_id: TopicId, alter: Alter) -> Topic:
        def plan() -> Plan[Topic]:
            topic = self._existing(topic_id)
            configs = alter(topic.configs)
            if configs == topic.configs:
                return Plan((), lambda: topic)
            changed = dataclasses.replace(
                topic,
                configs=MappingProxyType(dict(configs)),
                config=LogConfig.of(configs, self._topic_defaults),
                version=self._version + 1,
            )
            return self._update_plan("configs", changed)

        return await self._carry_out(plan)

    async def alter_broker_configs(self, broker: int | None, alter: Alter) -> None:
        def plan() -> Plan[None]:
            before = self.broker_configs(broker)
            configs = MappingProxyType(dict(alter(before)))

            def apply() -> None:
                self._broker_configs = {**self._broker_configs, _broker_key(broker): configs}
                for listener in self._broker_listeners:
                    _tell(listener)

            if configs == before:
                return Plan((), lambda: None)
            return Plan((statements.set_broker_configs(_broker_key(broker), json_text(configs)),), apply)

        await self._carry_out(plan)

    async def alter_group_configs(self, group_id: str, alter: Alter) -> None:
        def plan() -> Plan[None]:
            before = self._group_configs.get(group_id, {})
            configs = MappingProxyType(dict(alter(before)))

            def apply() -> None:
                others = {name: each for name, each in self._group_configs.items() if name != group_id}
                self._group_configs = {**others, group_id: configs} if configs else others
                for listener in self._group_listeners:
                    _tell(listener, group_id)

            if configs == before:
                return Plan((), lambda: None)
            if not configs:
                return Plan((statements.delete_group_configs(group_id),), apply)
            return Plan((statements.set_group_configs(group_id, json_text(configs)),), apply)

        await self._carry_out(plan)

    async def alter_client_quotas(self, changes: Mapping[Entity, Mapping[str, float | None]]) -> None:
        def plan() -> Plan[None]:
            after = {
                entity: _with_quotas(self._client_quotas.get(entity, {}), each) for entity, each in changes.items()
            }
            altered = {
                entity: quotas for entity, quotas in after.items() if quotas != self._client_quotas.get(entity, {})
            }
            if not altered:
                return Plan((), lambda: None)

            def apply() -> None:
                everything = {**self._client_quotas, **altered}
                self._client_quotas = {entity: quotas for entity, quotas in everything.items() if quotas}
                for listener in self._quota_listeners:
                    _tell(listener)

            return Plan(tuple(_quotas_row(entity, quotas) for entity, quotas in altered.items()), apply)

        await self._carry_out(plan)

    def set_topic_defaults(self, defaults: Mapping[str, str]) -> list[Topic]:
        if defaults == self._topic_defaults:
            return []
        self._topic_defaults = dict(defaults)
        again = [(topic, LogConfig.of(topic.configs, defaults)) for topic in self._topics.values()]
        changed = [dataclasses.replace(topic, config=config) for topic, config in again if config != topic.config]
        self._show(changed)
        return changed

    async def next_producer_ids(self, count: int = PRODUCER_ID_BLOCK) -> range:
        def plan() -> Plan[range]:
            block = range(self._next_producer_id, self._next_producer_id + count)

            def apply() -> range:
                self._next_producer_id = block.stop
                return block

            return Plan((statements.set_next_producer_id(block.stop),), apply)

        return await self._carry_out(plan)

    # -- what a driver supplies and uses

    @abc.abstractmethod
    async def _carry_out(self, plan: Callable[[], Plan[T]]) -> T:
        """In its turn: make the plan, commit its writes as one transaction, apply it."""

    def _topic(self, name: str, topic_id: TopicId, partitions: int, configs: Mapping[str, str], version: int) -> Topic:
        return Topic(
            name=name,
            topic_id=topic_id,
            partitions=partitions,
            configs=MappingProxyType(dict(configs)),
            config=LogConfig.of(configs, self._topic_defaults),
            internal=name in INTERNAL_TOPICS,
            version=version,
        )

    def _show(self, topics: Iterable[Topic]) -> None:
        """Take these topics into the picture, in place of what has the same names."""
        for topic in topics:
            self._by_id[topic.topic_id] = topic
            self._taken[collision_key(topic.name)] = topic.name
        self._topics = {**self._topics, **{topic.name: topic for topic in topics}}

    # -- parts

    def _existing(self, topic_id: TopicId) -> Topic:
        topic = self._by_id.get(topic_id)
        if topic is None:
            raise NoSuchTopic(topic_id)
        return topic

    def _update_plan(self, kind: Literal["partitions", "configs"], topic: Topic) -> Plan[Topic]:
        row = statements.update_topic(
            topic_id_text(topic.topic_id), topic.partitions, json_text(topic.configs), topic.version
        )
        return self._topic_plan(kind, topic, row)

    def _topic_plan(self, kind: ChangeKind, topic: Topic, *writes: Write) -> Plan[Topic]:
        change = Change(kind=kind, topic=topic, version=self._version + 1)

        def apply() -> Topic:
            self._version = change.version
            if kind == "deleted":
                self._hide(topic)
            else:
                self._show([topic])
            for listener in self._listeners:
                _tell(listener, change)
            return topic

        return Plan((*writes, statements.set_version(change.version)), apply)

    def _hide(self, topic: Topic) -> None:
        del self._by_id[topic.topic_id]
        del self._taken[collision_key(topic.name)]
        self._topics = {name: other for name, other in self._topics.items() if name != topic.name}
        self._tombstones |= {topic.topic_id}


def _tell(listener: Callable[..., None], *what: Change | str) -> None:
    """The change is durable, and has happened: one listener that fails keeps neither the others nor whoever asked for
    it from hearing so."""
    try:
        listener(*what)
    except Exception:
        logger.exception("a listener failed at %s", *(what or ("a change to configs or quotas",)))


def json_text(values: Mapping[str, str | float | None]) -> str:
    """Configs, quotas or an entity as they are kept in a row."""
    return json.dumps(dict(values), sort_keys=True, separators=(",", ":"))


def _with_quotas(before: Quotas, changes: Mapping[str, float | None]) -> Quotas:
    after = {**before, **changes}
    return MappingProxyType({key: value for key, value in after.items() if value is not None})


def _quotas_row(entity: Entity, quotas: Quotas) -> Write:
    text = json_text(dict(entity))
    return statements.set_client_quotas(text, json_text(quotas)) if quotas else statements.delete_client_quotas(text)


def _broker_key(broker: int | None) -> str:
    return "" if broker is None else str(broker)
