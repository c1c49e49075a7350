"""Time and chance as things that are given, so that a simulation can give its own.

`Clock` and `Entropy` are what pure code may be handed; `Scheduler` is the part of an asyncio loop that the broker uses
for timers, so a real loop satisfies it as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from drave.model.ids import TopicId


class Clock(Protocol):
    """The time: on the wall for timestamps, monotonic for durations."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC. May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment. Never goes back."""
        ...


class Entropy(Protocol):
    """Where ids and chance come from."""

    def topic_id(self) -> TopicId:
        """A fresh random id (UUID version 4), never zero and never starting with a dash in Kafka's text form."""
        ...

    def uuid_text(self) -> str:
        """A fresh random UUID in its 36-character form: member ids, cluster ids."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A random float in [low, high]."""
        ...


class Timer(Protocol):
    """What `Scheduler` returns: something that can be called off."""

    def cancel(self) -> None: ...


class Scheduler(Protocol):
    """Timers and wake-ups on the broker's one thread. An asyncio loop is one."""

    def time(self) -> float: ...

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> Any: ...

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> Any: ...

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer: ...
