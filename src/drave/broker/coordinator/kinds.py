"""What the parts of the group coordinator pass to one another."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from drave.broker.coordinator.members import Member, Protocols
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    """What the settings say about classic groups; names are those of `BrokerSettings`."""

    session_timeout_ms_min: int = 6_000
    session_timeout_ms_max: int = 1_800_000
    size_max: int = (1 << 31) - 1
    initial_rebalance_delay_ms: int = 0
    new_member_join_timeout_ms: int = 300_000
    """How long the first join of a member may wait: nobody knows whether its client is still there. As in Kafka."""
    offset_metadata_max: int = 4096
    offsets_retention_ms: int = 7 * 24 * 60 * 60 * 1000


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
