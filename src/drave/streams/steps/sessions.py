"""Aggregates in sessions: a key's records for as long as no pause between them is longer than the gap.

    record ─▶ the sessions within its reach become one ─▶ add ─▶ "changes"    the session as it is now
                                                                  "final"      when nothing can reach it any more
    behind its source partition by more than grace ─▶ "late"

A record in time can reach no session that is over, for that one's last record is further behind the watermark than the
gap and grace. So sessions are the same in whatever order the partitions were read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from drave.streams.agg import made_of
from drave.streams.formats import Packed, key_format_for
from drave.streams.state.keyed import KeyedStore
from drave.streams.steps.base import Outputs, Receiver, TaskView, nowhere
from drave.streams.steps.deadlines import Deadlines
from drave.streams.steps.windowed import OverWindows
from drave.streams.windows import SessionWindows, Windowed

Session = tuple[int, int, Any]
"""The times of its first and its last record, and its state."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SessionAggregate(OverWindows):
    """One state for each key and session."""

    kind: ClassVar[str] = "sessions"
    windows: SessionWindows

    def delay_ms(self, port: str) -> int:
        return self.windows.gap_ms + self.windows.grace_ms if port == "final" else 0

    def prepare(self, task: TaskView) -> KeyedStore[tuple[Session, ...]]:
        session = made_of(tuple, int, int, self.bound.state_type)
        states: Packed[tuple[Session, ...]] = Packed(made_of(tuple, session, ...))
        store = KeyedStore(self.stores[0], task.state, key_format_for(self.key_type), states)
        task.adopt(store)
        return store

    def receivers(self, task: TaskView, outputs: Outputs) -> tuple[Receiver, ...]:
        run = _Run(self, task, outputs)
        task.fire_at(self, run)
        return (run.receive,)


class _Run:
    """The sessions of one task."""

    has_results = True

    def __init__(self, step: SessionAggregate, task: TaskView, outputs: Outputs) -> None:
        self._step = step
        self._task = task
        self._clock = task.clock
        self._store: KeyedStore[tuple[Session, ...]] = task.prepared(step)
        self._gap = step.windows.gap_ms
        self._late_after = step.windows.grace_ms + task.lag_of(step)
        self._open_for = self._gap + self._late_after + 1
        self._final = outputs["final"]
        self._late = outputs["late"]
        self._changes = outputs["changes"]
        self._ends = Deadlines(key_format_for(step.key_type).encode)
        for key, sessions in self._store.items():
            self._ends.note(key, sessions[0][1] + self._open_for)

    @property
    def deadline(self) -> int:
        return self._ends.first

    def receive(self, key: Any, value: Any, time: int) -> None:
        if key is None:
            return
        if time + self._late_after < self._clock.seen:
            self._late(key, value, time)
            return
        sessions = self._store.get(key) or ()
        try:
            before, grown, after = self._grow(sessions, value, time)
        except Exception as error:
            self._task.failed(self._step, error, key, value, time)
            return
        self._store.put(key, (*before, grown, *after))
        self._ends.note(key, grown[1] + self._open_for)
        self._clock.deadline = min(self._clock.deadline, self._ends.first)
        if self._changes is not nowhere:
            self._changes(key, self._result(key, grown), time)

    def _grow(
        self, sessions: tuple[Session, ...], value: Any, time: int
    ) -> tuple[list[Session], Session, list[Session]]:
        """The sessions before the record's own, that one with the record in it, and those after it."""
        bound, gap = self._step.bound, self._gap
        before = [session for session in sessions if session[1] + gap < time]
        after = [session for session in sessions if time + gap < session[0]]
        first = last = time
        state: Any = bound.initial
        for index, (begin, end, held) in enumerate(sessions[len(before) : len(sessions) - len(after)]):
            first, last = min(first, begin), max(last, end)
            state = held if index == 0 else bound.merge(state, held)
        return before, (first, last, bound.add(state, value, time)), after

    def _result(self, key: Any, session: Session) -> Windowed[Any]:
        first, last, state = session
        result = self._step.bound.result
        return Windowed(key, first, last + 1, state if result is None else result(state))

    def fire(self, watermark: int) -> None:
        for key in self._ends.due(watermark):
            sessions = self._store.get(key) or ()
            rest = tuple(session for session in sessions if session[1] + self._open_for > watermark)
            if len(rest) < len(sessions):
                self._store.put(key, rest or None)
            if rest:
                self._ends.note(key, rest[0][1] + self._open_for)
            for session in sessions[: len(sessions) - len(rest)]:
                self._end(key, session)

    def _end(self, key: Any, session: Session) -> None:
        try:
            result = self._result(key, session)
        except Exception as error:
            self._task.failed(self._step, error, key, session[2], session[1])
            return
        self._final(key, result, session[1])
