"""The one place that touches files.

    store, log  →  Disk, File  →  RealDisk         this machine's
                               →  SimulatedDisk    drave.testing.disk: remembers what was synced, and crashes

A write is in the operating system's hands when `pwrite` returns, and on the disk when `sync` does; `write_durably` is
both, for its own bytes. A new, renamed or removed name is on the disk when `sync_folder` of its folder returns: syncing
the file does not do that.

A File stays open as long as somebody holds it, so a reader on another thread can never meet a descriptor that was
closed and given to another file.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import resource
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

from drave.model.errors import DraveError
from drave.store.direct import BYTES_MAX as DIRECT_BYTES_MAX
from drave.store.direct import DirectWriter, NotOffered

T = TypeVar("T")

Buffer = bytes | bytearray | memoryview

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What an OSError says when there is no room."""

READING_THREADS: Final = 4

_FULL_SYNC: Final = getattr(fcntl, "F_FULLFSYNC", None) if sys.platform == "darwin" else None
_NOWAIT: Final[int | None] = getattr(os, "RWF_NOWAIT", None) if hasattr(os, "preadv") else None
_NOT_OFFERED: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


class WouldBlock(Exception):
    """The bytes are not in memory: reading them would wait for the disk."""


class SyncFailed(DraveError):
    """What was written may be lost. Nobody may try again: the kernel may have dropped the pages, and then the second
    sync succeeds without having written anything."""

    def __init__(self, path: Path | str, error: OSError) -> None:
        super().__init__(path, error)
        self.path = path
        self.error = error

    def __str__(self) -> str:
        return f"Could not make {self.path} durable: {self.error.strerror or self.error}. Check the disk, then restart."


class DataFolderInUse(DraveError):
    """Another process owns the folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(folder, holder)
        self.folder = folder
        self.holder = holder

    def __str__(self) -> str:
        who = f" by {self.holder}" if self.holder else ""
        return f"{self.folder} is in use{who}. Stop that broker, or give this one its own --data folder."


class DataFolderUnusable(DraveError):
    """The folder cannot hold data: it is read-only, not a folder, or not what a broker left behind."""

    def __init__(self, folder: Path, why: str) -> None:
        super().__init__(folder, why)
        self.folder = folder
        self.why = why

    def __str__(self) -> str:
        return f"{self.folder} cannot be used: {self.why}"


class Stat(NamedTuple):
    """What is known of a file without opening it."""

    size: int
    modified_ms: int


class File(Protocol):
    """An open file. Positions are given with every call; there is no current one."""

    def pwrite(self, data: Buffer, at: int) -> int:
        """Write; returns how many bytes were taken, which may be fewer. OSError when none."""
        ...

    def pwritev(self, parts: Sequence[Buffer], at: int) -> int:
        """Write the parts one after another, as `pwrite` does."""
        ...

    def pread(self, size: int, at: int) -> Buffer:
        """Up to `size` bytes; fewer only at the end of the file. May wait for the disk."""
        ...

    def read_now(self, size: int, at: int) -> Buffer:
        """Exactly `size` bytes that are in memory; WouldBlock when they are not (or nobody can tell)."""
        ...

    def size(self) -> int: ...

    def truncate(self, size: int) -> None: ...

    def sync(self) -> None:
        """Make the content durable. Raises SyncFailed."""
        ...

    def write_durably(self, data: Buffer, at: int) -> None:
        """Write all of `data` at or before the file's end, and make that durable, but not what others wrote.

        Up to a block's length behind it may read as zeros afterwards. Raises SyncFailed, or OSError when there is no
        room: then some of it may have been written.
        """
        ...

    def close(self) -> None:
        """Give the descriptor back now; otherwise that happens when the last holder lets go."""
        ...


class Lock(Protocol):
    """A folder that is ours until released."""

    def release(self) -> None: ...


class Disk(Protocol):
    """The files of one machine."""

    def open(self, path: Path, *, create: bool = False) -> File:
        """For reading and writing. FileNotFoundError unless `create`."""
        ...

    def stat(self, path: Path) -> Stat | None:
        """None when there is no such file."""
        ...

    def exists(self, path: Path) -> bool: ...

    def list_folder(self, path: Path) -> list[str]:
        """The names in it, in no order."""
        ...

    def make_folder(self, path: Path) -> None:
        """With its parents, where they are missing; nothing when it is there."""
        ...

    def sync_folder(self, path: Path) -> None:
        """Make the names in it durable. Raises SyncFailed."""
        ...

    def write_out(self, path: Path) -> None:
        """Ask for all that was written to this volume to go to the disk. It promises nothing: whatever has to be
        durable is synced besides, and finds little to do."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Replaces what `new` names."""
        ...

    def unlink(self, path: Path) -> None:
        """Nothing when it is gone already."""
        ...

    def remove_folder(self, path: Path) -> None:
        """It has to be empty."""
        ...

    def lock(self, path: Path) -> Lock:
        """Raises DataFolderInUse, naming the process that holds it."""
        ...

    def total_bytes(self, path: Path) -> int:
        """Of the volume that holds `path`."""
        ...

    def free_bytes(self, path: Path) -> int: ...

    @property
    def open_files_max(self) -> int:
        """How many files this process may have open."""
        ...

    async def run(self, work: Callable[[], T]) -> T:
        """Do something that may wait for the disk, where it does not stop the caller's loop."""
        ...


