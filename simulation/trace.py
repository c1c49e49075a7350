"""What happened in a run, one line after another, and the digest of it.

Two runs with one digest are the same run. Lines are made of numbers, names and bytes only: never of anything whose text
depends on the process, such as an address in memory or the order of a set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import IO


class Trace:
    """Takes note. `out` is written to as well, for people."""

    def __init__(self, now: Callable[[], float], out: IO[str] | None = None) -> None:
        self._now = now
        self._out = out
        self._hash = hashlib.blake2b(digest_size=8)

    def note(self, what: str, *facts: object) -> None:
        """Something happened now."""
        line = f"{self._now():11.6f} {what} {' '.join(map(str, facts))}\n"
        self._hash.update(line.encode())
        if self._out is not None:
            self._out.write(line)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
