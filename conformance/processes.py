"""Programs that are clients: run to their end, or watched while they run."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, Final, Self

from conformance.drive import DEADLINE_S

LAST_WORDS: Final = 400


class Failed(Exception):
    """A program ended with an error."""


def run(command: Sequence[str], *, stdin: bytes = b"", fails: bool = False) -> str:
    """What it prints, both ways, when it ends; `fails` says that it must fail. Raises Failed where it should not."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=2 * DEADLINE_S, check=False)
    said = (done.stdout + done.stderr).decode(errors="replace")
    if bool(done.returncode) is not fails:
        raise Failed(f"{command[0]} ended with {done.returncode}: {said[-LAST_WORDS:]}")
    return said


class Room:
    """Programs that run at the same time; who waits hears of every line of each. All are ended at its end."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._running: list[Running] = []

    def start(self, command: Sequence[str]) -> Running:
        one = Running(command, self.changed)
        self._running.append(one)
        return one

    def until(self, holds: Callable[[], bool], what: str) -> None:
        with self.changed:
            if not self.changed.wait_for(holds, DEADLINE_S):
                said = [each.errors[-3:] for each in self._running]
                raise AssertionError(f"{what}: not within {DEADLINE_S:.0f} s; they said {said}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for one in self._running:
            one.end()


class Running:
    """One program, and the lines that it has printed so far."""

    def __init__(self, command: Sequence[str], changed: threading.Condition) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._changed = changed
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        pairs = ((self._process.stdout, self.lines), (self._process.stderr, self.errors))
        self._threads = [threading.Thread(target=self._listen, args=pair, daemon=True) for pair in pairs]
        for thread in self._threads:
            thread.start()

    def _listen(self, stream: IO[str], lines: list[str]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    lines.append(line)
                    self._changed.notify_all()

    def take(self) -> list[str]:
        """The lines that it has printed since the last time."""
        with self._changed:
            taken = list(self.lines)
            self.lines.clear()
        return taken

    def end(self) -> None:
        """As Ctrl-C does, so that it leaves its group. The second time does nothing."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(DEADLINE_S)
        finally:
            self._process.kill()
        for thread in self._threads:
            thread.join()
