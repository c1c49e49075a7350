"""Which quota counts for a client, and what was used of it.

    1, 2   this user with this client id, or with any other     counts for this user with this client id
    3      this user                                            for the user, with whatever client ids
    4, 5   any other user with this client id, or with any      for this user with this client id
    6      any other user                                       for the user
    7, 8   this client id, or any other                         for the client id, of whatever users

The first of the eight that has a quota counts, for each kind of quota by itself: Kafka's order, the most specific one
first. There is no authentication yet, so every user is ANONYMOUS. A client without an id has its user's quotas only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from drave.broker.quotas.rates import Rate, TokenBucket, Windows
from drave.model.quotas import (
    CLIENT_ID,
    CONSUMER_BYTE_RATE,
    CONTROLLER_MUTATION_RATE,
    IP,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
    USER,
    Entity,
    Quotas,
)

ANONYMOUS: Final = "ANONYMOUS"
SWEEP_EVERY_S: Final = 10.0
"""What was used so long ago that it no longer counts is looked for this often, and forgotten."""
CLIENTS_KEPT_MAX: Final = 1_000
"""The limits of so many clients are kept at hand; then they are all looked up anew."""

Scope = tuple[str | None, str | None]
"""Whose use counts together: a user's, a client id's, or that of both in one."""

Meter = TypeVar("Meter", Rate, TokenBucket)


@dataclass(frozen=True, slots=True)
class Limits:
    """One client's limits; None where it has none."""

    produce: Rate | None = None
    """Bytes of Produce requests."""
    fetch: Rate | None = None
    """Bytes of Fetch responses."""
    request: Rate | None = None
    """Hundredths of a second in which the broker was busy with its requests."""
    mutation: TokenBucket | None = None
    """Partitions that are made or deleted."""


NO_LIMITS: Final = Limits()


class ClientQuotas:
    """The quotas of users and client ids, and what was used of them."""

    def __init__(
        self, read: Callable[[], Mapping[Entity, Quotas]], *, windows: Windows, mutation_windows: Windows
    ) -> None:
        """`read` gives the quotas as they are now; `follow` has them read again."""
        self._read = read
        self._windows = windows
        self._mutation_windows = mutation_windows
        self._quotas: Mapping[Entity, Quotas] = {}
        self._clients: dict[str | None, Limits] = {}
        self._rates: dict[tuple[str, Scope], Rate] = {}
        self._buckets: dict[tuple[str, Scope], TokenBucket] = {}
        self._listeners: list[Callable[[], None]] = []
        self._swept_at = 0.0
        self.are_set = False
        """Whether anybody has a quota: all there is to look at while nobody has."""
        self.follow()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when what `limits_of` has said may no longer be so."""
        self._listeners.append(listener)

    def follow(self) -> None:
        """The quotas are others now. What was used stays."""
        self._quotas = {entity: quotas for entity, quotas in self._read().items() if entity[0][0] != IP}
        self.are_set = bool(self._quotas)
        self._look_up_anew()

    def limits_of(self, client_id: str | None) -> Limits:
        """What counts for this client; NO_LIMITS itself where nothing does."""
        limits = self._clients.get(client_id)
        if limits is None:
            if len(self._clients) >= CLIENTS_KEPT_MAX:
                self._clients.clear()
            limits = self._clients[client_id] = self._look_up(client_id or None)
        return limits

    def sweep(self, now: float) -> None:
        """Called every now and then, with the time in seconds: forget what no longer counts."""
        if now - self._swept_at < SWEEP_EVERY_S:
            return
        self._swept_at = now
        kept = len(self._rates) + len(self._buckets)
        self._rates = {key: rate for key, rate in self._rates.items() if not rate.is_idle(now * 1000)}
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if not bucket.is_idle(now * 1000)}
        if len(self._rates) + len(self._buckets) < kept:
            self._look_up_anew()

    # -- which one counts

    def _look_up(self, client_id: str | None) -> Limits:
        limits = Limits(
            produce=self._meter(PRODUCER_BYTE_RATE, client_id, self._rates, Rate, self._windows),
            fetch=self._meter(CONSUMER_BYTE_RATE, client_id, self._rates, Rate, self._windows),
            request=self._meter(REQUEST_PERCENTAGE, client_id, self._rates, Rate, self._windows),
            mutation=self._meter(
                CONTROLLER_MUTATION_RATE, client_id, self._buckets, TokenBucket, self._mutation_windows
            ),
        )
        return NO_LIMITS if limits == NO_LIMITS else limits

    def _meter(
        self,
        key: str,
        client_id: str | None,
        meters: dict[tuple[str, Scope], Meter],
        new: Callable[[float, Windows], Meter],
        windows: Windows,
    ) -> Meter | None:
        for entity, scope in in_order(ANONYMOUS, client_id):
            bound = self._quotas.get(entity, {}).get(key)
            if bound is not None:
                meter = meters.get((key, scope))
                if meter is None:
                    meter = meters[key, scope] = new(bound, windows)
                meter.bound = bound
                return meter
        return None

    def _look_up_anew(self) -> None:
        self._clients.clear()
        for listener in self._listeners:
            listener()


def in_order(user: str, client_id: str | None) -> Iterator[tuple[Entity, Scope]]:
    """Whose quotas may count for a client, the one that does first, and for whom its use counts then."""
    for name in (user, None):
        if client_id is not None:
            both = user, client_id
            yield ((CLIENT_ID, client_id), (USER, name)), both
            yield ((CLIENT_ID, None), (USER, name)), both
        yield ((USER, name),), (user, None)
    if client_id is not None:
        yield ((CLIENT_ID, client_id),), (None, client_id)
        yield ((CLIENT_ID, None),), (None, client_id)
