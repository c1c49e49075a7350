"""Who waits for a restore sees how far it is: a bar on a terminal, lines in a log."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

from drave.streams.progress import RestoreProgress
from drave.streams.state import TaskId


@dataclass
class Restore:
    """As much of a Restoring as is looked at."""

    task_id: TaskId
    offsets: int
    offsets_left: int


class Hours:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def watched(terminal: bool) -> tuple[Any, Hours, io.StringIO]:
    hours, written = Hours(), io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=100)
    return RestoreProgress(console, hours), hours, written


def test_a_log_has_a_line_now_and_then_and_one_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    progress, hours, written = watched(terminal=False)
    first, second = Restore(TaskId("rides", 0), 1_000, 1_000), Restore(TaskId("rides", 1), 500, 500)
    with caplog.at_level(logging.INFO), progress:
        for second_now in range(22):
            hours.now = second_now
            first.offsets_left = 1_000 - 40 * second_now
            progress.look([first, second])
        first.offsets_left = second.offsets_left = 0
        progress.look([])
        progress.look([])
    assert caplog.messages == [
        "restoring the state of 2 tasks: 40 of 1,500 records",
        "restoring the state of 2 tasks: 440 of 1,500 records",
        "restoring the state of 2 tasks: 840 of 1,500 records",
        "restored the state of 2 tasks: 1,500 records in 21.0 s",
    ]
    assert written.getvalue() == ""


def test_a_terminal_has_a_bar() -> None:
    progress, hours, written = watched(terminal=True)
    with progress:
        progress.look([Restore(TaskId("rides", 0), 1_000, 1_000)])
        hours.now = 1
        progress.look([Restore(TaskId("rides", 0), 1_000, 250)])
        assert "restoring 1 task" in written.getvalue()
        assert "750/1000" in written.getvalue()
        progress.look([])


def test_what_is_quickly_restored_is_nothing_to_show(caplog: pytest.LogCaptureFixture) -> None:
    progress, hours, written = watched(terminal=True)
    with caplog.at_level(logging.INFO), progress:
        progress.look([Restore(TaskId("rides", 0), 1_000, 1_000)])
        hours.now = 0.9
        progress.look([])
    assert (caplog.messages, written.getvalue()) == ([], "")


def test_nothing_to_restore_is_nothing_to_show(caplog: pytest.LogCaptureFixture) -> None:
    progress, _, written = watched(terminal=True)
    with caplog.at_level(logging.INFO), progress:
        progress.look([])
        progress.look([Restore(TaskId("rides", 0), 0, 0)])
        progress.look([])
    assert (caplog.messages, written.getvalue()) == ([], "")
