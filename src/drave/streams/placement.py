"""Where a key belongs, and whose a partition is: Kafka's own partitioner and assignor, as far as we foresee them.

Java clients (and Drave Streams) place a key by murmur2, librdkafka's producers by CRC-32 unless they are told
otherwise. Two topics that were written by different ones have the same keys in different partitions: what is joined
then never meets, without any error. So the first records of what is joined are looked at.

The range assignor knows members by their names only. So who will be given a partition when its owner goes is known
before that, and standby copies wait there.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

from drave.streams.transport import Message

logger = logging.getLogger("drave.streams")

LOOKED_AT: Final = 32
"""Records with a key, of each place."""

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = 0x5BD1E995
_WORD: Final = 0xFFFFFFFF
_POSITIVE: Final = 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's default partitioner puts a key: murmur2 (Austin Appleby's, with Kafka's seed), made positive."""
    return (murmur2(key) & _POSITIVE) % partitions


def murmur2(data: bytes) -> int:
    """32 bits, unsigned."""
    length = len(data)
    state = _SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _MULTIPLIER & _WORD
        word = (word ^ word >> 24) * _MULTIPLIER & _WORD
        state = state * _MULTIPLIER & _WORD ^ word
    if rest := data[whole:]:
        state = (state ^ int.from_bytes(rest, "little")) * _MULTIPLIER & _WORD
    state = (state ^ state >> 13) * _MULTIPLIER & _WORD
    return state ^ state >> 15


def range_owner(partition: int, partitions: int, members: Sequence[str]) -> str:
    """Whose a partition is by Kafka's range assignor: everybody has a run of them, the first few one more."""
    each, more = divmod(partitions, len(members))
    wide = more * (each + 1)
    if partition < wide:
        return members[partition // (each + 1)]
    return members[more + (partition - wide) // each]


def heirs(partition: int, partitions: int, members: Iterable[str], owner: str, how_many: int) -> list[str]:
    """Whose it is when its owner goes; then whose, when that one goes too; and so on."""
    left = sorted(set(members) - {owner})
    found: list[str] = []
    while left and len(found) < how_many:
        found.append(range_owner(partition, partitions, left))
        left.remove(found[-1])
    return found


class PlacementWatch:
    """Warns once for each topic whose keys do not lie where they belong."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, int], int] = {}
        self._warned: set[str] = set()

    def look(self, message: Message, partitions: int) -> None:
        """Look at one record of a topic that is joined with others."""
        topic, partition, key = message.topic(), message.partition(), message.key()
        left = self._left.get((topic, partition), LOOKED_AT)
        if key is None or left == 0 or topic in self._warned:
            return
        self._left[topic, partition] = left - 1
        if partition_of(key, partitions) == partition:
            return
        self._warned.add(topic)
        if zlib.crc32(key) % partitions == partition:
            why = 'its producer places keys by CRC-32; give it partitioner="murmur2_random", or write the topic anew'
        else:
            why = "its producer chose the partition by something else than the key; group_by() brings them together"
        logger.warning(
            "%s: the key %r lies in partition %d, and what it is joined with in %d: they will not meet. %s",
            topic, key[:80], partition, partition_of(key, partitions), why,
        )  # fmt: skip
