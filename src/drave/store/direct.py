"""Writing past the page cache, for what has to be durable at once.

    file       | old | old | new | new | new | zeros |
    blocks     | 0         | 1         | 2           |      one write of whole blocks, durable when it returns

What goes through the page cache is copied there, and then looked for and written back by the sync: up to a fifth of
the time that a small write takes, and nearly half of the processor's. A file system wants whole blocks instead, from
memory that begins where a block may. So the bytes before the new ones are written once more, as they were: they are
kept from the last write, or read. Zeros follow the new ones.

Linux only; and not every file system takes it, which the first write tells.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from drave.model.errors import DraveError

Buffer = bytes | bytearray | memoryview

BLOCK: Final = 4096
"""No disk has larger sectors that it writes as one."""

BYTES_MAX: Final = 1024 * 1024
"""More than this is not worth a buffer that stays."""

_FLAGS: Final[int | None] = os.O_DIRECT | os.O_DSYNC if hasattr(os, "O_DIRECT") and hasattr(os, "O_DSYNC") else None
_REFUSALS: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP})


class NotOffered(DraveError):
    """This file system does not write past the page cache, or not this."""


class DirectWriter:
    """Writes one file. The same bytes may be written by other ways too, but not at the same time."""

    def __init__(self, path: Path) -> None:
        """Raises NotOffered, or OSError."""
        self._fd = -1
        if _FLAGS is None:
            raise NotOffered
        self._blocks = mmap.mmap(-1, BYTES_MAX + 2 * BLOCK)  # begins at a page; memory is taken as it is touched
        self._end = -1
        """Where the last write ended; what its last block holds up to there is at the start of the buffer."""
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | _FLAGS)
        except OSError as error:
            raise _understood(error) from error

    def write(self, data: Buffer, at: int, read: Callable[[int, int], Buffer]) -> None:
        """Write all of `data`, durably. `read(size, at)` gives what lies before it in its first block.

        Raises NotOffered when nothing was written, OSError when something may have been.
        """
        held = at % BLOCK
        end = held + len(data)
        size = end + -end % BLOCK
        blocks = self._blocks
        assert size <= len(blocks), "more than BYTES_MAX is written by other ways"
        if held and self._end != at:
            blocks[:held] = bytes(read(held, at - held)).ljust(held, b"\0")
        self._end = -1
        blocks[held:end] = data
        blocks[end:size] = bytes(size - end)
        self._write_blocks(size, at - held)
        held = end % BLOCK
        blocks[:held] = blocks[end - held : end]
        self._end = at + len(data)

    def forget(self) -> None:
        """Others have written: what was kept may not be there any more."""
        self._end = -1

    def _write_blocks(self, size: int, at: int) -> None:
        view = memoryview(self._blocks)
        done = 0
        while done < size:
            try:
                taken = os.pwrite(self._fd, view[done:size], at + done)
            except OSError as error:
                raise (error if done else _understood(error)) from error
            if not taken:
                raise OSError(errno.ENOSPC, "the disk took no more bytes")
            done += taken

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


def _understood(error: OSError) -> Exception:
    return NotOffered() if error.errno in _REFUSALS else error
