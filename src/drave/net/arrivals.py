"""Who is let in: how many connections there may be, of all and of one address, and how quickly new ones may come.

    connection ─▶ too many? ──▶ refused at once            max.connections, max.connections.per.ip
              ─▶ too soon? ───▶ refused after a wait       connection_creation_rate of its address (KIP-612)
              ─▶ its turn ────▶ muted until then           max.connection.creation.rate

Kafka stops accepting while the broker's own rate is passed, so that the next ones wait for those before them. Here they
are accepted, and muted for as long as they would have waited there. All times are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from drave.broker.quotas import Rate, Windows
from drave.model.config import INT_MAX
from drave.model.quotas import CONNECTION_CREATION_RATE, IP, Entity, Quotas, canonical_address
from drave.model.settings import BrokerSettings


class Verdict(NamedTuple):
    """What becomes of a new connection."""

    wait_s: float = 0.0
    """Until it may ask, or until it is closed."""
    refused: str = ""
    """The bound that it would pass."""


class Arrivals:
    """The connections that there are, by address, and how quickly they have come."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._windows = Windows(settings.quota_windows, settings.quota_window_seconds * 1000)
        self._all = Rate(INT_MAX, self._windows)
        self._free_at_ms = 0.0
        """When the next one may come in, as far as the broker's rate is concerned."""
        self._here: dict[str, int] = {}
        self._bounds: dict[str | None, float] = {}
        self._rates: dict[str, Rate] = {}

    def follow(self, quotas: Mapping[Entity, Quotas]) -> None:
        """The quotas are others now."""
        self._bounds = {
            name if name is None else canonical_address(name): each[CONNECTION_CREATION_RATE]
            for ((kind, name), *_), each in quotas.items()
            if kind == IP
        }

    def come(self, host: str, settings: BrokerSettings, now: float) -> Verdict:
        """A connection is there, at `now` in seconds. Who is not refused is counted until it `goes`."""
        address = canonical_address(host) or host
        overrides = dict(settings.connections_per_ip_overrides)
        most = overrides.get(address, settings.connections_per_ip_max)
        here = self._here.get(address, 0)
        if here >= most:
            return Verdict(refused=f"max.connections.per.ip={most}")
        if wait_ms := self._wait_of_address_ms(address, now * 1000):
            bound = self._rates[address].bound
            return Verdict(wait_ms / 1000, f"{CONNECTION_CREATION_RATE}={bound:.0f}")
        self._here[address] = here + 1
        return Verdict(self._wait_of_all_ms(settings.connection_creation_rate_max, now * 1000) / 1000)

    def goes(self, host: str) -> None:
        """A connection that was counted is closed."""
        address = canonical_address(host) or host
        left = self._here[address] - 1
        if left:
            self._here[address] = left
        else:
            del self._here[address]

    def sweep(self, now: float) -> None:
        """Forget addresses from which nobody has come for as long as counts."""
        self._rates = {address: rate for address, rate in self._rates.items() if not rate.is_idle(now * 1000)}

    def _wait_of_address_ms(self, address: str, now_ms: float) -> float:
        """0 where it may come in, and is counted."""
        bound = self._bounds.get(address, self._bounds.get(None))
        if bound is None:
            return 0
        rate = self._rates.get(address)
        if rate is None:
            rate = self._rates[address] = Rate(bound, self._windows)
        rate.bound = bound
        wait_ms = min(rate.wait_ms(now_ms, more=1), self._windows.ms)
        if not wait_ms:
            rate.record(1, now_ms)
        return wait_ms

    def _wait_of_all_ms(self, bound: int, now_ms: float) -> float:
        """How long until its turn, behind those that wait already."""
        if bound == INT_MAX:
            return 0
        self._all.bound = bound
        turn_ms = max(now_ms, self._free_at_ms)
        self._all.record(1, turn_ms)
        self._free_at_ms = turn_ms + min(self._all.wait_ms(turn_ms), self._windows.ms)
        return self._free_at_ms - now_ms
