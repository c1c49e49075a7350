"""What the catalog tells about: a topic, a change, and what it refuses.

TopicAlreadyExists     create   the name is taken
TopicIdTaken           create   the id is, or was a deleted topic's whose files are not gone yet
NoSuchTopic            others   nothing has this id (any more)
InvalidPartitions      create, set_partitions
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from drave.model.errors import DraveError, ErrorCode, ProtocolError, StorageFailure
from drave.model.ids import TopicId, topic_id_text
from drave.model.log_config import LogConfig

ChangeKind: TypeAlias = Literal["created", "deleted", "partitions", "configs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic as it is now. A change makes a new one."""

    name: str
    topic_id: TopicId
    partitions: int
    configs: Mapping[str, str]
    """What somebody set on this topic, as it was written."""
    config: LogConfig
    """The effective configs: `configs` over the broker's defaults over Kafka's."""
    internal: bool
    version: int
    """The catalog's version at which the topic became as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step of the catalog's change feed. Versions rise by one; a deletion carries the topic as it last was."""

    kind: ChangeKind
    topic: Topic
    version: int


class TopicAlreadyExists(ProtocolError):
    """The name is taken."""

    code = ErrorCode.TOPIC_ALREADY_EXISTS

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"Topic {self.name!r} already exists."


class TopicIdTaken(DraveError):
    """The id belongs to another topic, or to a deleted one whose files may still lie there."""

    def __init__(self, topic_id: TopicId) -> None:
        super().__init__(topic_id)
        self.topic_id = topic_id

    def __str__(self) -> str:
        return f"The topic id {topic_id_text(self.topic_id)} is taken, or was a deleted topic's."


class NoSuchTopic(ProtocolError):
    """Nothing has this id."""

    code = ErrorCode.UNKNOWN_TOPIC_ID

    def __init__(self, topic_id: TopicId) -> None:
        super().__init__(topic_id)
        self.topic_id = topic_id

    def __str__(self) -> str:
        return f"There is no topic with the id {topic_id_text(self.topic_id)}."


class InvalidPartitions(ProtocolError):
    """A number of partitions that a topic cannot have, or can no longer have."""

    code = ErrorCode.INVALID_PARTITIONS

    def __init__(self, name: str, asked: int, has: int = 0) -> None:
        super().__init__(name, asked, has)
        self.name = name
        self.asked = asked
        self.has = has

    def __str__(self) -> str:
        if self.has:
            return (
                f"Topic {self.name!r} has {self.has} partitions; their number can only rise, not become {self.asked}."
            )
        return f"Topic {self.name!r} must have at least one partition, not {self.asked}."


class CatalogUnusable(StorageFailure):
    """The catalog cannot be opened, read or written; the sentence names the file and what to do."""

    def __str__(self) -> str:
        return f"The catalog {self.where} {self.why}"
