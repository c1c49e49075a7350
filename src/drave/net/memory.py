"""How much all sessions together may hold of requests that are still arriving.

A session has a small buffer of its own. A larger frame takes more, from this common bound, as its bytes arrive. When
the bound is reached, sessions wait for one another; one of them at a time may pass it, or two half-read frames could
wait for each other for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class ReceiveMemory:
    """A bound on bytes, shared by all sessions of a broker."""

    __slots__ = ("_bytes_max", "_privileged", "_waiting", "used")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._privileged: object | None = None
        self._waiting: deque[tuple[object, int, Callable[[], None]]] = deque()
        self.used = 0

    @property
    def is_short(self) -> bool:
        """Whether somebody waits, or has passed the bound: who can do with less gives the rest back."""
        return bool(self._waiting) or self.used > self._bytes_max

    def take(self, who: object, size: int, when_free: Callable[[], None]) -> bool:
        """Whether `who` may hold `size` bytes more. If not, `when_free` is called later, for it to ask again."""
        if self.used + size > self._bytes_max and self._privileged is not who:
            if self._privileged is not None:
                self._waiting.append((who, size, when_free))
                return False
            self._privileged = who
        self.used += size
        return True

    def give(self, who: object, size: int) -> None:
        """`who` holds `size` bytes less."""
        self.used -= size
        if self._privileged is who:
            self._privileged = None
        self._wake()

    def leave(self, who: object) -> None:
        """`who` has gone and waits for nothing."""
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not who)
        if self._privileged is who:
            self._privileged = None
        self._wake()

    def _wake(self) -> None:
        """Let as many ask again as can be given what they want; each of them asks, leaves, or gives sooner or later."""
        room = self._bytes_max - self.used
        while self._waiting and (self._waiting[0][1] <= room or self._privileged is None):
            _, size, when_free = self._waiting.popleft()
            when_free()
            room -= size
            if room < 0:
                return
