"""The broker: what all handlers share, and the few things that more than one of them does.

    sessions → dispatch → handler(broker, context, request) → catalog | logs | groups | fetches

It owns no socket and starts no thread; `drave.server` puts it together and gives it its scheduler.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, Final

from drave.broker.context import Connection, Context
from drave.broker.coordinator.groups import Groups
from drave.broker.coordinator.share.states import ShareStates
from drave.broker.coordinator.transactions import Transactions
from drave.broker.fetching import FetchHub
from drave.broker.producer_ids import ProducerIds
from drave.broker.quotas import ClientQuotas, Windows
from drave.broker.sharing.sharing import Sharing
from drave.catalog import Catalog, Change, Topic
from drave.log import Logs, PartitionLog
from drave.model.clock import Clock, Entropy, Scheduler
from drave.model.config import InvalidConfig
from drave.model.dynamic_settings import SettingLayers
from drave.model.errors import ErrorCode, ProtocolError
from drave.model.ids import TopicId, topic_id_text
from drave.model.settings import BrokerSettings

if TYPE_CHECKING:
    from drave.broker.admission import Admission  # which needs the broker

logger = logging.getLogger("drave.broker")

LEADER_EPOCH_UNKNOWN: Final = -1


class UnknownTopicOrPartition(ProtocolError):
    """A name and a partition number that the catalog does not have."""

    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

    def __init__(self, topic: str, partition: int | None = None) -> None:
        self.topic = topic
        self.partition = partition

    def __str__(self) -> str:
        where = f"topic {self.topic!r}" if self.partition is None else f"partition {self.topic}-{self.partition}"
        return f"This broker has no {where}."


class UnknownTopicId(ProtocolError):
    """A topic id that the catalog does not have: the topic was deleted, or made anew under another id."""

    code = ErrorCode.UNKNOWN_TOPIC_ID

    def __init__(self, topic_id: TopicId) -> None:
        self.topic_id = topic_id

    def __str__(self) -> str:
        return f"This broker has no topic with the id {topic_id_text(self.topic_id)}."


class LeaderEpochMismatch(ProtocolError):
    """The client's leader epoch is not this partition's (KIP-320): it must refresh its metadata."""

    code: ClassVar[ErrorCode] = ErrorCode.FENCED_LEADER_EPOCH

    def __init__(self, log: PartitionLog, asked: int) -> None:
        self.asked = asked
        self.epoch = log.leader_epoch
        self.code = (  # type: ignore[misc]  # which of the two depends on the side of the difference
            ErrorCode.FENCED_LEADER_EPOCH if asked < log.leader_epoch else ErrorCode.UNKNOWN_LEADER_EPOCH
        )

    def __str__(self) -> str:
        return f"The leader epoch is {self.epoch}, the request says {self.asked}."


def check_leader_epoch(log: PartitionLog, asked: int) -> None:
    """Refuse a request made under another leader epoch; -1 stands for a client that does not say."""
    if asked not in (LEADER_EPOCH_UNKNOWN, log.leader_epoch):
        raise LeaderEpochMismatch(log, asked)


def _ignored(error: InvalidConfig) -> None:
    logger.warning("what was set on the broker is ignored until it is deleted or right: %s", error)


class Broker:
    """One broker: its catalog, its logs, its coordinators, and the fetches that wait."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        clock: Clock,
        entropy: Entropy,
        scheduler: Scheduler,
        catalog: Catalog,
        logs: Logs,
    ) -> None:
        self.layers = SettingLayers.of(settings)
        self.settings = settings
        """What counts now; `layers` says where it comes from."""
        self.clock = clock
        self.entropy = entropy
        self.scheduler = scheduler
        self.catalog = catalog
        self.logs = logs
        self.node_id = settings.node_id
        self._follow_settings()
        self.fetches = FetchHub(scheduler, clock, entropy, sessions_max=settings.fetch_sessions_max)
        self.quotas = ClientQuotas(
            catalog.client_quotas,
            windows=Windows(settings.quota_windows, settings.quota_window_seconds * 1000),
            mutation_windows=Windows(settings.mutation_quota_windows, settings.mutation_quota_window_seconds * 1000),
        )
        self.producer_ids = ProducerIds(catalog)
        self.groups = Groups(self)
        self.transactions = Transactions(self)
        self.share_states = ShareStates(self)
        self.sharing = Sharing(self)
        self.admissions: dict[tuple[PartitionLog, int, int], deque[Admission]] = {}
        """By partition, producer id and epoch: the batches that stand in line behind one that asks its coordinator."""
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._abandoned = self._closed = False
        catalog.subscribe(self._catalog_changed)
        catalog.on_broker_configs(self._follow_settings)
        catalog.on_client_quotas(self.quotas.follow)
        logs.on_forgotten(self._forgotten)

    # -- partitions

    def topic(self, name: str) -> Topic:
        """The topic of this name. Raises UnknownTopicOrPartition."""
        topic = self.catalog.topic(name)
        if topic is None:
            raise UnknownTopicOrPartition(name)
        return topic

    def topic_by_id(self, topic_id: TopicId) -> Topic:
        """The topic with this id. Raises UnknownTopicId, for zero too."""
        topic = self.catalog.topic_by_id(topic_id)
        if topic is None:
            raise UnknownTopicId(topic_id)
        return topic

    def partition(self, topic: Topic, index: int) -> PartitionLog:
        """One partition's log, or UnknownTopicOrPartition."""
        log = self.logs.partition(topic.topic_id, index)
        if log is None:
            raise UnknownTopicOrPartition(topic.name, index)
        return log

    def _catalog_changed(self, change: Change) -> None:
        """One road for every way a topic can change: the catalog commits, the logs follow."""
        match change.kind:
            case "created" | "partitions":
                self.logs.add_topic(change.topic)
            case "configs":
                self.logs.configure(change.topic.topic_id, change.topic.config)
            case "deleted":
                for index in range(change.topic.partitions):
                    log = self.logs.partition(change.topic.topic_id, index)
                    if log is not None:
                        self.fetches.forget(log)
                self.logs.remove_topic(change.topic.topic_id)

    def _follow_settings(self) -> None:
        """The same for broker configs: settings follow at once, and what topics inherit from them."""
        catalog = self.catalog
        shared, own = catalog.broker_configs(), catalog.broker_configs(self.node_id)
        self.layers = SettingLayers.of(self.layers.started, shared, own, ignored=_ignored)
        self.settings = self.layers.settings
        self.logs.follow_settings(self.settings.storage)
        for topic in catalog.set_topic_defaults(self.settings.topic_defaults):
            self.logs.configure(topic.topic_id, topic.config)

    def _forgotten(self, topic_id: TopicId) -> None:
        """Nothing on the disk speaks of this deleted topic any more."""
        if not self._closed:  # the next start forgets it otherwise
            self.spawn(self.catalog.forget_tombstone(topic_id), name="forgetting a deleted topic")

    # -- the address clients are told

    def advertised(self, context: Context) -> tuple[str, int]:
        """Host and port for this client: as configured, else the address that it dialled."""
        connection, advertised = context.connection, self.settings.advertise
        dialled = connection.local_host, connection.local_port
        if advertised is None or advertised == dialled:
            return dialled
        connection.asks_the_way(context.client_id)
        return advertised

    def connection_lost(self, connection: Connection) -> None:
        """What was kept for this connection goes with it."""
        self.sharing.gone(connection)

    # -- duties

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Run a coroutine that somebody's request needs. The broker owns it; its failure is logged."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s failed", task.get_name(), exc_info=error)

    def end_waits(self) -> None:
        """Answer every long poll with what there is: the broker is about to stop."""
        self.fetches.end_waits()
        self.groups.end_waits()
        self.transactions.end_waits()
        self.sharing.end_waits()
        self.share_states.end_waits()

    def abandon(self) -> None:
        """The disk has failed: what was spawned may wait for it for ever, and nobody is told its answer any more."""
        self._abandoned = True
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Wait for what was spawned. Sessions are closed before this, the logs and the catalog after."""
        self._closed = True
        if self._abandoned:
            self.abandon()  # what was spawned since
        if self._tasks:
            await asyncio.wait(self._tasks)
