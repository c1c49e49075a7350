"""How much was used a second, and how long it takes until that is no more than it may be.

    Rate           |  window  |  window  |    …     |  now  |     what was used in the last windows, over their time
    TokenBucket    tokens: + bound each second, at most what all windows bring; − what is used

Both are Kafka's, so that a quota means the same. The windows' time counts as if all but one had passed, so that who has
just come may use in one go what the quota gives in that time. A wait is what it takes to stretch the time until the
rate is right, were nothing else used meanwhile. The bound may change at any moment; what was used stays.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from drave.model.config import INT_MAX


@dataclass(frozen=True, slots=True)
class Windows:
    """How much of the past counts: so many windows, of so long each, the one that is not over among them."""

    count: int
    ms: int


class _Window:
    """What was used from its beginning on, and when for the last time."""

    __slots__ = ("last_ms", "start_ms", "used")

    def __init__(self, start_ms: float) -> None:
        self.start_ms = self.last_ms = start_ms
        self.used = 0.0


class Rate:
    """What was used over the last windows. A window begins with the first use after the one before is over."""

    __slots__ = ("_past", "bound", "windows")

    def __init__(self, bound: float, windows: Windows) -> None:
        self.bound = bound
        """What may be used each second."""
        self.windows: Final = windows
        self._past: deque[_Window] = deque()

    @property
    def most_at_once(self) -> float:
        """Whoever uses more than this at one time has to wait, even if nothing else was used."""
        return self.bound * (self.windows.count - 1) * self.windows.ms / 1000

    def record(self, used: float, now_ms: float) -> None:
        """So much was used just now. Times never go back."""
        past = self._past
        if not past or now_ms - past[-1].start_ms >= self.windows.ms:
            past.append(_Window(now_ms))
            if len(past) > self.windows.count + 1:
                past.popleft()
        past[-1].used += used
        past[-1].last_ms = now_ms

    def wait_ms(self, now_ms: float, *, more: float = 0.0) -> int:
        """How long until the rate is within its bound; as if `more` had been used too. 0 where it is."""
        over_ms = self._over_ms(now_ms)
        most = self.bound * over_ms / 1000
        used = sum(window.used for window in self._past) + more
        return _bounded_ms((used - most) / most * over_ms) if used > most else 0

    def is_idle(self, now_ms: float) -> bool:
        """Whether nothing that was used counts any more: a new one would be the same."""
        oldest_ms = now_ms - self.windows.count * self.windows.ms
        while self._past and self._past[0].last_ms <= oldest_ms:
            self._past.popleft()
        return not self._past

    def _over_ms(self, now_ms: float) -> float:
        """The time that what was used is spread over: a window that overlaps with what counts counts whole."""
        elapsed_ms = 0.0 if self.is_idle(now_ms) else now_ms - self._past[0].start_ms
        missing = self.windows.count - 1 - int(elapsed_ms / self.windows.ms)
        return max(elapsed_ms + max(missing, 0) * self.windows.ms, 1.0)


class TokenBucket:
    """What may be used at once after a pause (KIP-599). It may be overdrawn one time, and has to fill again then."""

    __slots__ = ("_at_ms", "_gone", "_windows_s", "bound")

    def __init__(self, bound: float, windows: Windows) -> None:
        self.bound = bound
        """The tokens that come each second."""
        self._windows_s: Final = windows.count * windows.ms / 1000
        self._gone = 0.0
        """What is missing for it to be full."""
        self._at_ms = 0.0

    def record(self, used: float, now_ms: float) -> None:
        """So much was used just now."""
        self._gone = self._gone_now(now_ms) + used
        self._at_ms = now_ms

    def wait_ms(self, now_ms: float) -> int:
        """How long until it is no longer overdrawn. 0 where it is not."""
        overdrawn = self._gone_now(now_ms) - self._windows_s * self.bound
        return _bounded_ms(overdrawn / self.bound * 1000) if overdrawn > 0 else 0

    def is_idle(self, now_ms: float) -> bool:
        """Whether it is full: a new one would be the same."""
        return self._gone_now(now_ms) <= 0

    def _gone_now(self, now_ms: float) -> float:
        return max(0.0, self._gone - (now_ms - self._at_ms) / 1000 * self.bound)


def _bounded_ms(wait_ms: float) -> int:
    """A wait as the protocol has it: a whole number that fits into its field."""
    return round(min(wait_ms, INT_MAX))
