"""What the groups of the new protocols (KIP-848, 932, 1071) have in common.

    a member comes, goes or wants something else  ┐                      ┌ target epoch = group epoch
    a topic that they read comes, goes or grows   ┴▶ group epoch + 1 ──▶ ┤ a target for every member
                                                                         └ each member is led there by its heartbeats

The group's epoch says how often what matters has changed; the target's, for which of those epochs an assignment was
computed; a member's, how far it has come. All three are durable, and so are members, targets and what each member has:
a heartbeat computes from them, writes down what is new, and replaying that is what changes the group. Soft are only
deadlines, and which version of the topics was looked at.
"""

from __future__ import annotations

import hashlib
import struct
from abc import abstractmethod
from collections.abc import Iterable, Sized
from typing import Final, Generic, Protocol, TypeVar

from drave.broker.coordinator.group import REBALANCE, Group, Surroundings, TopicsImage, session_timer
from drave.broker.coordinator.outcome import Outcome, TimerName
from drave.model.bounds import TOPICS_SUBSCRIBED_MAX
from drave.model.errors import ErrorCode, Refused

FIRST_EPOCH: Final = 1
"""Of a group that is about to be made; its first member raises it."""

JOIN_EPOCH: Final = 0
LEAVE_EPOCH: Final = -1
"""What a member says in its heartbeat when it leaves."""

SOON_MS: Final = 500
"""How soon members of a group that comes together are to be heard from again; of more than 500, each adds one."""
SETTLING_MS: Final = 3_000
"""So long after its last assignment a group still counts as coming together: who joins is seldom the last."""

_COUNT: Final = struct.Struct(">i")
_NOTHING: Final = 0


def rebalance_timer(group_id: str, member_id: str) -> TimerName:
    """The deadline by which a member must have given back what it was asked for."""
    return REBALANCE, group_id, member_id


def metadata_hash(topics: TopicsImage, names: Iterable[str]) -> int:
    """What these topics are now, as one number: another one where a topic has come, gone, grown or been made anew.

    Only who wrote it compares it (KIP-1101). Kafka uses another function: a group that comes from there computes its
    target once more, and nobody's partitions move.
    """
    digest = hashlib.blake2b(digest_size=8)
    found = [topic for name in sorted(names) if (topic := topics.topic(name)) is not None]
    for topic in found:
        digest.update(topic.topic_id)
        digest.update(_COUNT.pack(topic.partitions))
    return int.from_bytes(digest.digest(), "big", signed=True) if found else _NOTHING


def check_topics_named(names: Sized | None) -> None:
    """That a member subscribes to no more topics than one can have in its records. Raises Refused."""
    if names is not None and len(names) > TOPICS_SUBSCRIBED_MAX:
        raise Refused(
            ErrorCode.INVALID_REQUEST,
            f"A member can subscribe to {TOPICS_SUBSCRIBED_MAX} topics by name, and this one names {len(names)}. Give "
            "them to more members or groups, or use a regular expression where there are such.",
        )


class ModernMember(Protocol):
    """What all members have: an id of their own, and the epoch that they have come to."""

    @property
    def member_id(self) -> str: ...

    @property
    def member_epoch(self) -> int: ...


M = TypeVar("M", bound=ModernMember)


class ModernGroup(Group, Generic[M]):
    """Members by id, and the epochs of the group. A kind adds what its members want and get."""

    __slots__ = ("_looked_at", "epoch", "is_written", "members", "metadata_hash", "target_epoch", "targeted_ms")

    def __init__(self, group_id: str, surroundings: Surroundings) -> None:
        super().__init__(group_id, surroundings)
        self.epoch = FIRST_EPOCH
        self.metadata_hash = _NOTHING
        self.target_epoch = 0
        self.targeted_ms = 0
        """When the target was computed."""
        self.members: dict[str, M] = {}
        self.is_written = False
        """Whether its own record is in the log; without it there is no group."""
        self._looked_at = -1

    @property
    def listed_protocol(self) -> str:
        return self.type

    @property
    def is_empty(self) -> bool:
        return not self.members

    @property
    def is_forgettable(self) -> bool:
        return not self.is_written and not self.members

    @property
    def is_gone(self) -> bool:
        return not self.is_written

    # -- topics

    @property
    def topics_have_changed(self) -> bool:
        """Whether the topics may be others than those that the group's hash is of."""
        return self._looked_at != self.surroundings.topics.version

    def hash_of(self, names: Iterable[str]) -> int:
        """The hash of these topics as they are now. Where it is the group's, the topics count as looked at."""
        topics = self.surroundings.topics
        found = metadata_hash(topics, names)
        if found == self.metadata_hash:
            self._looked_at = topics.version
        return found

    # -- deadlines

    @abstractmethod
    def session_timeout_ms(self, member: M) -> int:
        """How long this member may be silent."""

    def heard_from(self, member: M, out: Outcome) -> None:
        """The member lives."""
        out.timer(session_timer(self.group_id, member.member_id), self.session_timeout_ms(member))

    def forget_deadlines(self, member_id: str, out: Outcome) -> None:
        """The member is no more."""
        out.timer(session_timer(self.group_id, member_id), None)
        out.timer(rebalance_timer(self.group_id, member_id), None)

    def loaded(self, now_ms: int, out: Outcome) -> None:
        """Each member has a whole session to show up."""
        for member in self.members.values():
            self.heard_from(member, out)
