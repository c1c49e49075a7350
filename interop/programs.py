"""Programs on the Java machine: their jars, and processes that may die at any moment and are started again.

    kafka/   Kafka Streams, Connect and the programs of Kafka's own system tests; ours are in kafka/src
    flink/   Flink with its Kafka connector; ours is in flink/src

What is fetched and compiled goes to `.interop/`, which git ignores.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from conformance import building
from conformance.building import Broken

ROOT: Final = Path(__file__).resolve().parent
CACHE: Final = ROOT.parent / ".interop"
END_TIMEOUT_S: Final = 120.0
LAST_LINES: Final = 12

JAVA_BASE_OPENS: Final = ("java.lang", "java.util", "java.util.concurrent", "java.net", "java.nio")
"""Flink's serializers look into these by reflection, as its own start scripts allow it to."""


class Library:
    """One folder of jars, and our classes beside them."""

    def __init__(self, name: str) -> None:
        """Fetch and compile what is missing. Raises Missing or Broken."""
        self._jars = CACHE / name / "lib"
        self._path = building.java(ROOT / name, CACHE / name)

    def version(self, artifact: str) -> str:
        """Which version of an artifact this folder has."""
        for jar in self._jars.iterdir():
            if found := re.fullmatch(rf"{artifact}-(\d[\w.]*(-\d[\w.]*)?)\.jar", jar.name):
                return found[1]
        raise Broken(f"{self._jars} holds no {artifact}")

    def java(self, main: str, *arguments: str | Path, heap_mib: int = 384) -> list[str]:
        """The command line that runs one class."""
        opens = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in JAVA_BASE_OPENS]
        machine = [f"-Xmx{heap_mib}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        logs = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
        return ["java", *machine, *opens, *logs, "-cp", self._path, main, *map(str, arguments)]


class Died(Exception):
    """A program that ended by itself, and should not have, or not so."""


class Program:
    """One process: started, killed, frozen, started again. All that it says goes to one file."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It sleeps, and does not know it: its connections stay open, its sessions run out."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, and wait; one that does not end is killed, and that is no failure of what is tested here."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself since it was started."""
        return self._process is not None and self._process.poll() is not None

    def wait(self, timeout_s: float) -> int:
        """Its exit code. Raises Died when it goes on for longer."""
        assert self._process is not None, "the program has been started"
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Died(f"{self.name} has not ended within {timeout_s:.0f} s; {self.last_words()}") from None

    def said(self) -> str:
        """All that it has said, in all its lives."""
        return self.log.read_text(errors="replace")

    def last_words(self) -> str:
        return " | ".join(self.said().splitlines()[-LAST_LINES:]) or "it said nothing"

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the program has been started"
        self._process.send_signal(number)
