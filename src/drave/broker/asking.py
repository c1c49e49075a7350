"""How much a request asks about: counted when it has been read, before anything is done for it.

    body ──▶ request ──▶ asked: names, places ──▶ handler
                              └─ too many: the connection is closed, and the log says how to ask

Only where a few bytes of a request cost much: elsewhere the size of a frame is bound enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from drave.model.bounds import NAMES_ASKED_MAX, PLACES_ASKED_MAX
from drave.model.errors import DraveError
from drave.wire.api import ApiKey

SMALL_BYTES: Final = 32 * 1024
"""What is not counted: most requests are far smaller, and this is room for 16,000 names of one letter."""

Decode = Callable[[Any, int], tuple[Any, int]]


class Asked(NamedTuple):
    """How much one request asks about."""

    names: int = 0
    places: int = 0


class TooMuchAsked(DraveError):
    """A request that asks about more than is answered at once."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self.asked = asked

    def __str__(self) -> str:
        return (
            f"it asks about {self.asked.names} names and {self.asked.places} topics and partitions; at most "
            f"{NAMES_ASKED_MAX} and {PLACES_ASKED_MAX} are answered at once: ask in parts"
        )


def bounded(key: ApiKey, decode: Decode) -> Decode:
    """What reads a request's body, and raises TooMuchAsked where it asks about too much."""
    count = COUNTS.get(key)
    if count is None:
        return decode

    def decode_bounded(frame: Any, at: int) -> tuple[Any, int]:
        if len(frame) <= SMALL_BYTES:
            return decode(frame, at)
        request, end = decode(frame, at)
        asked = count(request)
        if asked.names > NAMES_ASKED_MAX or asked.places > PLACES_ASKED_MAX:
            raise TooMuchAsked(asked)
        return request, end

    return decode_bounded


G = TypeVar("G", bound="AskedGroup")


class AskedGroup(Protocol):
    """A group of which some topics are asked for, or all."""

    @property
    def group_id(self) -> str: ...

    @property
    def topics(self) -> Sequence[Any] | None: ...


def once_whole(groups: Iterable[G]) -> list[G]:
    """These groups, but who is asked for all topics is so once: a few bytes would have a large answer each time."""
    whole: set[str] = set()
    kept = []
    for group in groups:
        if group.topics is not None or group.group_id not in whole:
            kept.append(group)
        if group.topics is None:
            whole.add(group.group_id)
    return kept


def _places(topics: Sequence[Any] | None, partitions: str = "partitions") -> int:
    """Topics, and the partitions that they have in a field."""
    return sum(1 + len(getattr(topic, partitions) or ()) for topic in topics or ())


def _of_groups(groups: Sequence[Any], partitions: str) -> Asked:
    return Asked(len(groups), sum(_places(group.topics, partitions) for group in groups))


COUNTS: Final[Mapping[ApiKey, Callable[[Any], Asked]]] = {
    ApiKey.LIST_OFFSETS: lambda asks: Asked(places=_places(asks.topics)),
    ApiKey.METADATA: lambda asks: Asked(places=len(asks.topics or ())),
    ApiKey.OFFSET_FETCH: lambda asks: _of_groups(asks.groups, "partition_indexes"),
    ApiKey.FIND_COORDINATOR: lambda asks: Asked(len(asks.coordinator_keys)),
    ApiKey.DESCRIBE_GROUPS: lambda asks: Asked(len(asks.groups)),
    ApiKey.CREATE_TOPICS: lambda asks: Asked(len(asks.topics)),
    ApiKey.DELETE_TOPICS: lambda asks: Asked(len(asks.topics) + len(asks.topic_names)),
    ApiKey.DELETE_RECORDS: lambda asks: Asked(places=_places(asks.topics)),
    ApiKey.OFFSET_FOR_LEADER_EPOCH: lambda asks: Asked(places=_places(asks.topics)),
    ApiKey.DESCRIBE_CONFIGS: lambda asks: Asked(len(asks.resources)),
    ApiKey.ALTER_CONFIGS: lambda asks: Asked(len(asks.resources)),
    ApiKey.DESCRIBE_LOG_DIRS: lambda asks: Asked(places=_places(asks.topics)),
    ApiKey.CREATE_PARTITIONS: lambda asks: Asked(len(asks.topics)),
    ApiKey.DELETE_GROUPS: lambda asks: Asked(len(asks.groups_names)),
    ApiKey.ELECT_LEADERS: lambda asks: Asked(places=_places(asks.topic_partitions)),
    ApiKey.INCREMENTAL_ALTER_CONFIGS: lambda asks: Asked(len(asks.resources)),
    ApiKey.ALTER_PARTITION_REASSIGNMENTS: lambda asks: Asked(places=_places(asks.topics)),
    ApiKey.LIST_PARTITION_REASSIGNMENTS: lambda asks: Asked(places=_places(asks.topics, "partition_indexes")),
    ApiKey.OFFSET_DELETE: lambda asks: Asked(places=_places(asks.topics)),
    ApiKey.ALTER_CLIENT_QUOTAS: lambda asks: Asked(len(asks.entries)),
    ApiKey.DESCRIBE_PRODUCERS: lambda asks: Asked(places=_places(asks.topics, "partition_indexes")),
    ApiKey.DESCRIBE_TRANSACTIONS: lambda asks: Asked(len(asks.transactional_ids)),
    ApiKey.CONSUMER_GROUP_DESCRIBE: lambda asks: Asked(len(asks.group_ids)),
    ApiKey.DESCRIBE_TOPIC_PARTITIONS: lambda asks: Asked(places=len(asks.topics)),
    ApiKey.SHARE_GROUP_DESCRIBE: lambda asks: Asked(len(asks.group_ids)),
    ApiKey.STREAMS_GROUP_DESCRIBE: lambda asks: Asked(len(asks.group_ids)),
    ApiKey.DESCRIBE_SHARE_GROUP_OFFSETS: lambda asks: _of_groups(asks.groups, "partitions"),
    ApiKey.ALTER_SHARE_GROUP_OFFSETS: lambda asks: Asked(places=_places(asks.topics)),
    ApiKey.DELETE_SHARE_GROUP_OFFSETS: lambda asks: Asked(places=len(asks.topics)),
}
"""How much a request of each key asks about."""
