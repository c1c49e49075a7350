"""A disk in memory that remembers what was synced, and loses the rest when told to.

    written   what a process sees                       pwrite, rename, unlink … change this
    durable   what the platter holds                    sync copies sectors here, sync_folder names

    power_cut()   the platter is left, and with it any subset of the sectors, sizes and names on their way to it
    kill()        only the process is gone: everything written is still there

It is as unkind as POSIX allows: syncing a file does not make its name durable, names reach the platter in no order,
the operating system writes sectors back by itself whenever it likes, a sector that was never written may hold
anything, a failed sync drops what it should have written and the next one succeeds.

`cut_at = n` raises PowerCut in the middle of the n-th call from now, `cut_at_sync = n` in that of the n-th that makes
something durable; nothing works after that until the restart.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from drave.store.direct import BLOCK
from drave.store.disk import FULL, Buffer, DataFolderInUse, Stat, SyncFailed, WouldBlock

T = TypeVar("T")

SECTOR: Final = 512

WRITE_BACK_CHANCE: Final = 0.05
"""How often a write makes the operating system write some dirty sectors back by itself."""


class PowerCut(BaseException):
    """The process ended here. A BaseException, so that no error handling can survive it."""


class _Node:
    """One file: its written and its durable content, and the sectors in which they differ."""

    __slots__ = ("dirty", "durable", "sizes", "written")

    def __init__(self) -> None:
        self.written = bytearray()
        self.durable = bytearray()
        self.dirty: set[int] = set()
        self.sizes: list[int] = []  # those it has had since the last sync

    def write(self, data: Buffer, at: int) -> None:
        end = at + len(data)
        if end > len(self.written):
            first = len(self.written)
            self.written.extend(bytes(end - first))
            self.sizes.append(end)
            at_first = min(first, at)
        else:
            at_first = at
        self.written[at:end] = data
        self.dirty.update(range(at_first // SECTOR, -(-end // SECTOR)))

    def truncate(self, size: int) -> None:
        had = len(self.written)
        if size < had:
            del self.written[size:]
        else:
            self.written.extend(bytes(size - had))
        self.dirty.update(range(min(size, had) // SECTOR, -(-max(size, had) // SECTOR)))
        self.sizes.append(size)

    def persist(self, sectors: Sequence[int]) -> None:
        for sector in sectors:
            part = self.written[sector * SECTOR : (sector + 1) * SECTOR]
            end = sector * SECTOR + len(part)
            if end > len(self.durable):
                self.durable.extend(bytes(end - len(self.durable)))
            self.durable[sector * SECTOR : end] = part

    def persist_up_to(self, end: int, sectors: range) -> None:
        """A write that is durable by itself: its sectors are, and the file is at least so long."""
        self.persist(sectors)
        self.dirty.difference_update(sectors)
        self.sizes = [size for size in self.sizes if size >= end]

    def sync(self) -> None:
        self.persist(sorted(self.dirty))
        del self.durable[len(self.written) :]
        self.durable.extend(bytes(len(self.written) - len(self.durable)))
        self.dirty.clear()
        self.sizes.clear()

    def crash(self, chance: random.Random) -> None:
        """Become what the platter holds after a power cut: often all or nothing of it, else any of its sectors."""
        if chance.random() < 0.5:
            if chance.random() < 0.5:
                self.sync()
            self.restart()
            return
        odds = chance.choice((0.0, 0.2, 0.5, 0.8, 1.0))
        size = chance.choice([len(self.durable), len(self.written), *self.sizes[-8:]])
        garbage = chance.random() < 0.3
        kept = self.durable[:size]
        if size > len(kept):
            hole = size - len(kept)
            kept.extend(chance.randbytes(hole) if garbage else bytes(hole))
        for sector in sorted(self.dirty):
            if chance.random() < odds:
                part = self.written[sector * SECTOR : min((sector + 1) * SECTOR, size)]
                kept[sector * SECTOR : sector * SECTOR + len(part)] = part
        self.durable = kept
        self.restart()

    def restart(self) -> None:
        self.written = bytearray(self.durable)
        self.dirty.clear()
        self.sizes.clear()


class _Folder:
    """Names, as they are seen and as they are on the platter, and the changes between the two."""

    __slots__ = ("changes", "durable", "written")

    def __init__(self) -> None:
        self.written: dict[str, _Node | _Folder] = {}
        self.durable: dict[str, _Node | _Folder] = {}
        self.changes: list[tuple[str, str | None, _Node | _Folder | None]] = []

    def link(self, name: str, node: _Node | _Folder, *, before: str | None = None) -> None:
        if before is not None:
            del self.written[before]
        self.written[name] = node
        self.changes.append((name, before, node))

    def unlink(self, name: str) -> None:
        del self.written[name]
        self.changes.append((name, None, None))

    def sync(self) -> None:
        self.durable = dict(self.written)
        self.changes.clear()

    def crash(self, chance: random.Random) -> None:
        odds = chance.choice((0.0, 0.3, 0.7, 1.0))
        self.keep([change for change in self.changes if chance.random() < odds])
        self.written = dict(self.durable)
        self.changes.clear()
        for node in self.written.values():
            node.crash(chance)

    def keep(self, changes: Sequence[tuple[str, str | None, _Node | _Folder | None]]) -> None:
        for name, before, node in changes:
            if before is not None:
                self.durable.pop(before, None)
            if node is None:
                self.durable.pop(name, None)
            else:
                self.durable[name] = node


class SimulatedFile:
    """An open file of a SimulatedDisk. It dies with the process that opened it."""

    def __init__(self, disk: SimulatedDisk, node: _Node, path: Path) -> None:
        self._disk = disk
        self._node = node
        self._life = disk.life
        self.path = path

    def pwrite(self, data: Buffer, at: int) -> int:
        self._alive()
        data = bytes(data)
        if self._disk.is_cut():
            self._node.write(data[: self._disk.chance.randrange(len(data) + 1)], at)
            raise PowerCut
        taken = self._disk.take_room(self._node, data, at)
        self._node.write(data[:taken], at)
        self._disk.written_to(self._node)
        return taken

    def pwritev(self, parts: Sequence[Buffer], at: int) -> int:
        return self.pwrite(b"".join(parts), at)

    def pread(self, size: int, at: int) -> Buffer:
        self._alive()
        return bytes(self._node.written[at : at + size])

    def read_now(self, size: int, at: int) -> Buffer:
        self._alive()
        if self._disk.is_cold():
            raise WouldBlock
        data = bytes(self._node.written[at : at + size])
        if len(data) != size:
            raise WouldBlock
        return data

    def size(self) -> int:
        self._alive()
        return len(self._node.written)

    def truncate(self, size: int) -> None:
        self._alive()
        if self._disk.is_cut():
            if self._disk.chance.random() < 0.5:
                self._node.truncate(size)
            raise PowerCut
        self._node.truncate(size)

    def sync(self) -> None:
        self._alive()
        if self._disk.is_cut(syncs=True):
            self._node.persist([sector for sector in sorted(self._node.dirty) if self._disk.chance.random() < 0.5])
            raise PowerCut
        if self._disk.sync_fails(self.path):
            self._node.dirty.clear()  # as the kernel does: the pages are clean now, and lost
            raise SyncFailed(self.path, OSError(errno.EIO, "Input/output error"))
        self._node.sync()

    def write_durably(self, data: Buffer, at: int) -> None:
        """Past the page cache, so in whole blocks, whose last may be filled up with zeros."""
        self._alive()
        disk, node = self._disk, self._node
        assert at <= len(node.written), "there is no hole before it"
        data = bytes(data)
        if disk.chance.random() < 0.5:
            data += bytes(-(at + len(data)) % BLOCK)
        end = at + len(data)
        sectors = range(at // SECTOR, -(-end // SECTOR))
        if disk.is_cut(syncs=True):
            node.write(data[: disk.chance.randrange(len(data) + 1)], at)
            node.persist([sector for sector in sectors if disk.chance.random() < 0.5])
            raise PowerCut
        try:
            taken = disk.take_room(node, data, at)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise SyncFailed(self.path, error) from error
        node.write(data[:taken], at)
        if disk.sync_fails(self.path):
            node.dirty.difference_update(sectors)
            raise SyncFailed(self.path, OSError(errno.EIO, "Input/output error"))
        if taken < len(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        node.persist_up_to(end, sectors)

    def close(self) -> None:
        pass

    def _alive(self) -> None:
        self._disk.check_alive()
        if self._life != self._disk.life:
            raise PowerCut


class SimulatedLock:
    """A lock that a power cut lets go of."""

    def __init__(self, disk: SimulatedDisk, path: Path) -> None:
        self._disk = disk
        self._path = path

    def release(self) -> None:
        self._disk.locks.discard(self._path)


class SimulatedDisk:
    """A `Disk` whose every misfortune comes from a seed.

    `cut_at`           the call, counted from now, in whose middle the power goes
    `cut_at_sync`      the same, of those only that make something durable
    `room_bytes`       how much the files may still grow; None: as much as they like
    `failing_syncs`    the next so many syncs of a file fail
    `failing_writes`   the next so many writes fail with EIO, after a part was written
    `cold`             nothing is in memory: `read_now` always would block
    """

    def __init__(self, seed: int = 0) -> None:
        self.chance = random.Random(seed)
        self.cut_at: int | None = None
        self.cut_at_sync: int | None = None
        self.room_bytes: int | None = None
        self.failing_syncs = 0
        self.failing_writes = 0
        self.cold = False
        self.calls = 0
        self.syncs: list[Path] = []
        """Every file and folder that was synced, in order."""
        self.life = 0
        self.locks: set[Path] = set()
        self._dead = False
        self._root = _Folder()

    # -- what happens to it

    def power_cut(self) -> None:
        """The machine restarts with what the platter holds."""
        self._root.crash(self.chance)
        self._restart()

    def kill(self) -> None:
        """The process is gone; the operating system still has all it was given."""
        self._restart()

    def _restart(self) -> None:
        self.locks.clear()
        self.cut_at = self.cut_at_sync = None
        self.failing_syncs = self.failing_writes = 0
        self._dead = False
        self.life += 1

    def files(self) -> dict[Path, bytes]:
        """Every file and what it holds, as a process sees it."""
        found: dict[Path, bytes] = {}

        def walk(folder: _Folder, path: Path) -> None:
            for name, node in folder.written.items():
                if isinstance(node, _Folder):
                    walk(node, path / name)
                else:
                    found[path / name] = bytes(node.written)

        walk(self._root, Path("/"))
        return found

    # -- for its files

    def check_alive(self) -> None:
        """Raises PowerCut once the power is gone."""
        if self._dead:
            raise PowerCut

    def is_cut(self, *, syncs: bool = False) -> bool:
        """Counts a call that changes something; whether the power goes in its middle."""
        self.calls += 1
        if self.cut_at is not None:
            self.cut_at -= 1
        if syncs and self.cut_at_sync is not None:
            self.cut_at_sync -= 1
        if 0 not in (self.cut_at, self.cut_at_sync):
            return False
        self._dead = True
        return True

    def take_room(self, node: _Node, data: bytes, at: int) -> int:
        """How many of the bytes are taken. Raises OSError when none are."""
        if self.failing_writes:
            self.failing_writes -= 1
            node.write(data[: self.chance.choice((self.chance.randrange(len(data) + 1), len(data)))], at)
            if self.chance.random() < 0.5:
                node.persist(sorted(node.dirty))
            raise OSError(errno.EIO, "Input/output error")
        if self.room_bytes is None:
            return len(data)
        growth = max(0, at + len(data) - len(node.written))
        taken = len(data) - max(0, growth - self.room_bytes)
        if taken <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room_bytes -= min(growth, self.room_bytes)
        return taken

    def written_to(self, node: _Node) -> None:
        """Now and then the operating system writes something back."""
        if node.dirty and self.chance.random() < WRITE_BACK_CHANCE:
            sectors = [sector for sector in sorted(node.dirty) if self.chance.random() < 0.5]
            node.persist(sectors)
            node.dirty.difference_update(sectors)

    def is_cold(self) -> bool:
        """Whether the bytes that somebody wants to read now are not in memory."""
        return self.cold

    def sync_fails(self, path: Path) -> bool:
        """Counts a sync; whether it is one of those that were told to fail."""
        self.syncs.append(path)
        if not self.failing_syncs:
            return False
        self.failing_syncs -= 1
        return True

    # -- Disk

    def open(self, path: Path, *, create: bool = False) -> SimulatedFile:
        folder = self._folder(path.parent)
        node = folder.written.get(path.name)
        if node is None:
            if not create:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
            node = _Node()
            self._change(lambda: folder.link(path.name, node))
        if isinstance(node, _Folder):
            raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
        return SimulatedFile(self, node, path)

    def stat(self, path: Path) -> Stat | None:
        node = self._find(path)
        return Stat(len(node.written), 0) if isinstance(node, _Node) else None

    def exists(self, path: Path) -> bool:
        return self._find(path) is not None

    def list_folder(self, path: Path) -> list[str]:
        return list(self._folder(path).written)

    def make_folder(self, path: Path) -> None:
        folder = self._root
        for name in path.parts[1:]:
            node = folder.written.get(name)
            if node is None:
                node = _Folder()
                self._change(lambda folder=folder, name=name, node=node: folder.link(name, node))  # type: ignore[misc]  # the loop's own values, bound now
            if not isinstance(node, _Folder):
                raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(path))
            folder = node
        self.check_alive()

    def sync_folder(self, path: Path) -> None:
        folder = self._folder(path)
        if self.is_cut(syncs=True):
            folder.keep([change for change in folder.changes if self.chance.random() < 0.5])
            raise PowerCut
        self.syncs.append(path)
        folder.sync()

    def write_out(self, path: Path) -> None:
        """What nobody may rely on is not done here."""

    def rename(self, old: Path, new: Path) -> None:
        assert old.parent == new.parent, "files are renamed within their folder"
        folder = self._folder(old.parent)
        node = folder.written.get(old.name)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(old))
        self._change(lambda: folder.link(new.name, node, before=old.name))

    def unlink(self, path: Path) -> None:
        folder = self._folder(path.parent)
        if path.name in folder.written:
            self._change(lambda: folder.unlink(path.name))

    def remove_folder(self, path: Path) -> None:
        if self._folder(path).written:
            raise OSError(errno.ENOTEMPTY, "Directory not empty", str(path))
        self._change(lambda: self._folder(path.parent).unlink(path.name))

    def lock(self, path: Path) -> SimulatedLock:
        if path in self.locks:
            raise DataFolderInUse(path.parent, "another simulated process")
        self.open(path, create=True)
        self.locks.add(path)
        return SimulatedLock(self, path)

    def total_bytes(self, path: Path) -> int:
        return 1 << 40

    def free_bytes(self, path: Path) -> int:
        return 1 << 40 if self.room_bytes is None else self.room_bytes

    @property
    def open_files_max(self) -> int:
        return 1 << 20

    async def run(self, work: Callable[[], T]) -> T:
        return work()

    def _change(self, change: Callable[[], None]) -> None:
        """Change names; when the power goes just then, the change was seen or it was not."""
        if self.is_cut():
            if self.chance.random() < 0.5:
                change()
            raise PowerCut
        change()

    def _find(self, path: Path) -> _Node | _Folder | None:
        self.check_alive()
        node: _Node | _Folder | None = self._root
        for name in path.parts[1:]:
            if not isinstance(node, _Folder):
                return None
            node = node.written.get(name)
        return node

    def _folder(self, path: Path) -> _Folder:
        node = self._find(path)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        if not isinstance(node, _Folder):
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(path))
        return node
