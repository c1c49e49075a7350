"""What the settings and a group's own configs say about streams groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drave.broker.coordinator.group import Surroundings

STANDBY_REPLICAS: Final = "num.standby.replicas"
"""The one config that an assignment depends on, under the name that its record has for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamsLimits:
    """Kafka's names are `group.streams.…` on the broker, and `streams.…` on a group."""

    session_timeout_ms: int
    heartbeat_interval_ms: int
    assignment_interval_ms: int
    """How long one assignment stands before the next one is made."""
    initial_rebalance_delay_ms: int
    standby_replicas: int
    size_max: int

    @classmethod
    def of(cls, group_id: str, surroundings: Surroundings) -> StreamsLimits:
        """As they are now."""
        number = surroundings.config(group_id).number
        return cls(
            session_timeout_ms=number("streams.session.timeout.ms"),
            heartbeat_interval_ms=number("streams.heartbeat.interval.ms"),
            assignment_interval_ms=number("streams.assignment.interval.ms"),
            initial_rebalance_delay_ms=number("streams.initial.rebalance.delay.ms"),
            standby_replicas=number("streams.num.standby.replicas"),
            size_max=surroundings.limits.streams_size_max,
        )

    @property
    def assignment_configs(self) -> dict[str, str]:
        """What an assignment has to be made anew for when it changes."""
        return {STANDBY_REPLICAS: str(self.standby_replicas)}
