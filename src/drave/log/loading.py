"""Opening a partition that an earlier life left, when somebody first asks for it.

After a clean stop nothing has to be read but the names of its segments, its producers and its leader epochs. When
somebody changed the folder while the broker was stopped, it is recovered as after a crash.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from drave.log.epochs import LeaderEpochs
from drave.log.files import PartitionFiles
from drave.log.producers import Producers
from drave.log.recovery import PartitionRecovery
from drave.log.saved import read_epochs, read_producers
from drave.log.shared import Shared
from drave.model.errors import DraveError
from drave.model.log_config import LogConfig
from drave.store.errors import StorageError
from drave.store.recovery_points import RecoveryPoint

logger = logging.getLogger("drave.log")


class Loaded(NamedTuple):
    """A partition as it lies on the disk."""

    files: PartitionFiles
    producers: Producers
    epochs: LeaderEpochs
    point: RecoveryPoint
    """The one that was given, or a new one when the partition had to be recovered."""


def load_partition(shared: Shared, folder: Path, config: LogConfig, point: RecoveryPoint) -> Loaded:
    """Open what `point` speaks of. Raises StorageError."""
    try:
        try:
            return _load(shared, folder, point)
        except DraveError as error:
            logger.error("%s; it is recovered from what is there", error)
        recovery = PartitionRecovery(
            shared.disk,
            folder,
            point.topic_id,
            point.partition,
            config,
            point,
            (),
            epoch_floor=shared.flusher.epoch_floor,
            now_ms=shared.clock.wall_ms(),
            looks_closely=True,
        )
        recovered = recovery.run()
        assert recovered is not None, "a partition with a point stays one"
        return _load(shared, folder, recovered.point)
    except (OSError, DraveError) as error:
        raise StorageError(folder.name, f"could not be opened: {error}") from error


def _load(shared: Shared, folder: Path, point: RecoveryPoint) -> Loaded:
    files = PartitionFiles(shared.disk, shared.pool, folder)
    files.load(point)
    producers = read_producers(shared.disk, folder, point.snapshot)
    return Loaded(files, producers, read_epochs(shared.disk, folder), point)
