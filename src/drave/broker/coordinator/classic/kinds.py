"""What the parts of a classic group pass to one another."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from drave.broker.coordinator.classic.members import Member, Protocols
from drave.broker.coordinator.outcome import Outcome, Token
from drave.broker.coordinator.refusals import join_refused
from drave.model.errors import ErrorCode
from drave.wire.messages.k11_join_group import JoinGroupRequest


class GroupState(enum.StrEnum):
    """Kafka's names, as tools show them."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


@dataclass(frozen=True, slots=True)
class Joiner:
    """Who sends a JoinGroup, beside what the request says. `fresh_id` makes a member id unique."""

    client_id: str
    client_host: str
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
