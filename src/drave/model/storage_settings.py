"""What the journal, the segments and recovery can be told; a part of `BrokerSettings`."""

from __future__ import annotations

from dataclasses import dataclass

from drave.model.setting import check_bounds, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """How records are kept. Building one checks it: InvalidConfig."""

    durability: str = setting("fsync", choices=("fsync", "os"))
    """'fsync': a write is acknowledged once it is on the disk. 'os': once the operating system has it, as Kafka does
    unless `flush.messages` says otherwise."""

    def __post_init__(self) -> None:
        check_bounds(self)
