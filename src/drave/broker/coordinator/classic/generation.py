"""What there is of a classic group between two rounds: its generation, the members that belong to it, and what the log
knows of them.

What the log knows of a group is its last stable generation, or that it is empty. Everything else is soft: it is gone
after a restart, and the members make it anew by joining. The step to Stable is taken by replaying the record that makes
it durable, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

from drave.broker.coordinator.classic.members import Member
from drave.broker.coordinator.classic.roster import Roster
from drave.broker.coordinator.classic.subscription import CONSUMER_PROTOCOL_TYPE, subscribed_topics
from drave.broker.coordinator.group import Expiry, Group, GroupState, Surroundings
from drave.broker.coordinator.outcome import KeyValue, Outcome
from drave.broker.coordinator.schemas.offsets_topic import (
    GroupKey,
    GroupMetadataValue,
    group_key,
    group_value,
    parse_group,
)
from drave.model.errors import ErrorCode


class Generation(Group):
    """Members, and what they have agreed on. How they come to the next one is in `rounds`."""

    __slots__ = (
        "generation",
        "leader",
        "members",
        "protocol",
        "protocol_type",
        "record",
        "since_ms",
        "state",
        "supersedes",
        "topics",
    )

    def __init__(self, group_id: str, surroundings: Surroundings) -> None:
        super().__init__(group_id, surroundings)
        self.state: GroupState = GroupState.EMPTY
        self.since_ms: int | None = None
        """When the state was entered; unknown for a group that only ever committed offsets."""
        self.generation = 0
        self.protocol_type: str | None = None
        self.protocol: str | None = None
        self.leader: str | None = None
        self.members = Roster()
        self.topics: frozenset[str] | None = None
        """What the members of this generation subscribe to; None where that is not known."""
        self.supersedes: Group | None = None
        """The empty group of another kind in whose place this one is made; the log has it until it has this one."""
        self.record: bytes | None = None
        """The value of the group's last record: all that the log knows of it."""

    # -- what others ask of a group

    @property
    def is_consumer_group(self) -> bool:
        return self.protocol_type == CONSUMER_PROTOCOL_TYPE

    @property
    def listed_protocol(self) -> str:
        return self.protocol_type or ""

    @property
    def is_empty(self) -> bool:
        return self.state is GroupState.EMPTY

    @property
    def expires(self) -> bool:
        return self.is_empty and not self.members.pending

    @property
    def is_simple(self) -> bool:
        """Whether nobody was ever in it, and nobody is about to join."""
        return self.generation == 0 and self.is_empty and self.protocol_type is None and not self.members.pending

    @property
    def is_forgettable(self) -> bool:
        """Whether nothing would be lost with it: the log knows nothing of it, and nobody is about to join. One that
        had a generation keeps it, so that no other gets its number, but for what the log has in its place."""
        is_new = self.generation == 0 or self.supersedes is not None
        return is_new and self.record is None and self.is_empty and not self.members.pending

    @property
    def offsets_expire(self) -> Expiry | None:
        if self.state is GroupState.EMPTY:
            return Expiry(None if self.protocol_type is None else self.since_ms)
        return Expiry() if self.state is GroupState.STABLE and self.topics is not None else None

    def may_delete_offsets(self) -> ErrorCode:
        """While it has members, it must be known what they read."""
        return ErrorCode.NONE if self.is_empty or self.is_consumer_group else ErrorCode.NON_EMPTY_GROUP

    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic. A consumer group whose subscriptions cannot be read may read any."""
        if self.topics is None:
            return self.is_consumer_group
        return topic in self.topics

    # -- the log

    def _enter(self, state: GroupState, now_ms: int) -> None:
        self.state = state
        self.since_ms = now_ms

    def _write(self, out: Outcome, assigned: dict[str, bytes] | None = None, now_ms: int | None = None) -> None:
        """Write the group down, in the place of the one that it supersedes."""
        if self.supersedes is not None:
            out.records.extend(self.supersedes.tombstones())
        out.records.append(self._as_record(assigned, now_ms))

    def _as_record(self, assigned: dict[str, bytes] | None = None, now_ms: int | None = None) -> tuple[bytes, bytes]:
        """The group as it is, or as it will be with these assignments."""
        members = [
            member.stored(self.protocol, member.assignment if assigned is None else assigned.get(member.member_id, b""))
            for member in self.members
        ]
        since_ms = self.since_ms if now_ms is None else now_ms
        value = GroupMetadataValue(
            protocol_type=self.protocol_type or "",
            generation=self.generation,
            protocol=self.protocol,
            leader=self.leader,
            current_state_timestamp=-1 if since_ms is None else since_ms,
            members=members,
        )
        return group_key(self.group_id), group_value(value)

    def replay(self, key: GroupKey, value: bytes | None) -> None:
        if value is None:
            self.record, self.state = None, GroupState.DEAD
        else:
            self._become(parse_group(value), value)

    def _become(self, value: GroupMetadataValue, record: bytes) -> None:
        """Become what the record says. A live member keeps what the record does not hold: its other protocols."""
        known = {member.member_id: member for member in self.members}
        self.record, self.supersedes = record, None
        self.state = GroupState.STABLE if value.members else GroupState.EMPTY
        self.since_ms = None if value.current_state_timestamp == -1 else value.current_state_timestamp
        self.generation = value.generation
        self.protocol_type = value.protocol_type or None
        self.protocol = value.protocol
        self.leader = value.leader
        self.members.clear()
        for stored in value.members:
            member = known.get(stored.member_id)
            if member is None or not member.is_as(stored, value.protocol):
                member = Member.restored(self.group_id, stored, value.protocol)
            member.assignment = stored.assignment
            self.members.add(member)
        self.topics = self._subscribed_topics()

    @property
    def is_gone(self) -> bool:
        return self.state is GroupState.DEAD

    def live_records(self) -> Iterator[tuple[bytes, bytes]]:
        if self.supersedes is not None:
            yield from self.supersedes.live_records()
        if self.record is not None:
            yield group_key(self.group_id), self.record

    def tombstones(self) -> Iterator[KeyValue]:
        if self.supersedes is not None:
            yield from self.supersedes.tombstones()
        yield group_key(self.group_id), None

    def _subscribed_topics(self) -> frozenset[str] | None:
        if not self.is_consumer_group:
            return None
        return subscribed_topics(member.metadata(self.protocol) for member in self.members)
