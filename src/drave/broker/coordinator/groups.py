"""The group coordinator: every group is looked after by the partition of `__consumer_offsets` that its id hashes to."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from drave.broker.coordinator.group import GroupLimits, Surroundings
from drave.broker.coordinator.outcome import Writer
from drave.broker.coordinator.runtime import Coordinator
from drave.broker.coordinator.schemas.offsets_topic import offset_key
from drave.broker.coordinator.shard import GroupShard
from drave.broker.coordinator.share.duties import Initialize, ShareDuty
from drave.broker.coordinator.share.state import SharePartition
from drave.catalog import CONSUMER_OFFSETS, Change
from drave.model.errors import ErrorCode
from drave.model.group_configs import GROUP_CONFIGS, GroupConfig
from drave.model.settings import BrokerSettings
from drave.records import Marker

if TYPE_CHECKING:
    from drave.broker.core import Broker

logger = logging.getLogger("drave.coordinator")


def offsets_topic_configs(settings: BrokerSettings) -> dict[str, str]:
    """What is set on `__consumer_offsets` itself: its records go when newer ones take their place, never with time."""
    return {
        "cleanup.policy": "compact",
        "compression.type": "producer",
        "segment.bytes": str(settings.offsets_segment_bytes),
    }


class Groups(Coordinator[GroupShard]):
    """All groups of this broker."""

    topic_name: ClassVar[str] = CONSUMER_OFFSETS

    def __init__(self, broker: Broker) -> None:
        settings = broker.settings
        self._configs = GroupConfigs(broker)
        self._surroundings = Surroundings(group_limits(settings), broker.catalog, self._configs.of)
        super().__init__(
            broker,
            partitions=settings.offsets_topic_partitions,
            check_interval_ms=settings.offsets_retention_check_interval_ms,
        )

    def config(self, group_id: str) -> GroupConfig:
        """What a group is set to, or would be if it were there."""
        return self._configs.of(group_id)

    def _machine(self) -> GroupShard:
        return GroupShard(self._surroundings)

    def _topic_configs(self) -> Mapping[str, str]:
        return offsets_topic_configs(self._broker.settings)

    def end_transaction(self, index: int, marker: Marker, writer: Writer, transaction_version: int) -> None:
        """Append the marker of a producer's transaction, and let the offsets that it committed count or go.

        Raises NotLoaded, and what the log refuses it with.
        """
        self._partition(index).end_transaction(marker, writer, transaction_version)

    def is_undecided(self, group_id: str, topic: str, partition: int) -> bool:
        """Whether an offset of this group waits for the end of a transaction (KIP-447)."""
        undecided = self._partition(self.partition_for(group_id)).undecided
        return len(undecided) > 0 and offset_key(group_id, topic, partition) in undecided

    def _perform(self, duty: ShareDuty) -> None:
        """All that groups have done elsewhere is about the state of share-partitions."""
        self._broker.spawn(self._do(duty), name="a duty of a share group")

    async def _do(self, duty: ShareDuty) -> None:
        partition = self._partition(self.partition_for(duty.group_id))
        results = await self._results(duty)
        failed = {code.name for code in results.values() if code is not ErrorCode.NONE}
        if failed:
            logger.error("share group %s: the state of share-partitions: %s", duty.group_id, ", ".join(sorted(failed)))
        if partition.unavailable is not None:
            return
        shares = partition.machine.shares
        partition.event(shares.ended(duty, results))
        for waiting in shares.resumed(duty.group_id):
            now_ms = self._broker.clock.wall_ms()
            partition.event(shares.heartbeat(*waiting, now_ms, may_wait=not failed))

    async def _results(self, duty: ShareDuty) -> Mapping[SharePartition, ErrorCode]:
        states = self._broker.share_states
        if isinstance(duty, Initialize):
            return await states.initialize(duty.group_id, duty.starts, state_epoch=duty.state_epoch)
        return await states.delete(duty.group_id, duty.partitions)

    def _catalog_changed(self, change: Change) -> None:
        super()._catalog_changed(change)
        if change.kind == "deleted" and change.topic.name != CONSUMER_OFFSETS:
            for partition in self._partitions.values():
                if partition.unavailable is None:
                    machine, topic = partition.machine, change.topic
                    partition.event(machine.offsets.topic_deleted(topic.name, topic.topic_id))
                    partition.event(machine.shares.topic_deleted(topic.topic_id))


class GroupConfigs:
    """The configs of all groups, parsed; they follow the catalog."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._others = GroupConfig({}, broker.settings)
        self._own: dict[str, GroupConfig] = {}
        for group_id in broker.catalog.group_configs():
            self._follow(group_id)
        broker.catalog.on_group_configs(self._follow)

    def of(self, group_id: str) -> GroupConfig:
        """What this group is set to."""
        return self._own.get(group_id, self._others)

    def _follow(self, group_id: str) -> None:
        overrides = self._broker.catalog.group_configs().get(group_id)
        if overrides is None:
            self._own.pop(group_id, None)
            return
        known = {name: text for name, text in overrides.items() if name in GROUP_CONFIGS}
        self._own[group_id] = GroupConfig(known, self._broker.settings)


def group_limits(settings: BrokerSettings) -> GroupLimits:
    """What the settings say about groups."""
    return GroupLimits(
        session_timeout_ms_min=settings.group_session_timeout_ms_min,
        session_timeout_ms_max=settings.group_session_timeout_ms_max,
        size_max=settings.group_size_max,
        initial_rebalance_delay_ms=settings.group_initial_rebalance_delay_ms,
        consumer_size_max=settings.group_consumer_size_max,
        migration_policy=settings.group_consumer_migration_policy,
        share_size_max=settings.group_share_size_max,
        streams_size_max=settings.group_streams_size_max,
        offset_metadata_max=settings.offset_metadata_bytes_max,
        offsets_retention_ms=settings.offsets_retention_minutes * 60_000,
    )
