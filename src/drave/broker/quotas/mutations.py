"""What requests may change in the catalog: partitions that are made or deleted (KIP-599).

Clients that know THROTTLING_QUOTA_EXCEEDED are refused while the bucket is overdrawn, and try again after the wait that
the response gives. Older ones have what they ask for, and wait afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drave.broker.quotas.clients import NO_LIMITS
from drave.model.errors import ErrorCode, ProtocolError

if TYPE_CHECKING:
    from drave.broker.context import Context
    from drave.broker.core import Broker


class ThrottlingQuotaExceeded(ProtocolError):
    """The client has changed more than it may."""

    code = ErrorCode.THROTTLING_QUOTA_EXCEEDED

    def __init__(self, wait_ms: int) -> None:
        super().__init__(wait_ms)
        self.wait_ms = wait_ms

    def __str__(self) -> str:
        return f"The client's controller_mutation_rate is used up; it may go on in {self.wait_ms} ms."


class Mutations:
    """What one request changes."""

    def __init__(self, broker: Broker, context: Context, *, strict_since: int) -> None:
        """`strict_since` is the first version of the request whose clients know what a refusal means."""
        quotas = broker.quotas
        self._bucket = (quotas.limits_of(context.client_id) if quotas.are_set else NO_LIMITS).mutation
        self._clock = broker.clock
        self._strict = context.api_version >= strict_since
        self._until_ms = 0.0

    def take(self, partitions: int) -> None:
        """Before so many are made or deleted, or it is found that they could be. Raises ThrottlingQuotaExceeded."""
        if self._bucket is None:
            return
        now_ms = self._clock.monotonic() * 1000
        if self._strict and (wait_ms := self._bucket.wait_ms(now_ms)):
            self._until_ms = now_ms + wait_ms
            raise ThrottlingQuotaExceeded(wait_ms)
        self._bucket.record(partitions, now_ms)
        if not self._strict:
            self._until_ms = now_ms + self._bucket.wait_ms(now_ms)

    @property
    def wait_ms(self) -> int:
        """How long the client has to wait, as the response tells it."""
        return max(0, round(self._until_ms - self._clock.monotonic() * 1000)) if self._until_ms else 0
