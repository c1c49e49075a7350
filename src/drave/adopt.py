"""Taking in partition folders that the catalog does not know: written by Kafka, or left over from a lost catalog.

    topics/rides-0/partition.metadata ─ topic id ─┐
    topics/rides-1/partition.metadata ─ topic id ─┴─ one id ──▶ recover ──▶ catalog: rides, its id, 2 partitions

`__consumer_offsets` is a topic like any other here, and brings the groups' offsets along: they are kept by topic name.

The folders are recovered first, as after a crash. Their producers are known then, and the catalog passes over the ids
of those: a new producer that was given one of them would be taken for the old one, at the wrong sequence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from drave.broker.coordinator.groups import offsets_topic_configs
from drave.broker.coordinator.share.states import share_state_topic_configs
from drave.broker.coordinator.transactions import transaction_topic_configs
from drave.catalog import CONSUMER_OFFSETS, INTERNAL_TOPICS, SHARE_GROUP_STATE, TRANSACTION_STATE, Topic
from drave.catalog.sqlite import SqliteCatalog
from drave.log import Logs, lock_folder
from drave.model.errors import DraveError
from drave.model.ids import TopicId, topic_id_text
from drave.model.log_config import check_topic_configs
from drave.model.settings import BrokerSettings
from drave.model.system import SystemClock, SystemEntropy
from drave.store.disk import Disk, RealDisk, read_whole
from drave.store.names import METADATA, decode_metadata, partition_of


class CannotAdopt(DraveError):
    """The folders are not there, or not those of one topic."""


@dataclasses.dataclass(frozen=True, slots=True)
class Adopted:
    """The topic as the catalog has it now, and how many offsets its partitions span."""

    topic: Topic
    records: int


async def adopt(settings: BrokerSettings, name: str, configs: Mapping[str, str] | None = None) -> Adopted:
    """Enter the topic whose folders lie in the data folder into the catalog. The broker must not be running.

    The folders do not say what was set on the topic: `configs` does; internal topics have what they always have.
    Raises CannotAdopt, DataFolderInUse when a broker is running, CatalogUnusable, and what creating a topic raises.
    """
    disk = RealDisk()
    topic_id, partitions = _owner(disk, settings, name)
    own: Mapping[str, str] = {}
    if name == CONSUMER_OFFSETS:
        # Where a group lies follows from their number, and one that has no records may have no folder.
        partitions = max(partitions, settings.offsets_topic_partitions)
        own = offsets_topic_configs(settings)
    elif name == TRANSACTION_STATE:
        partitions = max(partitions, settings.transaction_topic_partitions)
        own = transaction_topic_configs(settings)
    elif name == SHARE_GROUP_STATE:
        partitions = max(partitions, settings.share_state_topic_partitions)
        own = share_state_topic_configs(settings)
    lock = lock_folder(settings.data_folder, disk=disk, node_id=settings.node_id)
    try:
        return await _take_in(settings, disk, name, topic_id, partitions, {**own, **(configs or {})})
    finally:
        lock.release()


async def _take_in(
    settings: BrokerSettings, disk: Disk, name: str, topic_id: TopicId, partitions: int, configs: Mapping[str, str]
) -> Adopted:
    """Under the folder's lock."""
    catalog = SqliteCatalog(
        settings.data_folder / "catalog.sqlite", SystemEntropy(), topic_defaults=settings.topic_defaults
    )
    try:
        config = catalog.check_new_topic(name, partitions, configs)
        check_topic_configs(configs, durability=settings.storage.durability, topic=name)
        topic = Topic(
            name=name,
            topic_id=topic_id,
            partitions=partitions,
            configs=configs,
            config=config,
            internal=name in INTERNAL_TOPICS,
            version=0,
        )
        logs = Logs.open(
            settings.data_folder,
            disk=disk,
            clock=SystemClock(),
            settings=settings.storage,
            topics=[*catalog.topics().values(), topic],
            tombstones=catalog.tombstones(),
            node_id=settings.node_id,
            locked=True,
            adopting=topic_id,
        )
        mine = [log for log in logs if log.topic_id == topic_id]
        records = sum(log.end - log.start for log in mine)
        producer_ids = [producer_id for log in mine for producer_id, _ in log.producers]
        await logs.close()
        if producer_ids:
            await catalog.next_producer_ids(max(producer_ids) + 1)
        return Adopted(await catalog.create_topic(name, topic_id, partitions, configs), records)
    finally:
        catalog.close()


def _owner(disk: Disk, settings: BrokerSettings, name: str) -> tuple[TopicId, int]:
    """The id that the topic's folders agree on, and how many partitions they say it has."""
    topics = settings.data_folder / "topics"
    found: dict[int, TopicId] = {}
    for folder in disk.list_folder(topics) if disk.exists(topics) else ():
        place = partition_of(folder)
        if place is None or place[0] != name:
            continue
        owner = decode_metadata(read_whole(disk, topics / folder / METADATA))
        if owner is None:
            raise CannotAdopt(f"{topics / folder} has no {METADATA} with a topic id, so nobody can say whose it is.")
        found[place[1]] = owner
    if not found:
        raise CannotAdopt(f"There is no folder of a topic {name!r} in {topics}: put {name}-0, {name}-1 … there first.")
    owners = sorted({topic_id_text(owner) for owner in found.values()})
    if len(owners) > 1:
        raise CannotAdopt(f"The folders of {name} belong to different topics ({', '.join(owners)}): keep one's only.")
    return next(iter(found.values())), max(found) + 1
