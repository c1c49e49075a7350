"""Who belongs to a classic group, and which protocol all of them can agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from drave.broker.coordinator.classic.members import Member, Protocols
from drave.model.errors import ErrorCode


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
