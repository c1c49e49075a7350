"""The service's processes: each can be started, ended, killed and started again, and says in a file what it says.

Parts ── pricing, locations, dashboard      drave streams run examples.rides.<name>
      ├─ city                               python -m examples.rides.phones
      └─ web                                python -m examples.rides.web
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from drave.client.connection import Connection
from drave.client.topics import Topics
from examples.rides.model import APPS, PARTITIONS, TOPICS

BROKER_SETTINGS: Final = {"auto.create.topics.enable": "false", "log.retention.ms": "-1"}
"""Nothing is thrown away: the city's clock is not ours."""

_ROOT: Final = Path(__file__).parents[2]
_END_S: Final = 15.0
_LOOK_S: Final = 0.05
_LAST_WORDS: Final = 12


class PartDied(Exception):
    """A part ended by itself."""

    def __init__(self, name: str, code: int, words: str) -> None:
        super().__init__(name, code, words)
        self.name, self.code, self.words = name, code, words

    def __str__(self) -> str:
        return f"{self.name} ended by itself with exit code {self.code}; its last words:\n{self.words}"


class Part:
    """One process."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        self.name = name
        self.starts = 0
        self._arguments = arguments
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._arguments], cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, start_new_session=True,  # Ctrl-C is ours to hand on, in an order
            )  # fmt: skip
        self.starts += 1

    def ask_to_end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def end(self) -> None:
        """Ask it to, and wait. One that does not is killed."""
        if self._process is None:
            return
        self.ask_to_end()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def check(self) -> bool:
        """Whether it still runs. Raises PartDied when it failed."""
        code = None if self._process is None else self._process.poll()
        if code:
            lines = self._log.read_text(errors="replace").splitlines()[-_LAST_WORDS:]
            raise PartDied(self.name, code, "\n".join(lines) or "it said nothing")
        return self._process is not None and code is None


class Parts:
    """All processes around a broker. Leaving the block ends them."""

    def __init__(self, folder: Path, bootstrap: str, *, port: int, city: Sequence[str] = ()) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.apps = {name: Part(name, _app(name, bootstrap, folder), folder) for name in APPS}
        self.web = Part("web", ["examples.rides.web", "--bootstrap", bootstrap, "--port", str(port)], folder)
        self.city = Part("city", ["examples.rides.phones", "--bootstrap", bootstrap, *city], folder)

    @property
    def all(self) -> tuple[Part, ...]:
        return self.city, *self.apps.values(), self.web

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """First who writes, then who reads; the apps leave together."""
        self.city.end()
        for part in (*self.apps.values(), self.web):
            part.ask_to_end()
        for part in self.all:
            part.end()

    def check(self) -> None:
        """Raises PartDied."""
        for part in self.all:
            part.check()

    def await_web(self, timeout_s: float = 30.0) -> None:
        """Until the page can be opened. Raises PartDied, and TimeoutError."""
        give_up = time.monotonic() + timeout_s
        port = int(self.url.rpartition(":")[2])
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                return
            except OSError:
                self.check()
                if time.monotonic() > give_up:
                    raise TimeoutError(f"nothing answers at {self.url}; see {self.folder}/web.log") from None
                time.sleep(_LOOK_S)


def make_topics(connection: Connection) -> None:
    """Raises ClientError."""
    topics = Topics(connection)
    for name, plan in TOPICS.items():
        topics.create(name, partitions=PARTITIONS, configs=plan.configs)


def free_port(wanted: int) -> int:
    """`wanted` if nobody listens there, else another."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free on 127.0.0.1")


def _app(name: str, bootstrap: str, folder: Path) -> list[str]:
    state = str(folder / "state" / name)
    return ["drave", "streams", "run", f"examples.rides.{name}", "--bootstrap", bootstrap, "--state", state]
