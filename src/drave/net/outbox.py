"""Replies leave together, at the end of the turn of the event loop that made them.

    turn   │ request, request, request … │ replies, replies, replies … │

A reply that is sent at once wakes a client that sleeps, and waking another processor costs more than sending does. When
the replies of a turn leave one right after the other, only the first one meets clients that sleep. A request that comes
some time after the one before is probably alone in its turn: its reply need not wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drave.model.clock import Scheduler

if TYPE_CHECKING:
    from drave.net.session import Session

APART_S: Final = 50e-6
"""Requests of one turn follow each other more closely than this."""


class Outbox:
    """The sessions that have something to send."""

    __slots__ = ("_last_at", "_scheduler", "_sessions")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._sessions: list[Session] = []
        self._last_at = 0.0

    def add(self, session: Session) -> bool:
        """`session` has replies to send, and had none before. Whether they wait here; else it sends them now."""
        sessions = self._sessions
        now = session.active_at
        is_apart = now - self._last_at > APART_S and not sessions
        self._last_at = now
        if is_apart:
            return False
        sessions.append(session)
        if len(sessions) == 1:
            self._scheduler.call_soon(self._send)
        return True

    def _send(self) -> None:
        sessions, self._sessions = self._sessions, []
        for session in sessions:
            if session.is_closing:  # who has gone meanwhile is sent nothing: its transport would refuse, aloud
                continue
            try:
                session.write_out()
            except Exception:
                session.fail("replies could not be sent")
