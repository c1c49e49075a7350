"""What all partitions of a broker have in common."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from drave.log.delivery import Deliveries
from drave.log.flusher import Flusher
from drave.model.clock import Clock
from drave.model.storage_settings import StorageSettings
from drave.store.disk import Disk
from drave.store.segment import FilePool


class Shared(NamedTuple):
    """One disk, one clock, one journal."""

    disk: Disk
    clock: Clock
    settings: StorageSettings
    pool: FilePool
    flusher: Flusher
    deliveries: Deliveries
    topics: Path
    """The folder of all partitions' folders."""
