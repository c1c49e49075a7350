"""Reading batches of one segment, now or beside the loop.

    start ─▶ | batch | batch | batch | batch | batch |
             at ▲                    ▲ end: where the batches below the limit end

A plan is made on the thread that owns the log and may be carried out on another: it holds all that is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from drave.store.disk import File
from drave.store.segment import Segment
from drave.store.transaction_index import AbortedTransaction, TransactionView, aborted_between


class Batches:
    """Whole record batches, as they lie on disk."""

    __slots__ = ("aborted", "more", "parts", "size")

    def __init__(
        self, parts: list[memoryview], size: int, more: bool, aborted: Sequence[AbortedTransaction] = ()
    ) -> None:
        self.parts = parts
        self.size = size
        self.more = more
        """Whether there is more below the limit: the bound, or the end of a segment, cut it short."""
        self.aborted = aborted
        """The aborted transactions among them, by first offset; only where they were asked for."""


NO_BATCHES: Final = Batches([], 0, False)


class Plan(NamedTuple):
    """What to read from one segment."""

    segment: Segment
    file: File
    start: int
    limit: int
    end: int
    """Where the batches below `limit` end; -1: that has to be looked up."""
    recent: int
    """What lies from here on is in memory: reading it cannot wait for the disk."""
    is_last: bool
    """Whether no later segment has anything below `limit`."""
    aborted: Sequence[TransactionView] = ()
    """Where aborted transactions are to be looked up: from this segment on."""


def read_batches(plan: Plan, bytes_max: int, *, whole_first: bool, now: bool) -> Batches | None:
    """Read as planned; None when this segment has nothing from the start on, but the next may.

    With `now`, WouldBlock when the disk would have to be waited for.
    """
    segment, file, start, limit, end, recent, is_last, aborted = plan
    at = segment.locate(file, start, now=now)
    if end < 0:
        end = segment.locate(file, limit, now=now)
    if at >= end:
        return None
    data = segment.read(file, at, end, bytes_max, whole_first=whole_first, now=now and at < recent)
    is_all = len(data) == end - at
    if is_all:
        segment.hint(limit, end)  # whoever read to the limit comes back for what follows
    if not aborted:
        return Batches([data], len(data), not (is_all and is_last))
    next_offset = limit if is_all and is_last else segment.whole(data, at, now=now)[1]
    found = aborted_between(aborted, start, next_offset, now=now)
    return Batches([data], len(data), not (is_all and is_last), found)
