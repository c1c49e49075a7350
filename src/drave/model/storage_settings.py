"""What the journal, the segments and recovery can be told; a part of `BrokerSettings`."""

from __future__ import annotations

from dataclasses import dataclass

from drave.model.config import INT_MAX
from drave.model.setting import KiB, MiB, check_bounds, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """How records are kept. Building one checks it: InvalidConfig."""

    durability: str = setting("fsync", choices=("fsync", "os"))
    """'fsync': a write is acknowledged once it is on the disk. 'os': once the operating system has it, as Kafka does
    unless `flush.messages` says otherwise."""

    journal_bytes_max: int = setting(64 * MiB, low=16 * KiB)
    """The size of each of the two journal files. Larger ones mean fewer checkpoints and a longer recovery."""

    journal_fill_bytes: int = setting(4 * MiB, low=0)
    """How far ahead of its use a journal file is filled with zeros; 0: not at all."""

    journal_entry_bytes_max: int = setting(1 * MiB, low=1 * KiB)
    """A partition that wrote more than this since the last commit is synced directly, past the journal."""

    direct_bytes_per_file: int = setting(256 * KiB, low=1)
    """So is one that wrote more than this for each file that would have to be synced; a quarter is enough when nobody
    else wrote."""

    checkpoint_bytes: int = setting(64 * MiB, low=4 * KiB)
    """A checkpoint begins after so many bytes that the journal does not hold: what recovery would have to read."""

    checkpoint_batches: int = setting(100_000, low=10)
    """A checkpoint begins after so many batches, however small: recovery looks at each."""

    inline_sync_us_max: int = setting(300, low=0)
    """While syncs of the journal take less than this, small writes are synced without another thread; 0: never."""

    open_segments_max: int = setting(4096, low=2)
    """Segment files that are open at one time; no more than half of what the process may open."""

    producer_id_expiration_ms: int = setting(
        86_400_000, kafka="producer.id.expiration.ms", low=1, high=INT_MAX, dynamic=True
    )
    """A producer that has sent nothing for so long is forgotten. Kafka: `producer.id.expiration.ms`."""

    retention_check_interval_ms: int = setting(300_000, kafka="log.retention.check.interval.ms", low=1)
    """How often each partition is looked at for what it may forget. Kafka: `log.retention.check.interval.ms`."""

    initial_task_delay_ms: int = setting(30_000, kafka="log.initial.task.delay.ms", low=0)
    """How long after a start nothing is forgotten. Kafka: `log.initial.task.delay.ms`."""

    cleaner_enable: bool = setting(True, kafka="log.cleaner.enable")
    """Whether compacted topics are compacted. Kafka: `log.cleaner.enable`."""

    cleaner_backoff_ms: int = setting(15_000, kafka="log.cleaner.backoff.ms", low=1)
    """How often each compacted partition is looked at for what is out of date. Kafka: `log.cleaner.backoff.ms`."""

    cleaner_map_bytes: int = setting(128 * MiB, kafka="log.cleaner.dedupe.buffer.size", low=64)
    """The most memory in which compaction remembers keys, 21 bytes for each, while it works; more keys take several
    rounds. Kafka: `log.cleaner.dedupe.buffer.size`."""

    cleaner_slice_bytes: int = setting(64 * KiB, low=1)
    """How much compaction looks at before it rests, and others go on."""

    def __post_init__(self) -> None:
        check_bounds(self)
