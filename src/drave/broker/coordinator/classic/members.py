"""The members of one classic group, and what they agree on.

A *dynamic* member is known by the id that the coordinator gave it. A *static* one (KIP-345) brings an instance id of
its own; the member id behind it changes each time it starts, and whoever still uses an old one is fenced. A *pending*
member was given an id and has yet to join with it (KIP-394).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from drave.broker.coordinator.group import session_timer
from drave.broker.coordinator.outcome import Token
from drave.broker.coordinator.schemas.offsets_topic import MemberMetadata
from drave.model.errors import ErrorCode

if TYPE_CHECKING:
    from drave.broker.coordinator.classic.kinds import Join

Protocols = tuple[tuple[str, bytes], ...]
"""Names of assignors, the preferred first, each with the member's metadata for it."""


class Member:
    """One member, with its parked requests."""

    __slots__ = (
        "assignment",
        "client_host",
        "client_id",
        "instance_id",
        "is_new",
        "join",
        "member_id",
        "protocols",
        "rebalance_timeout_ms",
        "session_timeout_ms",
        "sync_token",
        "timer",
    )

    def __init__(
        self,
        group_id: str,
        member_id: str,
        *,
        instance_id: str | None,
        client_id: str,
        client_host: str,
        session_timeout_ms: int,
        rebalance_timeout_ms: int,
        protocols: Protocols,
        assignment: bytes = b"",
    ) -> None:
        self.member_id = member_id
        self.instance_id = instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.session_timeout_ms = session_timeout_ms
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.protocols = protocols
        self.assignment = assignment
        self.join: Join | None = None
        """The join that waits for the round to end."""
        self.sync_token: Token | None = None
        self.is_new = False
        """It has not seen a rebalance end: it may be removed while its first join waits."""
        self.timer = session_timer(group_id, member_id)

    @property
    def is_waiting(self) -> bool:
        """Whether the coordinator owes it an answer, so that it cannot send heartbeats."""
        return self.join is not None or self.sync_token is not None

    def metadata(self, protocol: str | None) -> bytes:
        """What it says about itself under `protocol`, which it supports."""
        return next(metadata for name, metadata in self.protocols if name == protocol)

    def vote(self, candidates: set[str]) -> str:
        """The first of its protocols that everybody supports."""
        return next(name for name, _ in self.protocols if name in candidates)

    def stored(self, protocol: str | None, assignment: bytes) -> MemberMetadata:
        """What the log keeps of it, with what it is assigned."""
        return MemberMetadata(
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
            rebalance_timeout=self.rebalance_timeout_ms,
            session_timeout=self.session_timeout_ms,
            subscription=self.metadata(protocol),
            assignment=assignment,
        )

    def is_as(self, stored: MemberMetadata, protocol: str | None) -> bool:
        """Whether the log says of it what it says itself."""
        return (
            any(name == protocol and metadata == stored.subscription for name, metadata in self.protocols)
            and self.session_timeout_ms == stored.session_timeout
            and self.rebalance_timeout_ms == stored.rebalance_timeout
        )

    @classmethod
    def restored(cls, group_id: str, stored: MemberMetadata, protocol: str | None) -> Member:
        """The member that the log tells of. Of its protocols only the chosen one is known."""
        rebalance_timeout_ms = stored.rebalance_timeout
        return cls(
            group_id,
            stored.member_id,
            instance_id=stored.group_instance_id,
            client_id=stored.client_id,
            client_host=stored.client_host,
            session_timeout_ms=stored.session_timeout,
            rebalance_timeout_ms=stored.session_timeout if rebalance_timeout_ms < 0 else rebalance_timeout_ms,
            protocols=((protocol or "", stored.subscription),),
        )


class Roster:
    """Who belongs to the group. Members keep the order in which they came: the first is the next leader."""

    __slots__ = ("_instances", "_members", "_supporters", "pending")

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._instances: dict[str, str] = {}
        self._supporters: Counter[str] = Counter()
        self.pending: set[str] = set()
        """Ids that were given to members who have yet to join with them."""

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __contains__(self, member_id: str) -> bool:
        return member_id in self._members

    def get(self, member_id: str) -> Member | None:
        return self._members.get(member_id)

    def holder(self, instance_id: str) -> Member | None:
        """The static member that owns the instance id now."""
        member_id = self._instances.get(instance_id)
        return None if member_id is None else self._members[member_id]

    def find(self, member_id: str, instance_id: str | None) -> Member | ErrorCode:
        """The member that a request comes from, or why it comes from none."""
        if instance_id is not None:
            owner = self._instances.get(instance_id)
            if owner is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            if owner != member_id:
                return ErrorCode.FENCED_INSTANCE_ID
        return self._members.get(member_id) or ErrorCode.UNKNOWN_MEMBER_ID

    def add(self, member: Member) -> None:
        assert member.member_id not in self._members, "a member is added once"
        assert member.instance_id is None or member.instance_id not in self._instances, "an instance has one member"
        self.pending.discard(member.member_id)
        self._members[member.member_id] = member
        if member.instance_id is not None:
            self._instances[member.instance_id] = member.member_id
        self._count(member.protocols, 1)

    def remove(self, member: Member) -> None:
        del self._members[member.member_id]
        if member.instance_id is not None:
            del self._instances[member.instance_id]
        self._count(member.protocols, -1)

    def clear(self) -> None:
        """Forget all members; pending ones stay."""
        self._members.clear()
        self._instances.clear()
        self._supporters.clear()

    def change_protocols(self, member: Member, protocols: Protocols) -> None:
        self._count(member.protocols, -1)
        member.protocols = protocols
        self._count(protocols, 1)

    def _count(self, protocols: Protocols, by: int) -> None:
        for name in dict(protocols):
            self._supporters[name] += by
            if not self._supporters[name]:
                del self._supporters[name]

    def supports_any(self, protocols: Protocols) -> bool:
        """Whether all members support one of these."""
        return any(self._supporters[name] == len(self._members) for name, _ in protocols)

    def choose_protocol(self) -> str:
        """The protocol with the most votes among those that all support; of two with as many, the one named first."""
        candidates = {name for name, supporters in self._supporters.items() if supporters == len(self._members)}
        votes = Counter(member.vote(candidates) for member in self)
        return votes.most_common(1)[0][0]

    def first_joined(self) -> Member | None:
        return next((member for member in self if member.join is not None), None)

    @property
    def joined(self) -> int:
        """How many wait for the rebalance to go on."""
        return sum(member.join is not None for member in self)

    @property
    def all_joined(self) -> bool:
        return not self.pending and all(member.join is not None for member in self)

    @property
    def rebalance_timeout_ms(self) -> int:
        """The longest that a member asks the others to wait for it."""
        return max((member.rebalance_timeout_ms for member in self), default=0)
