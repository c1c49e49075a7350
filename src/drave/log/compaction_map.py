"""The newest offset of each key, in memory that is set aside once.

    slot = | hash of the key, 64 bits | CRC of the key, 32 bits · offset - base, 32 bits |       16 bytes

The slots are one block, looked through from the hash on (open addressing): 21 bytes for each key when it is full, where
a dict of bytes would take 150, and no pause while it grows. Keys themselves are not kept. Two keys are taken for one if
both sums agree: the hash is Python's SipHash under a key that is drawn for each process, so nobody can look for such a
pair beforehand, and by accident it takes 2^48 keys.
"""

from __future__ import annotations

from typing import Final

from crc32c import crc32c

SLOT_BYTES: Final = 16
FILLED_MAX: Final = 0.75
"""Beyond that share, looking for a key takes long."""

SPAN_MAX: Final = (1 << 32) - 1
NOT_THERE: Final = -1

_HASH_MASK: Final = (1 << 64) - 1


class OffsetMap:
    """Takes keys with rising offsets until it is full."""

    __slots__ = ("_base", "_left", "_slots", "_words", "end")

    def __init__(self, base: int, keys: int, bytes_max: int) -> None:
        self._slots = max(4, min(int(keys / FILLED_MAX) + 1, bytes_max // SLOT_BYTES))
        self._words = memoryview(bytearray(self._slots * SLOT_BYTES)).cast("Q")
        self._left = int(self._slots * FILLED_MAX)
        self._base = base
        self.end = base
        """Every record below it has been taken, or needs no place here."""

    def put(self, key: bytes, offset: int) -> bool:
        """The record at `offset` has this key. False when there is no room for it."""
        words = self._words
        at, mark, tag = self._find(key)
        delta = offset - self._base
        if delta > SPAN_MAX:
            return False
        if not words[at]:
            if not self._left:
                return False
            self._left -= 1
            words[at] = mark
        words[at + 1] = tag | delta
        return True

    def newest(self, key: bytes) -> int:
        """The last offset that the key was put with; NOT_THERE when it was not."""
        at, _, _ = self._find(key)
        return self._base + (self._words[at + 1] & SPAN_MAX) if self._words[at] else NOT_THERE

    def _find(self, key: bytes) -> tuple[int, int, int]:
        """Where the key is or would be, and the sums that it is known by there."""
        words, end = self._words, 2 * self._slots
        mark = hash(key) & _HASH_MASK or 1
        tag = crc32c(key) << 32
        at = mark % self._slots * 2
        while (held := words[at]) and (held != mark or words[at + 1] & ~SPAN_MAX != tag):
            at += 2
            if at == end:
                at = 0
        return at, mark, tag
