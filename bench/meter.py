"""Whose processor time a measurement takes: the broker's, or the bench's own.

A generator in Python runs on one core: near 100 % of it, the figure beside it is the generator's and not the broker's.
librdkafka works on threads of its own, so there the share may be more than one core.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.brokers import BrokerProcess


@dataclass(slots=True)
class Span:
    """Seconds that passed, and seconds of processor time in them."""

    seconds: float = 0.0
    client_s: float = 0.0
    broker_s: float = 0.0

    @property
    def client_share(self) -> float:
        """Of one core."""
        return self.client_s / self.seconds

    @property
    def broker_share(self) -> float:
        """Of one core; a broker with many threads may take more than one."""
        return self.broker_s / self.seconds


class Meter:
    """Spans of one row, by the figure they stand beside."""

    def __init__(self, broker: BrokerProcess) -> None:
        self._broker = broker
        self.spans: dict[str, Span] = {}

    @contextlib.contextmanager
    def span(self, name: str) -> Iterator[Span]:
        """Measure what happens inside; filled in at its end."""
        span = self.spans[name] = Span()
        broker, client, began = self._broker.cpu_seconds(), time.process_time(), time.perf_counter()
        yield span
        span.seconds = time.perf_counter() - began
        span.client_s = time.process_time() - client
        span.broker_s = self._broker.cpu_seconds() - broker
