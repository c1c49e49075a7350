"""What a step of a coordinator's state machine returns: things to do, in place of doing them.

    request ─┐                     ┌─ records   one batch, appended and then replayed
    timer   ─┼→ a state machine ───┼─ replies   answers to this request, or to older, parked ones
    record  ─┘                     ├─ timers    deadlines to set or to call off
                                   └─ duties    what is to be done elsewhere, once all this is durable

The machine knows neither the log nor the clock nor who waits. A request is known to it by a token; the runtime
remembers what stands behind the token.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Token = int
"""Names a request until it is answered."""

TimerName = tuple[str, str, str]
"""What the deadline is for, the key (a group, a transactional id), and the member (empty where it is the key's)."""

KeyValue = tuple[bytes, bytes | None]
"""A record; a value of None takes the key's earlier record back."""


class Reply(NamedTuple):
    """The answer to one request."""

    token: Token
    response: Any


class TimerChange(NamedTuple):
    """A deadline, counted from now; None calls it off. The machine needs no monotonic clock for that."""

    name: TimerName
    after_ms: int | None


class Writer(NamedTuple):
    """The producer whose transaction records are part of."""

    producer_id: int
    producer_epoch: int


class Outcome:
    """What has to be done now. Filled by the step, carried out by the runtime."""

    __slots__ = ("duties", "records", "replies", "timers", "writer")

    def __init__(self) -> None:
        self.records: list[KeyValue] = []
        self.writer: Writer | None = None
        """The records count once this producer's transaction commits; None: at once."""
        self.duties: list[Any] = []
        self.replies: list[Reply] = []
        self.timers: list[TimerChange] = []

    def reply(self, token: Token, response: Any) -> None:
        self.replies.append(Reply(token, response))

    def timer(self, name: TimerName, after_ms: int | None) -> None:
        self.timers.append(TimerChange(name, after_ms))

    def __repr__(self) -> str:
        return f"Outcome({self.records=}, {self.replies=}, {self.timers=}, {self.duties=})".replace("self.", "")
