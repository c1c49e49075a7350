"""Which share-partitions of a group have a state, are getting one, or are losing it.

    subscribed ──→ initializing ──→ initialized ──→ deleting ──→ gone
                        ↑ a start was moved  └───────── topic deleted ──→ gone

It is written down before the state is touched and once more after, so who is interrupted knows what to do again. A
partition whose start is moved is in the first two at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from drave.broker.coordinator.group import TopicsImage
from drave.broker.coordinator.schemas.share_groups import SharePartitionsValue, StatePartitions, StateTopic
from drave.broker.coordinator.share.assignor import Partitions
from drave.broker.coordinator.share.state import SharePartition
from drave.model.ids import TopicId

UNKNOWN_TOPIC: Final = "<UNKNOWN>"
"""The name under which a topic that is no more is written down, as in Kafka."""


class StatePlaces(msgspec.Struct, frozen=True, gc=False):
    """A value: each change gives another one."""

    initializing: Partitions = frozenset()
    initialized: Partitions = frozenset()
    deleting: frozenset[TopicId] = frozenset()

    # -- what there is

    @property
    def is_empty(self) -> bool:
        return not (self.initializing or self.initialized or self.deleting)

    def missing(self, topics: TopicsImage, names: Iterable[str]) -> Partitions:
        """The partitions of these topics that have no state yet."""
        found = (topic for name in names if (topic := topics.topic(name)) is not None)
        wanted = (SharePartition(topic.topic_id, index) for topic in found for index in range(topic.partitions))
        return frozenset(wanted) - self.initialized

    def to_delete(self, topics: TopicsImage, wanted: TopicId | None = None) -> Partitions:
        """All that has or may have a state, also where a deletion was interrupted; or that of one topic."""
        known = self.initialized | self.initializing | frozenset(self._interrupted(topics))
        return frozenset(each for each in known if wanted in (None, each.topic_id))

    def _interrupted(self, topics: TopicsImage) -> Iterator[SharePartition]:
        for topic_id in self.deleting:
            topic = topics.topic_by_id(topic_id)
            if topic is not None:
                yield from (SharePartition(topic_id, index) for index in range(topic.partitions))

    # -- what becomes of it

    def begun(self, partitions: Partitions) -> StatePlaces:
        """These are to get a state."""
        wanted = {each.topic_id for each in partitions}
        return StatePlaces(self.initializing | partitions, self.initialized, self.deleting - wanted)

    def ended(self, done: Partitions, failed: Partitions) -> StatePlaces:
        """These have got it, or not. What was given up meanwhile stays so."""
        initializing = self.initializing - done - failed
        return StatePlaces(initializing, self.initialized | (done & self.initializing), self.deleting)

    def giving_up(self, topic_ids: Iterable[TopicId]) -> StatePlaces:
        """The state of these topics is to be deleted."""
        gone = self.without(topic_ids := frozenset(topic_ids))
        return StatePlaces(gone.initializing, gone.initialized, self.deleting | topic_ids)

    def without(self, topic_ids: Iterable[TopicId]) -> StatePlaces:
        """Nothing is left of these topics."""
        gone = frozenset(topic_ids)
        return StatePlaces(
            frozenset(each for each in self.initializing if each.topic_id not in gone),
            frozenset(each for each in self.initialized if each.topic_id not in gone),
            self.deleting - gone,
        )

    # -- the record

    def value(self, topics: TopicsImage) -> SharePartitionsValue:
        """As it is written down."""
        return SharePartitionsValue(
            initializing_topics=_written(self.initializing, topics),
            initialized_topics=_written(self.initialized, topics),
            deleting_topics=[
                StateTopic(topic_id=topic_id, topic_name=_name(topics, topic_id)) for topic_id in sorted(self.deleting)
            ],
        )

    @classmethod
    def of(cls, value: SharePartitionsValue) -> StatePlaces:
        return cls(
            _read(value.initializing_topics),
            _read(value.initialized_topics),
            frozenset(topic.topic_id for topic in value.deleting_topics),
        )


def by_topic(partitions: Iterable[SharePartition]) -> Mapping[TopicId, list[int]]:
    """The indexes in each topic, in order."""
    found: dict[TopicId, list[int]] = {}
    for topic_id, index in sorted(partitions):
        found.setdefault(topic_id, []).append(index)
    return found


def _written(partitions: Partitions, topics: TopicsImage) -> list[StatePartitions]:
    return [
        StatePartitions(topic_id=topic_id, topic_name=_name(topics, topic_id), partitions=indexes)
        for topic_id, indexes in by_topic(partitions).items()
    ]


def _read(written: list[StatePartitions]) -> Partitions:
    return frozenset(SharePartition(topic.topic_id, index) for topic in written for index in topic.partitions)


def _name(topics: TopicsImage, topic_id: TopicId) -> str:
    topic = topics.topic_by_id(topic_id)
    return UNKNOWN_TOPIC if topic is None else topic.name
