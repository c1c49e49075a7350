"""A broker as a process of its own: started on a free port, measured from outside, stopped, killed, started again.

`Drave` and `Kafka` differ only in the command that starts them, so whatever drives one drives the other. Numbers come
from /proc: processor seconds and resident memory of the broker alone, threads included.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from bench import frames, reference

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


_PORTS: Final = range(20_000, 32_000)
"""Below those that kernels give to who asks for any: nobody who connects or listens meanwhile takes one of these."""


def free_port() -> int:
    """A port nobody listens on at this moment."""
    for port in random.sample(_PORTS, len(_PORTS)):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"no port of {_PORTS.start} to {_PORTS.stop - 1} is free on 127.0.0.1")


def receive(connection: socket.socket) -> bytes:
    """One frame with its length, or fewer bytes when the other side has closed."""
    head = connection.recv(4, socket.MSG_WAITALL)
    return head + connection.recv(struct.unpack(">i", head)[0], socket.MSG_WAITALL) if len(head) == 4 else head


def answers(port: int, *, timeout_s: float = 1.0) -> bool:
    """Whether a broker accepts a request on this port now."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.sendall(frames.api_versions())
            reply = receive(connection)
    except OSError:
        return False
    return len(reply) > 10 and reply[8:10] == b"\0\0"


class BrokerProcess:
    """One broker on 127.0.0.1 with a data folder that outlives it."""

    product: ClassVar[str]
    warm_ups: ClassVar[int]
    """How many runs of two seconds it takes at least until it is as fast as it gets."""

    def __init__(self, folder: Path, *, port: int = 0, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.settings = dict(settings or {})
        self.log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Where partition folders lie."""
        return self.folder / "data"

    def command(self) -> list[str]:
        raise NotImplementedError

    def prepare(self) -> None:
        """What has to be done once before the first start."""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.product} has not been started")
        return self._process

    def start(self, *, timeout_s: float = 180.0) -> float:
        """Start, and return the seconds from the process's start to its first answered request."""
        self.prepare()
        command = self.command()
        with self.log.open("ab") as log:
            began = time.perf_counter()
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while not answers(self.port):
            elapsed = time.perf_counter() - began
            if self._process.poll() is not None or elapsed > timeout_s:
                self.kill()
                raise RuntimeError(f"{self.product} did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.002)
        return time.perf_counter() - began

    def stop(self, *, timeout_s: float = 60.0) -> None:
        """Ask it to end, and wait."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> float:
        """Stop, and start again on the same folder and port."""
        self.stop()
        return self.start()

    def cpu_seconds(self) -> float:
        """Processor time the broker has used so far, all threads, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def resident_bytes(self) -> int:
        """Resident memory, now."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()


class Drave(BrokerProcess):
    """This project, as its command line starts it."""

    product = "Drave"
    warm_ups = 1

    def command(self) -> list[str]:
        given = [argument for key, value in self.settings.items() for argument in ("--set", f"{key}={value}")]
        drave = str(Path(sys.executable).with_name("drave"))
        return [drave, "serve", "--data", str(self.data), "--listen", self.bootstrap, *given]


class Kafka(BrokerProcess):
    """Apache Kafka in KRaft mode, one node, with the heap and collector its own start script gives it."""

    product = "Apache Kafka"
    warm_ups = 7

    def command(self) -> list[str]:
        heap = ["-Xms1G", "-Xmx1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
        collector = ["-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"]
        return reference.java(*heap, *collector, "-Djava.awt.headless=true", "kafka.Kafka", self._properties)

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def prepare(self) -> None:
        if self.data.exists():
            return
        controller = free_port()
        once = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.data.resolve()),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
        }
        lines = [f"{key}={value}" for key, value in (once | self.settings).items()]
        self._properties.write_text("\n".join(lines) + "\n")
        cluster = "AAAAAAAAAAAAAAAAAAAAAQ"
        format_ = reference.java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", self._properties)
        done = subprocess.run(format_, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Apache Kafka could not format {self.data}:\n{done.stdout}{done.stderr}")
