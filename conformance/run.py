"""One driver at work: started, listened to, ended when it falls silent, and its outcomes held against the witness."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from conformance import witness
from conformance.building import Broken, Missing
from conformance.clients import Client, Command
from conformance.contract import NotTheContract, Outcome, Report, outcomes
from tests.net.raw import Connection

SILENCE_S: Final = 240.0
"""How long a driver may say nothing; each of its waits ends long before."""
LAST_WORDS: Final = 300

Progress = Callable[[Outcome], None]


def run(client: Client, port: int, name: str, scenarios: Sequence[str], logs: Path, progress: Progress) -> Report:
    """Make a client's driver ready, run the scenarios, and look at what it wrote."""
    try:
        command = client.ready()
    except Missing as missing:
        return Report(client.shown, "", (), skipped=str(missing))
    except Broken as broken:
        return Report(client.shown, "", (), skipped=str(broken), broken=True)
    seen: dict[str, Outcome] = {}
    with Connection(port) as connection, _Driver([*command, f"127.0.0.1:{port}", name, *scenarios], logs, client) as it:
        try:
            for outcome in outcomes(it.lines()):
                checked = witness.look(connection, name, client.shape, outcome)
                seen[checked.scenario] = checked
                progress(checked)
        except NotTheContract as wrong:
            it.complaint = str(wrong)
    for scenario in scenarios:
        if scenario not in seen:
            seen[scenario] = Outcome(scenario, False, f"the driver ended first: {it.complaint}")
            progress(seen[scenario])
    return Report(client.shown, it.version, tuple(seen[scenario] for scenario in scenarios))


class _Driver:
    """The process of a driver."""

    def __init__(self, command: Command, logs: Path, client: Client) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._log = logs / f"{client.name}.log"
        self._command = command
        self.version = "?"
        self.complaint = ""

    def __enter__(self) -> _Driver:
        self._errors = self._log.open("w")
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=self._errors, text=True, start_new_session=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()
        self.complaint = (
            self.complaint or self._log.read_text(errors="replace").strip()[-LAST_WORDS:] or "it said nothing"
        )

    def _end(self) -> None:
        """And with it the programs that it has started."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.killpg(self._process.pid, signal.SIGKILL)

    def lines(self) -> Iterator[str]:
        """What it prints, but for its version."""
        assert self._process.stdout is not None
        while True:
            timer = threading.Timer(SILENCE_S, self._end)
            timer.start()
            try:
                line = self._process.stdout.readline()
            finally:
                timer.cancel()
            if not line:
                return
            if line.startswith('{"version"'):
                self.version = json.loads(line)["version"]
            else:
                yield line
