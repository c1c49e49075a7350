"""What a share-partition remembers of its records, and what is written down of that.

    start             where everything before has come to its end
      │ 5..7 ACKNOWLEDGED, 1st delivery │ 8 AVAILABLE, after 2 │ 9..20 ARCHIVED, after 5 │ …
      └ batches: offsets in a row that have the same state and the same count

What is acquired is not written down: a lock does not outlive the broker that gave it. What lies between batches has
never been delivered, as far as anybody knows.
"""

from __future__ import annotations

import enum
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from drave.broker.coordinator.schemas.share_state import STATE_TOPIC, StateBatchValue
from drave.schema import SchemaError


class RecordState(enum.IntEnum):
    """Kafka's numbers; LEAVING is ours and is never written."""

    AVAILABLE = 0
    ACQUIRED = 1
    ACKNOWLEDGED = 2
    LEAVING = 3
    """Given up, but not before its dead letter is durable."""
    ARCHIVED = 4


TERMINAL: Final = frozenset({RecordState.ACKNOWLEDGED, RecordState.ARCHIVED})
_WRITTEN: Final = {int(state): state for state in (RecordState.AVAILABLE, *TERMINAL)}


class StateBatch(NamedTuple):
    """What is known of some offsets in a row; both ends are of them."""

    first: int
    last: int
    state: RecordState
    delivery_count: int


class Progress(msgspec.Struct, frozen=True, gc=False):
    """One step of a share-partition, as it is written down."""

    start_offset: int
    delivery_complete_count: int
    batches: tuple[StateBatch, ...] = ()
    """What has changed."""


_FIRST: Final = attrgetter("first")


def overlay(older: Iterable[StateBatch], newer: Iterable[StateBatch], start: int) -> list[StateBatch]:
    """What is known from `start` on, in order, once `newer` has been learnt. `older` is in order already."""
    known = [batch for batch in older if batch.last >= start]
    for batch in newer:
        if batch.last >= start:
            _cover(known, batch)
    found: list[StateBatch] = []
    for batch in known:
        if batch.last < start:
            continue
        clipped = batch if batch.first >= start else batch._replace(first=start)
        if found and found[-1].last + 1 == clipped.first and found[-1][2:] == clipped[2:]:
            found[-1] = found[-1]._replace(last=clipped.last)
        else:
            found.append(clipped)
    return found


def _cover(known: list[StateBatch], newer: StateBatch) -> None:
    """Put `newer` in the place of all that it covers."""
    begin = bisect_left(known, newer.first, key=_FIRST)
    if begin and known[begin - 1].last >= newer.first:
        begin -= 1
    end = bisect_right(known, newer.last, key=_FIRST)
    left = [each._replace(last=newer.first - 1) for each in known[begin:end][:1] if each.first < newer.first]
    right = [each._replace(first=newer.last + 1) for each in known[begin:end][-1:] if each.last > newer.last]
    known[begin:end] = [*left, newer, *right]


def batch_values(batches: Iterable[StateBatch]) -> list[StateBatchValue]:
    """Batches, as they are written."""
    return [
        StateBatchValue(first_offset=first, last_offset=last, delivery_state=state, delivery_count=count)
        for first, last, state, count in batches
    ]


def read_batches(values: Iterable[StateBatchValue]) -> list[StateBatch]:
    """Batches, as they were written. Raises `SchemaError` for a state that is none to be written."""
    return [
        StateBatch(each.first_offset, each.last_offset, _state(each.delivery_state), each.delivery_count)
        for each in values
    ]


def _state(number: int) -> RecordState:
    state = _WRITTEN.get(number)
    if state is None:
        raise SchemaError(STATE_TOPIC, 0, f"{number} is no state in which records are kept")
    return state