class RealFile:
    """A file of this machine."""

    __slots__ = ("_direct", "_fd", "path")

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self.path = path
        self._direct: DirectWriter | bool = True
        """What writes past the page cache; True before the first use, False where the file system does not."""

    def pwrite(self, data: Buffer, at: int) -> int:
        return os.pwrite(self._fd, data, at)

    def pwritev(self, parts: Sequence[Buffer], at: int) -> int:
        return os.pwritev(self._fd, parts, at)

    def pread(self, size: int, at: int) -> Buffer:
        return os.pread(self._fd, size, at)

    def read_now(self, size: int, at: int) -> Buffer:
        global _nowait  # noqa: PLW0603  # a fact about the machine, found out once
        if _nowait is None:
            raise WouldBlock
        buffer = bytearray(size)
        try:
            got = os.preadv(self._fd, [buffer], at, _nowait)
        except BlockingIOError:
            raise WouldBlock from None
        except OSError as error:
            if error.errno not in _NOT_OFFERED:
                raise
            _nowait = None
            raise WouldBlock from None
        if got != size:
            raise WouldBlock
        return buffer

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def sync(self) -> None:
        try:
            _sync(self._fd)
        except OSError as error:
            raise SyncFailed(self.path, error) from error

    def write_durably(self, data: Buffer, at: int) -> None:
        try:
            if not self._write_directly(data, at):
                write_all(self, data, at)
                _sync(self._fd)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise SyncFailed(self.path, error) from error

    def _write_directly(self, data: Buffer, at: int) -> bool:
        """Whether that was possible; then it is done."""
        if self._direct is False or len(data) > DIRECT_BYTES_MAX:
            if isinstance(self._direct, DirectWriter):
                self._direct.forget()
            return False
        try:
            if self._direct is True:
                self._direct = DirectWriter(self.path)
            self._direct.write(data, at, self.pread)
        except NotOffered:
            self._direct = False
        return self._direct is not False

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        if isinstance(self._direct, DirectWriter):
            self._direct.close()

    def __del__(self) -> None:
        self.close()


_nowait: int | None = _NOWAIT


def _sync(fd: int) -> None:
    if _FULL_SYNC is not None:  # on macOS fsync stops at the drive's own cache
        fcntl.fcntl(fd, _FULL_SYNC)
    else:
        os.fdatasync(fd)


