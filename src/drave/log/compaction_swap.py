"""A rewritten segment takes the place of those that it stands for, as Kafka's recovery understands it.

    …0400.log.cleaned   being written                     a crash drops it
    …0400.log.swap      whole and durable                 a crash finishes it: the others go, it becomes the .log
    …0400.log           in place, with its indexes

Names reach the disk in any order, so the folder is synced between one step and the next. The last batch of a rewritten
segment ends where the last one that it stands for did (an empty batch does, where need be): so a `.swap` says by
itself which segments it covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from drave.log.files import segment_paths
from drave.store.disk import Disk
from drave.store.names import CLEANED, INDEX, LEFTOVERS, LOG, SWAP, TIME_INDEX, offset_name, offset_of
from drave.store.segment import Segment, peek


def cleaned_paths(folder: Path, base: int) -> Sequence[Path]:
    """What a segment and its indexes are called while they are written."""
    return [folder / offset_name(base, suffix + CLEANED) for suffix in (LOG, INDEX, TIME_INDEX)]


def swap_in(disk: Disk, folder: Path, base: int, covered: Iterable[int]) -> None:
    """Put the `.cleaned` at `base`, or the `.swap`, in the place of the segments at `covered`, durably.

    The `.cleaned` and its indexes have been synced. After an OSError it can be tried again.
    """
    log, index, time_index = cleaned_paths(folder, base)
    swap = folder / offset_name(base, LOG + SWAP)
    if disk.exists(log):
        for name in disk.list_folder(folder):
            if name.endswith(CLEANED) and folder / name not in (log, index, time_index):
                disk.unlink(folder / name)  # it would tell recovery that this swap was not the last step
        disk.rename(log, swap)
        disk.sync_folder(folder)
    if not disk.exists(swap):
        return
    for offset in covered:
        for path in segment_paths(folder, offset):
            if path.name != offset_name(base, LOG):
                disk.unlink(path)
    disk.sync_folder(folder)
    for cleaned in (index, time_index):
        if disk.exists(cleaned):
            disk.rename(cleaned, cleaned.with_suffix(""))
    disk.sync_folder(folder)
    disk.rename(swap, folder / offset_name(base, LOG))
    disk.sync_folder(folder)


def finish_swaps(disk: Disk, folder: Path, names: Sequence[str]) -> list[str]:
    """Finish what a compaction began and a crash interrupted; returns the names that are left.

    A `.swap` that is older than a `.cleaned` was not the last step: it goes too, and the segments it stood for are
    still there. Otherwise it takes the place of every segment whose offsets it covers.
    """
    left = set(names)
    cleaned = [base for name in names if (base := offset_of(name, LOG + CLEANED)) is not None]
    for name in names:
        if name.endswith(LEFTOVERS):
            disk.unlink(folder / name)
            left.discard(name)
    swaps = {base: name for name in names if (base := offset_of(name, LOG + SWAP)) is not None}
    for name in names:
        if name.endswith(SWAP) and name not in swaps.values():  # an index: it is built anew
            disk.unlink(folder / name)
            left.discard(name)
    for base, name in sorted(swaps.items()):
        left.discard(name)
        if cleaned and base >= min(cleaned):
            disk.unlink(folder / name)
            continue
        file = disk.open(folder / name)
        segment = Segment(disk, folder, base, file.size())
        end = max((header.last_offset + 1 for _, header in peek(file, 0, segment.size)), default=base + 1)
        segments = [offset for each in left if (offset := offset_of(each, LOG)) is not None]
        covered = sorted(offset for offset in segments if base <= offset < end)
        swap_in(disk, folder, base, {base, *covered})
        left -= {path.name for offset in (base, *covered) for path in segment_paths(folder, offset)}
        _build_indexes(disk, folder, segment)
        left.add(offset_name(base, LOG))
    return sorted(left)


def _build_indexes(disk: Disk, folder: Path, segment: Segment) -> None:
    segment.rebuild_indexes(disk.open(segment.path))
    for index in (segment.index, segment.time_index):
        if index.unsynced:
            disk.open(index.path).sync()
    disk.sync_folder(folder)
