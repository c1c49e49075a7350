"""A topology beside the topics that there are: how many tasks it has, and what is missing for it.

    partitions of the sources ──→ of repartition topics ──→ copartition groups agree ──→ of changelogs ──→ tasks

A repartition topic has as many partitions as it says, or as the widest input of a subtopology that writes to it, or as
those that it is joined with. A changelog has one for each task. What is there already must fit; what is not there yet
is made by the broker.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from drave.broker.coordinator.streams.topology import InvalidTopology, Topology, inputs_of, members_of
from drave.model.bounds import TASKS_MAX
from drave.wire.messages.k88_streams_group_heartbeat import Subtopology, TopicInfo

PartitionsOf = Callable[[str], int | None]
"""How many partitions a topic has; None where there is no such topic."""

_TOPICS_NAMED_MAX = 3


class Status(enum.IntEnum):
    """What a member is told beside its tasks."""

    STALE_TOPOLOGY = 0
    MISSING_SOURCE_TOPICS = 1
    INCORRECTLY_PARTITIONED_TOPICS = 2
    MISSING_INTERNAL_TOPICS = 3
    SHUTDOWN_APPLICATION = 4
    ASSIGNMENT_DELAYED = 5


class Unusable(Exception):
    """The topics that there are do not fit the topology. Somebody may mend that, so the members stay and wait."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class InternalTopic:
    """A topic that belongs to the application: a repartition topic or a changelog."""

    name: str
    partitions: int
    replication_factor: int
    """0 where the topology leaves it to the broker."""
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ConfiguredSubtopology:
    """A subtopology whose inputs' partitions are known."""

    subtopology_id: str
    tasks: int
    sources: tuple[str, ...]
    repartition_sinks: tuple[str, ...]
    repartition_sources: tuple[InternalTopic, ...]
    changelogs: tuple[InternalTopic, ...]

    @property
    def is_stateful(self) -> bool:
        return bool(self.changelogs)

    @property
    def inputs(self) -> tuple[str, ...]:
        return *self.sources, *(topic.name for topic in self.repartition_sources)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a topology is on this broker now."""

    subtopologies: Mapping[str, ConfiguredSubtopology] = field(default_factory=dict)
    """By id; none where the topics do not fit."""
    missing: Mapping[str, InternalTopic] = field(default_factory=dict)
    problem: tuple[Status, str] | None = None

    @property
    def is_ready(self) -> bool:
        return self.problem is None


def configure(topology: Topology, partitions_of: PartitionsOf) -> Configuration:
    """What the topology is beside these topics. Raises InvalidTopology where no topics could make it work."""
    try:
        _check_sources(topology, partitions_of)
        counts = _Counts(topology, partitions_of)
        subtopologies = {each.subtopology_id: counts.configured(each) for each in topology.subtopologies.values()}
        missing = _missing(subtopologies.values(), partitions_of)
        if not missing:
            _check_tasks(subtopologies.values())
    except Unusable as unusable:
        return Configuration(problem=(unusable.status, unusable.detail))
    problem = None
    if missing:
        problem = Status.MISSING_INTERNAL_TOPICS, f"Internal topics are missing: {summary(missing)}"
    return Configuration(subtopologies, missing, problem)


def _check_sources(topology: Topology, partitions_of: PartitionsOf) -> None:
    sources = {topic for each in topology.subtopologies.values() for topic in each.source_topics}
    missing = [topic for topic in sorted(sources) if partitions_of(topic) is None]
    if missing:
        raise Unusable(Status.MISSING_SOURCE_TOPICS, f"Source topics {summary(missing)} are missing.")


def _check_tasks(subtopologies: Iterable[ConfiguredSubtopology]) -> None:
    tasks = sum(each.tasks for each in subtopologies)
    if tasks > TASKS_MAX:
        raise Unusable(
            Status.INCORRECTLY_PARTITIONED_TOPICS,
            f"The topology comes to {tasks} tasks, and {TASKS_MAX} is the most: split the application, or read topics "
            "with fewer partitions.",
        )


def _missing(subtopologies: Iterable[ConfiguredSubtopology], partitions_of: PartitionsOf) -> dict[str, InternalTopic]:
    missing: dict[str, InternalTopic] = {}
    for subtopology in subtopologies:
        for topic in (*subtopology.repartition_sources, *subtopology.changelogs):
            there = partitions_of(topic.name)
            if there is None:
                missing[topic.name] = topic
            elif there != topic.partitions:
                raise Unusable(
                    Status.INCORRECTLY_PARTITIONED_TOPICS,
                    f"Topic {topic.name} must have {topic.partitions} partitions, and has {there}.",
                )
    return missing


class _Counts:
    """How many partitions each topic has, or will have."""

    def __init__(self, topology: Topology, partitions_of: PartitionsOf) -> None:
        self._there = partitions_of
        self._decided: dict[str, int] = {}
        self._fixed = {
            info.name: info.partitions
            for each in topology.subtopologies.values()
            for info in each.repartition_source_topics
            if info.partitions != 0
        }
        subtopologies = list(topology.subtopologies.values())
        self._decide_repartition_topics(subtopologies)
        for subtopology in subtopologies:
            for group in subtopology.copartition_groups:
                self._agree(subtopology, members_of(subtopology, group))

    def of(self, topic: str) -> int:
        """Of a topic that is there, or was decided on."""
        there = self._there(topic)
        return self._decided[topic] if there is None else there

    def _decide_repartition_topics(self, subtopologies: list[Subtopology]) -> None:
        """Some can be told only when others have been: go round until nothing changes."""
        self._decided.update(self._fixed)
        while True:
            open_sinks = False
            progress = False
            for subtopology in subtopologies:
                for sink in subtopology.repartition_sink_topics:
                    if sink in self._decided:
                        continue
                    widest = self._widest_known_input(subtopology)
                    if widest is None:
                        open_sinks = True
                    else:
                        self._decided[sink] = widest
                        progress = True
            if not open_sinks:
                break
            if not progress:
                raise InvalidTopology(
                    "How many partitions the repartition topics have cannot be told: the topology runs in a circle."
                )
        for info in (info for each in subtopologies for info in each.repartition_source_topics):
            if info.name not in self._decided:
                raise InvalidTopology(f"Nothing writes to repartition topic {info.name}.")

    def _widest_known_input(self, subtopology: Subtopology) -> int | None:
        known = [self._decided.get(info.name) for info in subtopology.repartition_source_topics]
        known += [self._there(topic) for topic in subtopology.source_topics]
        return max((count for count in known if count is not None), default=None)

    def _agree(self, subtopology: Subtopology, topics: list[str]) -> None:
        """Make the topics of a copartition group equally wide, as far as that is up to us. Raises Unusable."""
        repartition = {info.name for info in subtopology.repartition_source_topics}
        given = {topic: self.of(topic) for topic in topics if topic not in repartition}
        given = given or {topic: count for topic, count in self._fixed.items() if topic in topics}
        ours = [topic for topic in topics if topic in repartition]
        if len(set(given.values())) > 1:
            counts = ", ".join(f"{topic}={count}" for topic, count in sorted(given.items()))
            raise Unusable(
                Status.INCORRECTLY_PARTITIONED_TOPICS,
                f"Following topics do not have the same number of partitions: [{counts}]",
            )
        width = next(iter(given.values()), None) or max(map(self.of, topics), default=0)
        for topic in ours:
            if self._fixed.get(topic, width) != width:
                raise Unusable(
                    Status.INCORRECTLY_PARTITIONED_TOPICS,
                    f"Repartition topic {topic} is to have {self._fixed[topic]} partitions, and topics that it is "
                    f"joined with have {width}.",
                )
            self._decided[topic] = width

    def configured(self, subtopology: Subtopology) -> ConfiguredSubtopology:
        """The subtopology, with its tasks counted."""
        tasks = max(map(self.of, inputs_of(subtopology)), default=0)
        if not tasks:
            raise InvalidTopology(f"Subtopology {subtopology.subtopology_id!r} reads no topic.")
        return ConfiguredSubtopology(
            subtopology_id=subtopology.subtopology_id,
            tasks=tasks,
            sources=tuple(sorted(subtopology.source_topics)),
            repartition_sinks=tuple(sorted(subtopology.repartition_sink_topics)),
            repartition_sources=_internal_topics(subtopology.repartition_source_topics, self._decided.__getitem__),
            changelogs=_internal_topics(subtopology.state_changelog_topics, lambda _: tasks),
        )


def _internal_topics(infos: list[TopicInfo], width: Callable[[str], int]) -> tuple[InternalTopic, ...]:
    return tuple(
        InternalTopic(
            info.name,
            info.partitions or width(info.name),
            info.replication_factor,
            {config.key: config.value for config in info.topic_configs},
        )
        for info in sorted(infos, key=lambda info: info.name)
    )


def summary(topics: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    names = sorted(topics)
    more = len(names) - _TOPICS_NAMED_MAX
    told = ", ".join(names[:_TOPICS_NAMED_MAX])
    return f"{told} and {more} additional topics" if more > 0 else told
