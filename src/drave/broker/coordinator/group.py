"""What a shard asks of a group, whatever kind it is, and what a group sees of the broker around it.

    GroupShard ──▶ Group ◁── ClassicGroup, and the groups of the new protocols (modern.py)
                     └─▶ Surroundings: limits, the picture of the topics, the group's configs

One namespace: an id belongs to one group, and that is of one kind. A *simple* group, which is there only because
somebody committed offsets under its id, is an empty classic one, and gives its place to whoever joins first.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, Protocol

from drave.broker.coordinator.outcome import KeyValue, Outcome, TimerName
from drave.broker.coordinator.schemas.offsets_topic import GroupKey, GroupRecord
from drave.model.errors import ErrorCode
from drave.model.group_configs import GroupConfig
from drave.model.ids import TopicId


class GroupType(enum.StrEnum):
    """The kinds of groups, by the names under which tools list them."""

    CLASSIC = "classic"
    CONSUMER = "consumer"
    SHARE = "share"
    STREAMS = "streams"


class GroupState(enum.StrEnum):
    """Kafka's names, as tools show them."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    NOT_READY = "NotReady"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"
    STABLE = "Stable"
    DEAD = "Dead"


SESSION: Final = "session"
REBALANCE: Final = "rebalance"
JOIN: Final = "join"
SYNC: Final = "sync"
"""What a group waits for: to hear from a member, and that it gives back, joins or syncs."""


def session_timer(group_id: str, member_id: str) -> TimerName:
    """The deadline by which a member, or one who is about to be one, must be heard from again."""
    return SESSION, group_id, member_id


class TopicImage(Protocol):
    """What a group sees of a topic."""

    @property
    def name(self) -> str: ...

    @property
    def topic_id(self) -> TopicId: ...

    @property
    def partitions(self) -> int: ...


class TopicsImage(Protocol):
    """What there is to read from. Within one step it does not change; the catalog is one."""

    @property
    def version(self) -> int:
        """Another one whenever a topic has come, gone or grown."""
        ...

    def topics(self) -> Mapping[str, TopicImage]: ...

    def topic(self, name: str) -> TopicImage | None: ...

    def topic_by_id(self, topic_id: TopicId) -> TopicImage | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    """What the settings say about groups; names are those of `BrokerSettings`."""

    session_timeout_ms_min: int = 6_000
    session_timeout_ms_max: int = 1_800_000
    size_max: int = (1 << 31) - 1
    initial_rebalance_delay_ms: int = 0
    new_member_join_timeout_ms: int = 300_000
    """How long the first join of a member may wait: nobody knows whether its client is still there. As in Kafka."""
    consumer_size_max: int = (1 << 31) - 1
    migration_policy: str = "bidirectional"
    """Which way groups with members may change between the classic and the consumer protocol."""
    share_size_max: int = 200
    streams_size_max: int = (1 << 31) - 1
    offset_metadata_max: int = 4096
    offsets_retention_ms: int = 7 * 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, beside what it says. The host is written as Java writes it, with a slash before it."""

    client_id: str
    client_host: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What groups see of the broker."""

    limits: GroupLimits
    topics: TopicsImage
    config: Callable[[str], GroupConfig]
    """What a group is set to."""


class Commit(NamedTuple):
    """Who commits offsets, and how."""

    member_id: str
    instance_id: str | None
    generation: int
    """Or, in the new protocols, the member's epoch."""
    api_version: int
    in_transaction: bool


PartitionCheck = Callable[[TopicId, int], ErrorCode]
"""Whether a member may commit in this partition."""


class Expiry(NamedTuple):
    """Offsets that no member reads expire; counted from when the group became empty, or else from their commit."""

    since_ms: int | None = None


class Group(ABC):
    """One group. It changes what is durable only in `replay`."""

    __slots__ = ("group_id", "surroundings")

    type: ClassVar[GroupType]
    records: ClassVar[frozenset[GroupRecord]]
    """The records that it is made of."""

    def __init__(self, group_id: str, surroundings: Surroundings) -> None:
        self.group_id = group_id
        self.surroundings = surroundings

    @property
    @abstractmethod
    def state(self) -> GroupState:
        """How far its members have come together."""

    @property
    @abstractmethod
    def listed_protocol(self) -> str:
        """The protocol type that ListGroups tells."""

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether it has no members, so that it may be deleted."""

    @property
    def expires(self) -> bool:
        """Whether it goes by itself when it has neither members nor offsets."""
        return self.is_empty

    @property
    def gives_way(self) -> bool:
        """Whether, once it is empty, a member of the classic protocol may make a classic group in its place."""
        return False

    @property
    def is_forgettable(self) -> bool:
        """Whether it is nowhere but here, and nothing would be lost with it."""
        return False

    # -- offsets

    @abstractmethod
    def may_commit(self, commit: Commit, out: Outcome) -> ErrorCode | PartitionCheck:
        """Whether a commit is its member's, or, where that has to be asked of each partition, who answers it."""

    def may_fetch(self, member_id: str | None, member_epoch: int) -> ErrorCode:
        """Whether who names itself so in an OffsetFetch (since v9) may read what is committed."""
        return ErrorCode.NONE

    def may_delete_offsets(self) -> ErrorCode:
        """Whether offsets may be deleted in topics that no member reads."""
        return ErrorCode.NONE

    @abstractmethod
    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic, so that its offsets stay."""

    @property
    def offsets_expire(self) -> Expiry | None:
        """Whether offsets that nobody reads may expire now, and since when they count as unread."""
        return Expiry()

    # -- time and the log

    @abstractmethod
    def timer_fired(self, kind: str, member_id: str, now_ms: int, out: Outcome) -> None:
        """A deadline of this group, under the name that it gave it, has come."""

    @abstractmethod
    def loaded(self, now_ms: int, out: Outcome) -> None:
        """The log has been read to its end: set the deadlines that were soft."""

    @abstractmethod
    def replay(self, key: GroupKey, value: bytes | None) -> None:
        """Take one of its records in; None takes back what was there. Raises `SchemaError`."""

    @property
    @abstractmethod
    def is_gone(self) -> bool:
        """Whether the log says no more that it is there."""

    @abstractmethod
    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        """The records that, replayed alone, make this group, each true at the moment when it is given."""

    @abstractmethod
    def tombstones(self) -> Iterator[KeyValue]:
        """The records that take all of it back."""
