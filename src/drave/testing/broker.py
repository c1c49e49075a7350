"""A broker in a `with` block: the real one, on a free port of 127.0.0.1.

By default it lives in a thread of this process, which starts in some ten milliseconds. With `process=True` it has a
process of its own, which can be killed.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from drave.model.errors import DraveError
from drave.model.setting import Address
from drave.model.settings import BrokerSettings
from drave.server import Server, loop_factory, run

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 60.0


class BrokerDied(DraveError):
    """The broker could not start, or stopped by itself."""


class Broker:
    """A Kafka broker for tests.

    `data` is a folder that stays after the block; without it, a temporary one is used. `port` 0 takes a free port, and
    `restart` keeps it. Further keyword arguments are settings under our own names (`num_partitions=3`); `sets` takes
    them under Kafka's (`sets={"auto.create.topics.enable": "false"}`). Durability is "os" unless it is asked for: a
    test that does not cut the power need not wait for the disk.

    Raises BrokerDied when it cannot start.
    """

    def __init__(
        self,
        data: Path | str | None = None,
        *,
        port: int = 0,
        process: bool = False,
        sets: dict[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self._temporary = data is None
        self.data = Path(tempfile.mkdtemp(prefix="drave-")) if data is None else Path(data)
        self.port = port
        self._sets = sets or {}
        self._given = {"durability": "os", **settings}
        self._life: _Thread | _Process | None = None
        self._kind = _Process if process else _Thread

    @property
    def bootstrap(self) -> str:
        """`bootstrap.servers` for a client."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The broker's process id; only with `process=True`."""
        assert isinstance(self._life, _Process), "a broker with process=True that is running"
        return self._life.pid

    def start(self) -> Self:
        """Start, and return when clients can connect."""
        assert self._life is None, "the broker is running already"
        settings = {**self._given, "data_folder": self.data, "listen": (Address(HOST, self.port),)}
        life = self._kind(self._sets, settings)
        self.port = life.start()
        self._life = life
        return self

    def stop(self) -> None:
        """Stop cleanly. Raises BrokerDied if it had stopped by itself."""
        if self._life is not None:
            life, self._life = self._life, None
            life.stop()

    def restart(self) -> None:
        """Stop cleanly and start again, on the same port and folder."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """SIGKILL; only with `process=True`. `start` brings it back on the same port and folder."""
        assert isinstance(self._life, _Process), "a broker with process=True that is running"
        self._life.kill()
        self._life = None

    def __enter__(self) -> Self:
        return self.start() if self._life is None else self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self.stop()
        finally:
            if self._temporary:
                shutil.rmtree(self.data, ignore_errors=True)


class _Thread:
    """A broker in a thread with a loop of its own."""

    def __init__(self, sets: dict[str, str], given: dict[str, Any]) -> None:
        self._settings = BrokerSettings.load(None, sets, {}, **given)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._main, name="drave", daemon=True)

    def start(self) -> int:
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT_S):
            raise BrokerDied(f"the broker did not start within {START_TIMEOUT_S:.0f} s")
        if self._server is None:
            self._thread.join()
            raise BrokerDied(f"the broker could not start: {self._failure}") from self._failure
        return self._server.addresses[0].port

    def stop(self) -> None:
        if self._loop is not None and self._server is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.end)
        self._thread.join(STOP_TIMEOUT_S)
        if self._failure is not None:
            raise BrokerDied(f"the broker stopped by itself: {self._failure}") from self._failure

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with Server(self._settings) as server:
            self._server = server
            self._ready.set()
            await server.wait()


class _Process:
    """A broker in a process of its own; it says its port in one line of JSON on its standard output."""

    def __init__(self, sets: dict[str, str], given: dict[str, Any]) -> None:
        self._given = json.dumps({"sets": sets, "given": given}, default=str)
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the process has been started"
        return self._process.pid

    def start(self) -> int:
        command = [sys.executable, "-m", "drave.testing.process", self._given]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BrokerDied(f"the broker could not start: {self._last_words()}")
        return int(json.loads(line)["port"])

    def stop(self) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        words = self._last_words()
        if self._process.returncode != 0:
            raise BrokerDied(f"the broker stopped by itself (exit code {self._process.returncode}): {words}")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._last_words()

    def _last_words(self) -> str:
        """Wait for the process to end, and take what it wrote to its standard error."""
        assert self._process is not None
        _, errors = self._process.communicate(timeout=STOP_TIMEOUT_S)
        return errors.strip() or "it said nothing"


def main(argument: str, out: IO[str]) -> int:
    """The other side of `Broker(process=True)`."""
    wanted = json.loads(argument)
    given = wanted["given"]
    given["listen"] = tuple(Address(host, port) for host, port in given["listen"])
    given["data_folder"] = Path(given["data_folder"])

    def ready(server: Server) -> None:
        print(json.dumps({"port": server.addresses[0].port}), file=out, flush=True)

    try:
        settings = BrokerSettings.load(None, wanted["sets"], {}, **given)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(run(settings, ready=ready, signals=(signal.SIGINT, signal.SIGTERM)))
    except DraveError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
