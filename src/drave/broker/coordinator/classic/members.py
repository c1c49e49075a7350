"""One member of a classic group, and the JoinGroup by which it comes.

A *dynamic* member is known by the id that the coordinator gave it. A *static* one (KIP-345) brings an instance id of
its own; the member id behind it changes each time it starts, and whoever still uses an old one is fenced. A *pending*
member was given an id and has yet to join with it (KIP-394).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drave.broker.coordinator.group import Caller, session_timer
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import join_refused
from drave.broker.coordinator.schemas.offsets_topic import MemberMetadata
from drave.model.errors import ErrorCode
from drave.wire.messages.k11_join_group import JoinGroupRequest

NO_MEMBER_ID: Final = ""

_MEMBER_ID_FIRST_SINCE: Final = 4
"""JoinGroup versions whose dynamic members have to know their id before they are taken in (KIP-394)."""

Protocols = tuple[tuple[str, bytes], ...]
"""Names of assignors, the preferred first, each with the member's metadata for it."""


@dataclass(frozen=True, slots=True)
class Joiner(Caller):
    """Who wants to be a member, perhaps without an id: `fresh_id` makes one unique."""

    api_version: int
    fresh_id: str


class Join:
    """A JoinGroup request: what it says, who sends it, and the token to answer."""

    __slots__ = ("by", "protocols", "request", "token")

    def __init__(self, request: JoinGroupRequest, by: Joiner, token: Token) -> None:
        self.request = request
        self.by = by
        self.token = token
        self.protocols: Protocols = tuple((protocol.name, protocol.metadata) for protocol in request.protocols)

    @property
    def rebalance_timeout_ms(self) -> int:
        """JoinGroup v0 has none of its own."""
        request = self.request
        return request.session_timeout_ms if request.rebalance_timeout_ms < 0 else request.rebalance_timeout_ms

    @property
    def needs_its_id(self) -> bool:
        """Whether it is of a new dynamic member, which gets an id and has to come back with it."""
        is_new = self.request.member_id == NO_MEMBER_ID and self.request.group_instance_id is None
        return is_new and self.by.api_version >= _MEMBER_ID_FIRST_SINCE

    def refuse(self, code: ErrorCode, member_id: str, out: Outcome) -> None:
        """Answer that it comes to nothing."""
        out.reply(self.token, join_refused(code, self.by.api_version, member_id))

    def as_member(self, member_id: str) -> Member:
        """The member that it asks to be."""
        return Member(
            self.request.group_id,
            member_id,
            instance_id=self.request.group_instance_id,
            client_id=self.by.client_id,
            client_host=self.by.client_host,
            session_timeout_ms=self.request.session_timeout_ms,
            rebalance_timeout_ms=self.rebalance_timeout_ms,
            protocols=self.protocols,
        )


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
