"""How quick the disk is, and so where the next commit runs, and how long it may wait for company.

    write … write … write ─┬─ quick disk: one sync here, on the loop     nobody is woken, or waits for the interpreter
      while each turn      │
      of the loop brings   └─ slow disk: one sync on its own thread      the loop goes on
      more of them

A commit on the loop stops everybody for as long as a sync takes. So it is worth waiting for more writes to share it, as
long as they keep coming, but no longer than makes the sync a small part of the whole.
"""

from __future__ import annotations

from typing import Final

RECENT: Final = 0.2
"""The weight of the newest sync in the average of recent ones."""

DOUBTFUL: Final = 0.03
"""The weight of a high time that was taken on another thread: it is the sync's, and then the wait for an interpreter
that a busy loop does not let go of. A low one cannot be wrong."""

PATIENCE: Final = 16
"""A commit on the loop waits for more up to so many times as long as a sync takes. The sync is a small part then, and
64 clients, each of whom costs some 20 us, come together."""

BYTES_MAX: Final = 512 * 1024
"""What takes longer to write than to sync is not for the loop."""


class Pace:
    """The recent syncs of the journal."""

    __slots__ = ("_quick_s", "sync_s")

    def __init__(self, quick_us: int) -> None:
        self._quick_s = quick_us / 1e6
        self.sync_s = 0.0
        """How long they took."""

    def note(self, seconds: float, *, on_loop: bool) -> None:
        """A write to the journal, with its sync, took so long."""
        weight = RECENT if on_loop or seconds < self.sync_s else DOUBTFUL
        self.sync_s += weight * (seconds - self.sync_s)

    @property
    def is_quick(self) -> bool:
        """Whether the loop may wait for a sync."""
        return self.sync_s < self._quick_s

    @property
    def patience_s(self) -> float:
        """How long a commit may wait for more writes."""
        return PATIENCE * self.sync_s if self.is_quick else 0.0
