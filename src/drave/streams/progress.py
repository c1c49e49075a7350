"""How far the restore of state has come: a bar on a terminal, a line now and then elsewhere.

restoring 3 tasks ━━━━━━━━━━━━━━━━━━╸━━━━━  1,204,113 of 1,600,000  0:00:04
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Self

from drave.streams.restoring import Restoring
from drave.streams.state import TaskId

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("drave.streams")

FIRST_S: Final = 1.0
"""What takes no longer is not worth a word."""

LINE_S: Final = 10.0
"""How often a log says how far it is."""

REFRESH_S: Final = 0.1


class RestoreProgress:
    """`look` at what is being restored, each turn. `console` is asked whether it is a terminal; default: stderr."""

    def __init__(self, console: Console | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._monotonic = monotonic
        self._seen: dict[TaskId, Restoring] = {}
        self._since = self._next_at = 0.0
        self._shown = False
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def look(self, restoring: Iterable[Restoring]) -> None:
        now_restoring = {each.task_id: each for each in restoring if each.offsets}
        if not now_restoring and not self._seen:
            return
        now = self._monotonic()
        if not self._seen:
            self._begin(now)
        self._seen |= now_restoring
        if not now_restoring:
            self._end(now)
        elif now >= self._next_at:
            self._show(now)

    def _begin(self, now: float) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._since, self._next_at, self._shown = now, now + FIRST_S, False
        console = self._console or Console(stderr=True)
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console, auto_refresh=False, transient=True)
            self._bar.add_task("")

    def _show(self, now: float) -> None:
        self._shown = True
        done, total = self._counts()
        tasks = _counted(len(self._seen), "task")
        if self._bar is not None:
            self._next_at = now + REFRESH_S
            self._bar.start()  # once
            self._bar.update(0, description=f"restoring {tasks}", completed=done, total=total)
            self._bar.refresh()
        else:
            self._next_at = now + LINE_S
            logger.info("restoring the state of %s: %s of %s", tasks, f"{done:,}", _counted(total, "record"))

    def _end(self, now: float) -> None:
        done, _ = self._counts()
        self.__exit__()
        if self._shown:
            tasks = _counted(len(self._seen), "task")
            logger.info("restored the state of %s: %s in %.1f s", tasks, _counted(done, "record"), now - self._since)
        self._seen.clear()

    def _counts(self) -> tuple[int, int]:
        """By offsets, done and in all."""
        total = sum(each.offsets for each in self._seen.values())
        return total - sum(each.offsets_left for each in self._seen.values()), total


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
