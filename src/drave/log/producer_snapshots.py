"""The `.snapshot` file of a partition's producers: Kafka's format, and what we know besides behind it.

    version, CRC, count │ entry entry entry … │ magic │ heard heard heard … │ more more …
                          last batch of each            when, by our clock    the batches before each one's last

A snapshot says how all producers were at one offset. A hundred thousand of them take a tenth of a second to encode, and
nobody may be kept waiting that long. So it is drafted in slices while batches go on coming; the draft notes who changes
meanwhile, and whoever takes it encodes those few once more.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from crc32c import crc32c

if TYPE_CHECKING:
    from drave.log.producers import Producer

SLICE: Final = 1000
"""Producers that are encoded in one go, in some 1.5 ms."""

NONE: Final = -1
VERSION: Final = 1
HEAD: Final = struct.Struct(">hIi")  # version, CRC, how many
CRC_END: Final = 6
ENTRY: Final = struct.Struct(">qhiqiqiq")
MORE_MAGIC: Final = b"DRVC"
HEARD: Final = struct.Struct(">q")  # of each producer, in the order of Kafka's part
MORE: Final = struct.Struct(">qiqq")  # producer id, base sequence, base offset, last offset

_CRC_PIECE: Final = 1 << 20
_BOTH: Final = struct.Struct(ENTRY.format + "q")  # an entry, and when its producer was heard of


def is_quick(producers: int) -> bool:
    """Whether a snapshot of so many may be made in one go."""
    return producers <= SLICE


class Draft:
    """A snapshot on its way."""

    __slots__ = ("_at", "_encoded", "_waiting", "changed")

    def __init__(self, producer_ids: Iterable[int]) -> None:
        self._waiting = list(producer_ids)
        self._at = 0
        self._encoded: dict[int, bytes] = {}
        self.changed: set[int] = set()
        """Those that came, sent something or were forgotten since they were encoded, if they were."""

    @property
    def is_nearly_done(self) -> bool:
        """Whether what is left is no more than a slice."""
        return self._at == len(self._waiting) and len(self.changed) <= SLICE

    def go_on(self, producers: Mapping[int, Producer]) -> None:
        """Encode a slice."""
        if self._at == len(self._waiting):
            self._waiting, self._at, self.changed = list(self.changed), 0, set()
        end = min(self._at + SLICE, len(self._waiting))
        self._encode(self._waiting[self._at : end], producers)
        self._at = end

    def finish(self, producers: Mapping[int, Producer]) -> Collection[bytes]:
        """All of them, as they are now; for `assemble`."""
        self._encode(self._waiting[self._at :], producers)
        self._encode(self.changed, producers)
        return self._encoded.values()

    def _encode(self, producer_ids: Iterable[int], producers: Mapping[int, Producer]) -> None:
        encoded = self._encoded
        for producer_id in producer_ids:
            producer = producers.get(producer_id)
            if producer is None:
                encoded.pop(producer_id, None)
            else:
                encoded[producer_id] = _encode(producer_id, producer)


def _encode(producer_id: int, producer: Producer) -> bytes:
    batches = producer.batches
    if not batches:
        sequence = last_offset = NONE
        delta = 0
    else:
        last = batches[-1]
        sequence, last_offset, delta = last.last_sequence, last.last_offset, last.last_offset - last.base_offset
    both = _BOTH.pack(
        producer_id,
        producer.epoch,
        sequence,
        last_offset,
        delta,
        producer.last_timestamp,
        producer.coordinator_epoch,
        producer.transaction_start,
        producer.last_ms,
    )
    if len(batches) < 2:
        return both
    pack = MORE.pack
    more = [pack(producer_id, sent.base_sequence, sent.base_offset, sent.last_offset) for sent in batches]
    return b"".join([both, *more[:-1]])


def assemble(encoded: Collection[bytes]) -> bytearray:
    """The file's content; on any thread, for these bytes are nobody else's. In pieces: one long call would hold the
    interpreter, and the loop with it."""
    entry, both = ENTRY.size, _BOTH.size
    data = bytearray(HEAD.pack(VERSION, 0, len(encoded)))
    for first, start, end in ((b"", 0, entry), (MORE_MAGIC, entry, both), (b"", both, None)):
        data += first
        each = iter(encoded)
        for _ in range(0, len(encoded), SLICE):
            data += b"".join([one[start:end] for one in islice(each, SLICE)])
    crc = 0
    with memoryview(data) as view:
        for at in range(CRC_END, len(data), _CRC_PIECE):
            crc = crc32c(view[at : at + _CRC_PIECE], crc)
    struct.pack_into(">I", data, CRC_END - 4, crc)
    return data
