"""Topics that are there because a test says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from drave.model.ids import TopicId


class VirtualTopic(NamedTuple):
    name: str
    topic_id: TopicId
    partitions: int


class VirtualTopics:
    """A picture of topics that can be changed by hand. The ids tell the topics of one name apart."""

    def __init__(self, **partitions: int) -> None:
        self.version = 0
        self._topics: dict[str, VirtualTopic] = {}
        for name, count in partitions.items():
            self.create(name, count)

    def create(self, name: str, partitions: int) -> TopicId:
        """Make a topic, or let it grow."""
        self.version += 1
        known = self._topics.get(name)
        topic_id = TopicId(self.version.to_bytes(16, "big")) if known is None else known.topic_id
        self._topics[name] = VirtualTopic(name, topic_id, partitions)
        return topic_id

    def delete(self, name: str) -> None:
        self.version += 1
        del self._topics[name]

    def topics(self) -> Mapping[str, VirtualTopic]:
        return dict(self._topics)

    def topic(self, name: str) -> VirtualTopic | None:
        return self._topics.get(name)

    def topic_by_id(self, topic_id: TopicId) -> VirtualTopic | None:
        return next((each for each in self._topics.values() if each.topic_id == topic_id), None)
