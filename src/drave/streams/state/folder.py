"""One worker's folder: whose it is, and the name that the worker keeps from one run to the next.

    <folder>/
      lock          flock(2): the kernel gives it back however the process ends
      worker        a uuid; transactional id and group instance id are made of it
      tasks/        what the backends of this package write

The name is what lets a restarted worker fence its own corpse at once and take its partitions back without a rebalance.
Two processes with one name would fence each other for ever, so the lock comes first.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from drave.streams.errors import StateInUse, StreamsError

_LOCK: Final = "lock"
_WORKER: Final = "worker"
_TASKS: Final = "tasks"


class StateFolder:
    """The folder at `path`, made if need be, and held until `close`.

    Raises StateInUse when another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.tasks.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path)
            self.worker = _name(path / _WORKER)
        except OSError as error:
            raise StreamsError(f"the state folder {path} cannot be used: {error.strerror or error}") from None

    @property
    def tasks(self) -> Path:
        """Where the states of tasks lie."""
        return self.path / _TASKS

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _locked(folder: Path) -> int:
    fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 256, 0).decode(errors="replace").strip()
        os.close(fd)
        raise StateInUse(folder, holder) from None
    except OSError:
        os.close(fd)
        raise
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"process {os.getpid()}\n".encode(), 0)
    return fd


def _name(path: Path) -> str:
    try:
        return str(uuid.UUID(path.read_text().strip()))
    except (FileNotFoundError, ValueError):  # new, or torn by a power cut: another name is as good
        name = str(uuid.uuid4())
    written = path.with_suffix(".new")
    written.write_text(name + "\n")
    written.replace(path)
    return name
