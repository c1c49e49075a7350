"""Which partition of `__consumer_offsets` a group lives in: Kafka's own choice, so that a folder keeps its groups."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_MASK: Final = 0xFFFF_FFFF
_SIGN: Final = 0x8000_0000


def java_hash(text: str) -> int:
    """Java's `String.hashCode`: over UTF-16 units, as a signed 32-bit number."""
    units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    value = 0
    for unit in units:
        value = (value * 31 + unit) & _MASK
    return value - (_MASK + 1) if value & _SIGN else value


@lru_cache(maxsize=4096)
def partition_for(group_id: str, partitions: int) -> int:
    """The partition of a group. The sign is dropped as Kafka drops it: by the absolute value, and the one number that
    has none counts as 0."""
    value = java_hash(group_id)
    return 0 if value == -_SIGN else abs(value) % partitions
