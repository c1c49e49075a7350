"""A rewritten segment takes the place of those that it stands for, as Kafka's recovery understands it.

    …0400.log.cleaned   being written                     a crash drops it
    …0400.log.swap      whole and durable                 a crash finishes it: the others go, it becomes the .log
    …0400.log           in place, with its indexes

Names reach the disk in any order, so the folder is synced between one step and the next. The last batch of a rewritten
segment ends where the last one that it stands for did (an empty batch does, where need be): so a `.swap` says by
itself which segments it covers.

The index of aborted transactions cannot be built anew from one segment. It becomes a `.swap` before the log does, and
takes its place after it: alone, it belongs to a log that is in place, unless that one is still a `.cleaned`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from drave.log.files import segment_paths
from drave.store.disk import Disk, File
from drave.store.index import OFFSET_ENTRY, TIME_ENTRY, SparseIndex
from drave.store.names import (
    CLEANED,
    INDEX,
    LEFTOVERS,
    LOG,
    SWAP,
    TIME_INDEX,
    TRANSACTION_INDEX,
    offset_name,
    offset_of,
)
from drave.store.segment import Segment, peek


def cleaned_paths(folder: Path, base: int) -> Sequence[Path]:
    """What a segment and its indexes are called while they are written."""
    return [folder / offset_name(base, suffix + CLEANED) for suffix in (LOG, INDEX, TIME_INDEX, TRANSACTION_INDEX)]


def swap_in(disk: Disk, folder: Path, base: int, covered: Iterable[int]) -> None:
    """Put the `.cleaned` at `base`, or the `.swap`, in the place of the segments at `covered`, durably.

    The `.cleaned` and its indexes have been synced. After an OSError it can be tried again.
    """
    log, index, time_index, aborted = cleaned_paths(folder, base)
    swap = folder / offset_name(base, LOG + SWAP)
    aborted_swap = folder / offset_name(base, TRANSACTION_INDEX + SWAP)
    if disk.exists(log):
        for name in disk.list_folder(folder):
            if name.endswith(CLEANED) and folder / name not in (log, index, time_index, aborted):
                disk.unlink(folder / name)  # it would tell recovery that this swap was not the last step
        if disk.exists(aborted):
            disk.rename(aborted, aborted_swap)
            disk.sync_folder(folder)
        disk.rename(log, swap)
        disk.sync_folder(folder)
    if disk.exists(swap):
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
    if disk.exists(aborted_swap):
        disk.rename(aborted_swap, aborted_swap.with_suffix(""))
        disk.sync_folder(folder)


def finish_swaps(disk: Disk, folder: Path, names: Sequence[str]) -> list[str]:
    """Finish what a compaction began and a crash interrupted; returns the names that are left.

    A `.swap` that is older than a `.cleaned` was not the last step: it goes too, and the segments it stood for are
    still there. Otherwise it takes the place of every segment whose offsets it covers.
    """
    cleaned = _bases(names, LOG + CLEANED)
    swaps = {base for base in _bases(names, LOG + SWAP) if not cleaned or base < min(cleaned)}
    aborted = _bases(names, TRANSACTION_INDEX + SWAP)
    early = {base for base in aborted if base not in swaps and (not cleaned or base >= min(cleaned))} & (
        cleaned | _bases(names, LOG + SWAP)
    )
    for base in early:  # these first, for alone they would be taken for the last step
        disk.unlink(folder / offset_name(base, TRANSACTION_INDEX + SWAP))
        disk.sync_folder(folder)
    left = {name for name in names if not name.endswith((*LEFTOVERS, SWAP))}
    wanted = {offset_name(base, LOG + SWAP) for base in swaps}
    wanted |= {offset_name(base, TRANSACTION_INDEX + SWAP) for base in aborted - early}
    for name in names:
        if name not in left and name not in wanted:
            disk.unlink(folder / name)  # an index among them is built anew
    for base in sorted(swaps | (aborted - early)):
        _finish(disk, folder, base, left)
    return sorted(left)


def _bases(names: Iterable[str], suffix: str) -> set[int]:
    return {base for name in names if (base := offset_of(name, suffix)) is not None}


def _finish(disk: Disk, folder: Path, base: int, left: set[str]) -> None:
    """Finish one swap; `left` are the names that are there, before and after."""
    covered: list[int] = []
    swap = folder / offset_name(base, LOG + SWAP)
    if disk.exists(swap):
        file = disk.open(swap)
        end = max((header.last_offset + 1 for _, header in peek(file, 0, file.size())), default=base + 1)
        segments = [offset for each in left if (offset := offset_of(each, LOG)) is not None]
        covered = [base, *sorted(offset for offset in segments if base < offset < end)]
        _build_indexes(disk, folder, base, file)
    swap_in(disk, folder, base, covered)
    left -= {path.name for offset in covered for path in segment_paths(folder, offset)}
    left |= {path.name for path in segment_paths(folder, base) if disk.exists(path)}


def _build_indexes(disk: Disk, folder: Path, base: int, file: File) -> None:
    """Those that come with the swap: built later, a crash could leave half of them beside a log that is in place."""
    _, index, time_index, _ = cleaned_paths(folder, base)
    segment = Segment(disk, folder, base, file.size())
    segment.index = SparseIndex(disk, index, OFFSET_ENTRY)
    segment.time_index = SparseIndex(disk, time_index, TIME_ENTRY)
    segment.rebuild_indexes(file)
    for built in (segment.index, segment.time_index):
        if built.unsynced:
            disk.open(built.path).sync()
