"""A stream's record beside what a table holds for its key, or beside another stream's records of about that time.

    stream ─▶ receive ─▶ (value, row) ─▶ "out"        left ──▶ keep, meet the right ones ─▶ "out": (left, right)
    table ──▶ its own store; nothing leaves           right ─▶ keep, meet the left ones  ─▶ "late left", "late right"

The task takes its inputs in the order of event time, so a record meets the row that was there at its time, as far as
both topics have been read. Two streams meet in whatever order they come: a record that is in time finds all of the
other side that are within its reach, for those are kept until no record in time could reach them.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from drave.streams.durations import shortest
from drave.streams.formats import key_format_for
from drave.streams.state import StoreSpec
from drave.streams.state.entries import Entry, EntryStore
from drave.streams.steps.base import NEVER, Outputs, Receiver, Step, TaskView, nowhere


@dataclass(frozen=True, eq=False, kw_only=True)
class TableJoin(Step):
    """The first parent is the stream, the second the table; both have the same key and partitions."""

    kind: ClassVar[str] = "join"
    outer: bool = False
    """Records without a row go on with None; otherwise they are dropped."""

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        get = task.prepared(self.parents[1].step).get
        forward = outputs["out"]
        outer = self.outer

        def receive(key: Any, value: Any, time: int) -> None:
            try:
                row = None if key is None else get(key)
            except Exception as error:
                task.failed(self, error, key, value, time)
                return
            if row is not None or outer:
                forward(key, (value, row), time)

        return receive, nowhere


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamJoin(Step):
    """Pairs of records with the same key and times at most `within_ms` apart; the later time is the pair's."""

    kind: ClassVar[str] = "stream join"
    within_ms: int
    grace_ms: int
    kept_types: tuple[Any, Any]
    outer: tuple[bool, bool] = (False, False)
    """For each side, whether its records that meet none go on alone, with their own time, once they can meet none."""

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        return (StoreSpec(f"{self.name}-left"), StoreSpec(f"{self.name}-right"))

    @property
    def details(self) -> Mapping[str, str]:
        return {"within": shortest(self.within_ms), "grace": shortest(self.grace_ms)}

    def delay_ms(self, port: str) -> int:
        if port != "out":
            return 0
        return self.grace_ms + (self.within_ms if any(self.outer) else 0)

    def prepare(self, task: TaskView) -> tuple[EntryStore, ...]:
        keys = key_format_for(self.key_type)
        width_ms = max(1, self.within_ms)
        stores = [
            EntryStore(spec, task.state, keys, kind, width_ms)
            for spec, kind in zip(self.stores, self.kept_types, strict=True)
        ]
        for store in stores:
            task.adopt(store)
        return tuple(stores)

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        run = _Run(self, task, outputs)
        task.fire_at(self, run)
        return run.receiver(0, outputs["late left"]), run.receiver(1, outputs["late right"])


class _Run:
    """What both sides remember in one task."""

    def __init__(self, step: StreamJoin, task: TaskView, outputs: Outputs) -> None:
        self._clock = task.clock
        self._stores: tuple[EntryStore, EntryStore] = task.prepared(step)
        self._encode_key = key_format_for(step.key_type).encode
        self._within = step.within_ms
        self._late_after = step.grace_ms + task.lag_of(step)
        self._open_for = self._within + self._late_after + 1
        self._outer = step.outer
        self._forward = outputs["out"]
        self._alone: list[tuple[int, bytes, int, int, Entry]] = []
        """Time, key, side, number: entries of outer sides that had met none, as a heap."""
        for side, store in enumerate(self._stores):
            for entry in store:
                if not entry.note and entry.time + self._open_for > task.clock.watermark:
                    self._note(side, entry)

    @property
    def has_results(self) -> bool:
        return bool(self._alone)

    @property
    def deadline(self) -> int:
        ends = [self._alone[0][0]] if self._alone else []
        ends += [end for store in self._stores if (end := store.oldest_end) is not None]
        return min(ends, default=NEVER - self._open_for) + self._open_for

    def receiver(self, side: int, late: Receiver) -> Receiver:
        own, others = self._stores[side], self._stores[1 - side]
        clock, forward, within, late_after = self._clock, self._forward, self._within, self._late_after

        def receive(key: Any, value: Any, time: int) -> None:
            if key is None:
                return
            if time + late_after < clock.seen:
                late(key, value, time)
                return
            met = list(others.near(key, time - within, time + within))
            for other in met:
                if not other.note:
                    other.note = 1
                    others.touch(other)
            entry = own.add(key, time, int(bool(met)), value)
            if not met:
                self._note(side, entry)
            clock.deadline = min(clock.deadline, self.deadline)
            for other in met:
                pair = (value, other.value) if side == 0 else (other.value, value)
                forward(key, pair, max(time, other.time))

        return receive

    def _note(self, side: int, entry: Entry) -> None:
        if self._outer[side]:
            heapq.heappush(self._alone, (entry.time, self._encode_key(entry.key), side, entry.number, entry))

    def fire(self, watermark: int) -> None:
        alone = self._alone
        while alone and alone[0][0] + self._open_for <= watermark:
            time, _, side, _, entry = heapq.heappop(alone)
            if not entry.note:
                self._forward(entry.key, (entry.value, None) if side == 0 else (None, entry.value), time)
        for store in self._stores:
            store.drop_before(watermark - self._open_for)
