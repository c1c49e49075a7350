"""What an application runs: subtopologies, the topics that they read, and the internal topics between and behind them.

    source topics ──→ subtopology 0 ──→ repartition topic ──→ subtopology 1 ──→ …
                          └ changelog topic of each store        └ …

The first member that joins tells it; the group keeps it for as long as it lives. What of it cannot be is refused here,
what the broker lacks for it now is found in `configuring`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from drave.broker.coordinator.schemas.streams_groups import StreamsTopologyValue
from drave.catalog.names import INTERNAL_TOPICS, InvalidTopic, check_topic_name
from drave.model.bounds import INTERNAL_TOPICS_MAX, SUBTOPOLOGIES_MAX, TOPOLOGY_SIZE_MAX
from drave.model.errors import ErrorCode, ProtocolError
from drave.wire.messages.k88_streams_group_heartbeat import CopartitionGroup, Subtopology
from drave.wire.messages.k88_streams_group_heartbeat import Topology as TopologySaid


class InvalidTopology(ProtocolError):
    """A topology that nothing can be made of."""

    code = ErrorCode.STREAMS_INVALID_TOPOLOGY

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return self.why


class Topology:
    """One version of a topology, known by its epoch. Subtopologies are in the order of their ids."""

    def __init__(self, epoch: int, subtopologies: list[Subtopology]) -> None:
        self.epoch = epoch
        self.subtopologies = {each.subtopology_id: each for each in sorted(subtopologies, key=_by_id)}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Topology):
            return NotImplemented
        return self.epoch == other.epoch and self.subtopologies == other.subtopologies

    __hash__ = None  # type: ignore[assignment]  # a value that is compared, and never a key

    def as_record(self) -> StreamsTopologyValue:
        return StreamsTopologyValue(epoch=self.epoch, subtopologies=list(self.subtopologies.values()))

    @cached_property
    def inputs(self) -> dict[str, str]:
        """The topics that are read, each with the id of the subtopology that reads it."""
        return {topic: each.subtopology_id for each in self.subtopologies.values() for topic in inputs_of(each)}

    @cached_property
    def topics(self) -> frozenset[str]:
        """All that must be there before tasks can run: what is read, and the changelogs."""
        changelogs = (info.name for each in self.subtopologies.values() for info in each.state_changelog_topics)
        return frozenset(self.inputs).union(changelogs)


def _by_id(subtopology: Subtopology) -> str:
    return subtopology.subtopology_id


def inputs_of(subtopology: Subtopology) -> Iterator[str]:
    """The topics that a subtopology reads: its sources, and repartition topics."""
    yield from subtopology.source_topics
    for info in subtopology.repartition_source_topics:
        yield info.name


def members_of(subtopology: Subtopology, group: CopartitionGroup) -> list[str]:
    """The topics of a copartition group, which the wire names by their places in lists."""
    return [
        *(subtopology.source_topics[index] for index in group.source_topics),
        *(subtopology.repartition_source_topics[index].name for index in group.repartition_source_topics),
    ]


# -- what is refused, whatever topics there are


def check_size(topology: TopologySaid) -> None:
    """That it is no larger than what can be worked out and made while its member waits. Raises InvalidTopology."""
    subtopologies = topology.subtopologies
    internal = sum(len(each.repartition_source_topics) + len(each.state_changelog_topics) for each in subtopologies)
    for what, found, most in (
        ("subtopologies", len(subtopologies), SUBTOPOLOGIES_MAX),
        ("internal topics", internal, INTERNAL_TOPICS_MAX),
        ("topics, configs of topics and joins", sum(map(_size, subtopologies)), TOPOLOGY_SIZE_MAX),
    ):
        if found > most:
            raise InvalidTopology(f"The topology has {found} {what}, and {most} is the most: split the application.")


def _size(subtopology: Subtopology) -> int:
    """How much it lists."""
    internal = (*subtopology.repartition_source_topics, *subtopology.state_changelog_topics)
    joins = subtopology.copartition_groups
    return (
        len(subtopology.source_topics)
        + len(subtopology.repartition_sink_topics)
        + sum(1 + len(topic.topic_configs) for topic in internal)
        + sum(1 + len(join.source_topics) + len(join.repartition_source_topics) for join in joins)
    )


def check_topic_names(topology: TopologySaid) -> None:
    """That all topics may be called what they are called. Raises InvalidTopology."""
    names = dict.fromkeys(name for each in topology.subtopologies for name in _named(each))
    internal = [name for name in names if name in INTERNAL_TOPICS]
    if internal:
        raise InvalidTopology(f"The topology names topics that are the broker's own: {', '.join(internal)}.")
    for name in names:
        try:
            check_topic_name(name)
        except InvalidTopic as error:
            raise InvalidTopology(f"The topology names a topic that cannot be: {error}") from error


def _named(subtopology: Subtopology) -> Iterator[str]:
    yield from inputs_of(subtopology)
    yield from subtopology.repartition_sink_topics
    for info in subtopology.state_changelog_topics:
        yield info.name


def check_topology(topology: TopologySaid) -> None:
    """That it makes sense in itself. Raises InvalidTopology."""
    if topology.epoch < 0:
        raise InvalidTopology(f"A topology's epoch begins with 0, and cannot be {topology.epoch}.")
    twice = [name for name, times in Counter(map(_by_id, topology.subtopologies)).items() if times > 1]
    if twice:
        raise InvalidTopology(f"The topology has more than one subtopology of the id {twice[0]!r}.")
    for subtopology in topology.subtopologies:
        for repartition in subtopology.repartition_source_topics:
            if repartition.partitions < 0:
                raise InvalidTopology(
                    f"Repartition topic {repartition.name} says that it has {repartition.partitions} partitions; it "
                    "must have at least one, or 0 to leave that open."
                )
        for changelog in subtopology.state_changelog_topics:
            if changelog.partitions != 0:
                raise InvalidTopology(
                    f"Changelog topic {changelog.name} says that it has {changelog.partitions} partitions; it must say "
                    "0, for it has as many as there are tasks."
                )
        _check_copartition_groups(subtopology)


def _check_copartition_groups(subtopology: Subtopology) -> None:
    sources, repartition = len(subtopology.source_topics), len(subtopology.repartition_source_topics)
    for group in subtopology.copartition_groups:
        fits = all(0 <= index < sources for index in group.source_topics) and all(
            0 <= index < repartition for index in group.repartition_source_topics
        )
        if not fits:
            raise InvalidTopology(
                f"A copartition group of subtopology {subtopology.subtopology_id!r} names a topic by a place that its "
                "lists do not have."
            )
