"""Topics: making, listing, describing, growing and deleting them, and the offsets between which their records lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from drave.client.connection import ANSWER_TIMEOUT_S, Connection, result
from drave.client.errors import NotFound, told
from drave.model.ids import TopicId, topic_id_text

BROKER_DEFAULT: Final = -1
"""For partitions and replication factor: what the broker does without being told (KIP-464)."""

_SET_ON_TOPIC: Final = 1  # DescribeConfigs: the config's source is the topic itself


class TopicPartitionId(NamedTuple):
    """A partition, as people name it."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """`start` is the first offset that is still there, `end` the one that the next record will take."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TopicSummary:
    """A topic as it is listed."""

    name: str
    partitions: int
    records: int
    """The sum of the partitions' end - start: gaps and control records count too."""


@dataclass(frozen=True, slots=True)
class PartitionDescription:
    """One partition: the ids of its brokers (`leader` is -1 where none leads), and its `Bounds`."""

    partition: int
    leader: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """One topic. `topic_id` is written as Kafka's tools write it; partitions are in order."""

    name: str
    topic_id: str
    partitions: tuple[PartitionDescription, ...]
    configs: Mapping[str, str]
    """Only what was set on the topic itself."""


class Topics:
    """The topics of one cluster. Every method raises ClientError."""

    def __init__(self, connection: Connection) -> None:
        connection.check()
        self.admin = connection.admin()

    def partitions(self, topic: str, only: int | None = None) -> list[TopicPartitionId]:
        """All partitions of `topic`, or one of them. Raises NotFound; never creates it."""
        found = self._metadata().topics.get(topic)
        if found is None:
            raise NotFound(f"topic {topic} does not exist; `drave topic create {topic}` creates it")
        if only is not None and only not in found.partitions:
            raise NotFound(f"topic {topic} has no partition {only}: it has {len(found.partitions)}, counted from 0")
        return [TopicPartitionId(topic, each) for each in sorted(found.partitions) if only in (None, each)]

    def all_partitions(self, *, internal: bool = False) -> list[TopicPartitionId]:
        """The partitions of all topics; Kafka's own topics only when `internal`."""
        return [
            TopicPartitionId(name, partition)
            for name, topic in sorted(self._metadata().topics.items())
            if internal or not name.startswith("__")
            for partition in sorted(topic.partitions)
        ]

    def summaries(self, *, internal: bool = False) -> list[TopicSummary]:
        """All topics, by name; Kafka's own only when `internal`."""
        partitions = self.all_partitions(internal=internal)
        bounds = self.bounds(partitions)
        counted: dict[str, list[int]] = {}
        for partition in partitions:
            where = bounds[partition]
            counted.setdefault(partition.topic, []).append(where.end - where.start)
        return [TopicSummary(name, len(counts), sum(counts)) for name, counts in counted.items()]

    def describe(self, topic: str) -> TopicDescription:
        """Partitions and configs of one topic. Raises NotFound."""
        from drave.client.librdkafka import TopicCollection

        bounds = self.bounds(self.partitions(topic))
        futures = self.admin.describe_topics(TopicCollection([topic]), request_timeout=ANSWER_TIMEOUT_S)
        found = result(futures[topic], f"describe topic {topic}")
        return TopicDescription(
            topic,
            _topic_id(found.topic_id),
            tuple(
                PartitionDescription(
                    partition.id,
                    partition.leader.id if partition.leader else -1,
                    tuple(node.id for node in partition.replicas),
                    tuple(node.id for node in partition.isr),
                    bounds[TopicPartitionId(topic, partition.id)].start,
                    bounds[TopicPartitionId(topic, partition.id)].end,
                )
                for partition in found.partitions
            ),
            {
                name: entry.value
                for name, entry in sorted(self._configs(topic).items())
                if entry.source == _SET_ON_TOPIC
            },
        )

    def config(self, topic: str, name: str) -> str:
        """The value of one config of `topic`, wherever it comes from; empty when the broker does not know it."""
        configs = self._configs(topic)
        return str(configs[name].value) if name in configs else ""

    def create(
        self,
        topic: str,
        *,
        partitions: int = BROKER_DEFAULT,
        replication_factor: int = BROKER_DEFAULT,
        configs: Mapping[str, str] | None = None,
    ) -> None:
        """Make a topic; what is not given is the broker's to choose."""
        from drave.client.librdkafka import NewTopic

        new = NewTopic(topic, partitions, replication_factor, config=dict(configs or {}))
        futures = self.admin.create_topics([new], request_timeout=ANSWER_TIMEOUT_S)
        result(futures[topic], f"create topic {topic}")

    def add_partitions(self, topic: str, count: int) -> int:
        """Give `topic` so many partitions more; returns how many it has then. Raises NotFound."""
        from drave.client.librdkafka import NewPartitions

        total = len(self.partitions(topic)) + count
        futures = self.admin.create_partitions([NewPartitions(topic, total)], request_timeout=ANSWER_TIMEOUT_S)
        result(futures[topic], f"add partitions to topic {topic}")
        return total

    def alter(self, topic: str, *, configs: Mapping[str, str], deleted: Iterable[str] = ()) -> None:
        """Set configs of `topic`, and give others back their defaults; all of it or nothing. Raises NotFound."""
        from drave.client.librdkafka import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

        entries = [
            *(ConfigEntry(name, text, incremental_operation=AlterConfigOpType.SET) for name, text in configs.items()),
            *(ConfigEntry(name, None, incremental_operation=AlterConfigOpType.DELETE) for name in deleted),
        ]
        asked = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        futures = self.admin.incremental_alter_configs([asked], request_timeout=ANSWER_TIMEOUT_S)
        result(futures[asked], f"alter topic {topic}")

    def delete(self, topics: Sequence[str]) -> None:
        """Delete topics, each by itself. Raises for the first that could not be, NotFound where it is not there."""
        futures = self.admin.delete_topics(list(topics), request_timeout=ANSWER_TIMEOUT_S)
        for topic, future in futures.items():
            result(future, f"delete topic {topic}")

    def bounds(self, partitions: Iterable[TopicPartitionId]) -> dict[TopicPartitionId, Bounds]:
        """Where each partition begins and ends now."""
        from drave.client.librdkafka import OffsetSpec

        wanted = list(partitions)
        starts = self.offsets(dict.fromkeys(wanted, OffsetSpec.earliest()))
        ends = self.offsets(dict.fromkeys(wanted, OffsetSpec.latest()))
        return {partition: Bounds(starts[partition], ends[partition]) for partition in wanted}

    def offsets_since(self, partitions: Iterable[TopicPartitionId], time_ms: int) -> dict[TopicPartitionId, int]:
        """The first offset with a timestamp of `time_ms` or later; the end where there is none."""
        from drave.client.librdkafka import OffsetSpec

        wanted = list(partitions)
        found = self.offsets(dict.fromkeys(wanted, OffsetSpec.for_timestamp(time_ms)))
        missing = [partition for partition, offset in found.items() if offset < 0]
        return found | self.offsets(dict.fromkeys(missing, OffsetSpec.latest()))

    def offsets(
        self, specs: Mapping[TopicPartitionId, Any], *, read_committed: bool = False
    ) -> dict[TopicPartitionId, int]:
        """ListOffsets: the offset that each partition's OffsetSpec asks for; -1 where there is none.

        The latest one is the high watermark, or, when `read_committed`, the last stable offset.
        """
        from drave.client.librdkafka import IsolationLevel, TopicPartition

        if not specs:
            return {}
        futures = self.admin.list_offsets(
            {TopicPartition(*partition): spec for partition, spec in specs.items()},
            isolation_level=IsolationLevel.READ_COMMITTED if read_committed else IsolationLevel.READ_UNCOMMITTED,
            request_timeout=ANSWER_TIMEOUT_S,
        )
        return {
            TopicPartitionId(asked.topic, asked.partition): result(
                future, f"list the offsets of {asked.topic}-{asked.partition}"
            ).offset
            for asked, future in futures.items()
        }

    def _configs(self, topic: str) -> dict[str, Any]:
        from drave.client.librdkafka import ConfigResource, ResourceType

        asked = ConfigResource(ResourceType.TOPIC, topic)
        futures = self.admin.describe_configs([asked], request_timeout=ANSWER_TIMEOUT_S)
        configs: dict[str, Any] = result(futures[asked], f"read the configs of topic {topic}")
        return configs

    def _metadata(self) -> Any:
        from drave.client.librdkafka import KafkaException

        try:
            return self.admin.list_topics(timeout=ANSWER_TIMEOUT_S)  # all: asking for one by name would create it
        except KafkaException as error:
            raise told(error.args[0], "list topics") from None


def _topic_id(uuid: Any) -> str:
    if uuid is None:
        return ""
    high, low = uuid.get_most_significant_bits(), uuid.get_least_significant_bits()
    return topic_id_text(TopicId(high.to_bytes(8, signed=high < 0) + low.to_bytes(8, signed=low < 0)))