class RealLock:
    """A lock that the kernel lets go of when the process ends, however it ends."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class RealDisk:
    """This machine's files."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    def open(self, path: Path, *, create: bool = False) -> RealFile:
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        return RealFile(os.open(path, flags, 0o644), path)

    def stat(self, path: Path) -> Stat | None:
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return None
        return Stat(found.st_size, found.st_mtime_ns // 1_000_000)

    def exists(self, path: Path) -> bool:
        return os.path.exists(path)

    def list_folder(self, path: Path) -> list[str]:
        return os.listdir(path)

    def make_folder(self, path: Path) -> None:
        os.makedirs(path, exist_ok=True)

    def sync_folder(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as error:
            raise SyncFailed(path, error) from error
        finally:
            os.close(fd)

    def write_out(self, path: Path) -> None:
        import ctypes  # seldom needed, and slow to import

        syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
        if syncfs is None:
            return  # no Linux
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return  # too many are open; nothing rests on this
        syncfs(fd)
        os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        os.replace(old, new)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        os.rmdir(path)

    def lock(self, path: Path) -> RealLock:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 256, 0).decode(errors="replace").strip()
            os.close(fd)
            raise DataFolderInUse(path.parent, holder) from None
        except OSError:
            os.close(fd)
            raise
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        return RealLock(fd)

    def total_bytes(self, path: Path) -> int:
        found = os.statvfs(path)
        return found.f_blocks * found.f_frsize

    def free_bytes(self, path: Path) -> int:
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    @property
    def open_files_max(self) -> int:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return soft if soft != resource.RLIM_INFINITY else sys.maxsize

    async def run(self, work: Callable[[], T]) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="drave-disk")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def write_whole(disk: Disk, path: Path, data: Buffer, *, sync: bool = True) -> None:
    """Replace what `path` holds. OSError when the disk is full: then it holds a part."""
    file = disk.open(path, create=True)
    write_all(file, data, 0)
    file.truncate(len(data))
    if sync:
        file.sync()


def write_all(file: File, data: Buffer, at: int) -> None:
    """Write all of `data`, or raise OSError."""
    taken = file.pwrite(data, at)
    while taken < len(data):  # a short write is followed by the error that explains it
        more = file.pwrite(memoryview(data)[taken:], at + taken)
        if more == 0:
            raise OSError(errno.ENOSPC, "the disk took no more bytes")
        taken += more


def beside(path: Path) -> Path:
    """Where the next content of a file is written, before it takes its name."""
    return path.with_name(path.name + ".tmp")


def write_aside(disk: Disk, path: Path, data: Buffer) -> None:
    """Replace a file so that a crash leaves the old content or the new, never a mixture. It is durable once the folder
    is synced."""
    write_whole(disk, beside(path), data)
    disk.rename(beside(path), path)


def replace_file(disk: Disk, path: Path, data: Buffer) -> None:
    """`write_aside`, durable on return."""
    write_aside(disk, path, data)
    disk.sync_folder(path.parent)


def read_whole(disk: Disk, path: Path) -> bytes | None:
    """All that `path` holds; None when there is no such file."""
    try:
        file = disk.open(path)
    except FileNotFoundError:
        return None
    return bytes(file.pread(file.size(), 0))


def explain(folder: Path, error: OSError) -> DataFolderUnusable:
    """One sentence for what an attempt to use `folder` met."""
    where = Path(error.filename or folder)
    named = "it" if where == folder else where
    match error.errno:
        case errno.EROFS:
            why = "its file system is mounted read-only; mount it read-write or choose another --data folder"
        case errno.EACCES | errno.EPERM:
            why = f"no permission for {named}; change its owner or choose another --data folder"
        case errno.ENOTDIR | errno.EEXIST:
            blocking = _in_the_way(where)
            named = "it" if blocking == folder else blocking
            why = f"{named} is a file where a folder belongs; move it away or choose another --data folder"
        case number if number in FULL:
            why = "the disk is full; make room, then start again"
        case _:
            why = (error.strerror or str(error)) if where == folder else f"{where}: {error.strerror or error}"
    return DataFolderUnusable(folder, why)


def _in_the_way(path: Path) -> Path:
    """What is no folder among `path` and the folders above it."""
    return next((each for each in (path, *path.parents) if os.path.exists(each) and not os.path.isdir(each)), path)


__all__ = [
    "FULL",
    "Buffer",
    "DataFolderInUse",
    "DataFolderUnusable",
    "Disk",
    "File",
    "Lock",
    "RealDisk",
    "RealFile",
    "Stat",
    "SyncFailed",
    "WouldBlock",
    "beside",
    "explain",
    "read_whole",
    "replace_file",
    "write_all",
    "write_aside",
    "write_whole",
]
