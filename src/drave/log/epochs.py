"""Where each leader epoch of a partition began (KIP-101): how a client notices that the log was cut back.

0                 version
2                 entries
0 0               epoch 0 began at offset 0
3 1712            epoch 3 at offset 1712; what epochs 0 to 2 wrote ends there
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from drave.model.errors import DraveError

UNKNOWN: Final = (-1, -1)
_VERSION: Final = "0"


class DamagedEpochs(DraveError):
    """A `leader-epoch-checkpoint` that is not whole, or not one."""


class LeaderEpochs:
    """Epochs and the offsets at which they began, both rising."""

    __slots__ = ("_epochs", "_starts", "changed")

    def __init__(self, entries: list[tuple[int, int]] | None = None) -> None:
        self._epochs = [epoch for epoch, _ in entries or ()]
        self._starts = [start for _, start in entries or ()]
        self.changed = False
        """Whether the file lacks something."""

    @property
    def latest(self) -> int:
        return self._epochs[-1] if self._epochs else -1

    @property
    def entries(self) -> list[tuple[int, int]]:
        return list(zip(self._epochs, self._starts, strict=True))

    def assign(self, epoch: int, start: int) -> None:
        """`epoch` writes from `start` on. An epoch that wrote nothing leaves no trace."""
        if epoch <= self.latest:
            return
        while self._starts and self._starts[-1] >= start:
            self._epochs.pop()
            self._starts.pop()
        self._epochs.append(epoch)
        self._starts.append(start)
        self.changed = True

    def cut_end(self, end: int) -> None:
        """The log was cut back to `end`."""
        while self._starts and self._starts[-1] >= end:
            self._epochs.pop()
            self._starts.pop()
            self.changed = True

    def cut_start(self, start: int) -> None:
        """The log begins at `start` now."""
        at = bisect_right(self._starts, start) - 1
        if at > 0 or (at == 0 and self._starts[0] < start):
            del self._epochs[:at]
            del self._starts[:at]
            self._starts[0] = start
            self.changed = True

    def epoch_at(self, offset: int) -> int:
        """The epoch that wrote `offset`; -1 when nobody knows."""
        at = bisect_right(self._starts, offset) - 1
        return self._epochs[at] if at >= 0 else -1

    def end_of(self, epoch: int, *, current: int, end: int) -> tuple[int, int]:
        """OffsetForLeaderEpoch: the largest epoch up to `epoch` that is known here, and where its writes end.

        `current` is the epoch that writes now, `end` the log's end. (-1, -1) for an epoch that is not known.
        """
        if epoch < 0 or epoch > current:
            return UNKNOWN
        if epoch == current:
            return epoch, end
        after = bisect_right(self._epochs, epoch)
        next_start = self._starts[after] if after < len(self._starts) else end
        return (self._epochs[after - 1] if after else epoch), next_start

    def encode(self) -> bytes:
        lines = [_VERSION, str(len(self._epochs)), *(f"{epoch} {start}" for epoch, start in self.entries)]
        return ("\n".join(lines) + "\n").encode()

    @classmethod
    def decode(cls, data: bytes) -> LeaderEpochs:
        """Raises DamagedEpochs."""
        try:
            version, count, *lines = data.decode().splitlines()
            entries = [(int(epoch), int(start)) for epoch, start in (line.split() for line in lines)]
            if version.strip() != _VERSION or int(count) != len(entries):
                raise ValueError
        except ValueError:
            raise DamagedEpochs(f"a leader epoch checkpoint of {len(data)} bytes is not whole") from None
        return cls(entries)
