"""Replies leave together, at the end of the turn that made them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drave.net.outbox import APART_S, Outbox


class Loop:
    """Runs what was asked for when it is told to."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Asked:
    """A session that was asked for something at this moment."""

    def __init__(self, active_at: float) -> None:
        self.active_at = active_at
        self.is_closing = False
        self.refused: Exception | None = None
        self.sent = False
        self.failed = False

    def write_out(self) -> None:
        if self.refused is not None:
            raise self.refused
        self.sent = True

    def fail(self, what: str) -> None:
        self.failed = True


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def outbox(loop: Loop) -> Any:
    return Outbox(loop)  # type: ignore[arg-type]  # what it uses of a loop


def test_a_request_apart_from_others_is_answered_at_once(outbox: Any, loop: Loop) -> None:
    for number in (1, 2, 3):
        assert not outbox.add(Asked(number * 2 * APART_S)), "it sends its replies itself"
    assert not loop.soon


def test_requests_of_one_turn_are_answered_at_its_end(outbox: Any, loop: Loop) -> None:
    first, *others = [Asked(1.0 + number * APART_S / 2) for number in range(4)]
    assert not outbox.add(first)
    assert all(outbox.add(other) for other in others)
    assert not any(other.sent for other in others)
    loop.turn()
    assert all(other.sent for other in others)


def test_who_comes_while_others_wait_leaves_with_them(outbox: Any, loop: Loop) -> None:
    """However long after them: or the first of a turn that is slow would be overtaken for nothing."""
    sessions = [Asked(1.0), Asked(1.0), Asked(2.0)]
    assert [outbox.add(session) for session in sessions] == [False, True, True]
    assert len(loop.soon) == 1, "one call for all"
    loop.turn()
    assert [session.sent for session in sessions[1:]] == [True, True]


def test_what_became_durable_together_is_answered_together(outbox: Any, loop: Loop) -> None:
    """Those who waited for a commit asked earlier than whoever asked last."""
    outbox.add(Asked(5.0))
    waited = [Asked(1.0), Asked(4.0), Asked(2.0)]
    assert all(outbox.add(session) for session in waited)
    loop.turn()
    assert all(session.sent for session in waited)
    assert not loop.soon


def test_who_hangs_up_while_its_replies_wait_keeps_nobody_elses(outbox: Any, loop: Loop) -> None:
    sessions = [Asked(5.0) for _ in range(4)]
    assert [outbox.add(session) for session in sessions] == [False, True, True, True]
    sessions[1].is_closing = True
    loop.turn()
    assert [session.sent for session in sessions[1:]] == [False, True, True]


def test_a_connection_that_cannot_be_written_to_costs_nobody_else_its_replies(outbox: Any, loop: Loop) -> None:
    sessions = [Asked(5.0) for _ in range(4)]
    assert [outbox.add(session) for session in sessions] == [False, True, True, True]
    sessions[1].refused = RuntimeError("the handler is closed")
    loop.turn()
    assert [session.sent for session in sessions[1:]] == [False, True, True]
    assert sessions[1].failed
