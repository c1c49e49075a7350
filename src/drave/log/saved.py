"""What a partition keeps beside its segments, read back: leader epochs, producer snapshots."""

from __future__ import annotations

from pathlib import Path

from drave.log.epochs import LeaderEpochs
from drave.log.producers import DamagedSnapshot, Producers
from drave.store.disk import Disk, read_whole
from drave.store.names import LEADER_EPOCHS, SNAPSHOT, offset_name


def read_epochs(disk: Disk, folder: Path) -> LeaderEpochs:
    """The partition's leader epochs; none when there is no file. Raises DamagedEpochs."""
    data = read_whole(disk, folder / LEADER_EPOCHS)
    return LeaderEpochs() if data is None else LeaderEpochs.decode(data)


def read_producers(disk: Disk, folder: Path, snapshot: int) -> Producers:
    """The producers in the snapshot at an offset; none for -1. Raises DamagedSnapshot."""
    if snapshot < 0:
        return Producers()
    data = read_whole(disk, folder / offset_name(snapshot, SNAPSHOT))
    if data is None:
        raise DamagedSnapshot(f"the producer snapshot at {snapshot} is missing")
    return Producers.restore(data)
