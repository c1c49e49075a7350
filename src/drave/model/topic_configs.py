"""Every config that a topic of Apache Kafka 4.3.1 has, what 4.4 adds for dead letters, and Drave's own
(`drave.`).

    overrides of the topic   over   defaults of the broker (`broker_name`)   over   `default`

Names, types, defaults and bounds are Kafka's. Where a value would promise what this version cannot do, the check
refuses it and says so; where a config has no effect because there is only one copy of each partition, its text says so,
as it would be with a single Kafka broker. (Kafka gives all of them the same importance, and no request shows it.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from drave.model.config import LONG_MAX, ConfigKey, ConfigType, ConfigValue, between, one_of, only, some_of

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS

_THROTTLED: Final = re.compile(r"\*|\s*\d+\s*:\s*\d+\s*")


def _throttled_replicas(value: ConfigValue) -> str | None:
    assert isinstance(value, tuple)
    if all(_THROTTLED.fullmatch(item) for item in value) and ("*" not in value or len(value) == 1):
        return None
    return "must be * or a list of partition:broker pairs"


_TOPIC_NAME: Final = re.compile(r"(?!\.{1,2}$)(?!__)[a-zA-Z0-9._-]{1,249}")


def topic_or_none(value: ConfigValue) -> str | None:
    """A topic's name, or nothing."""
    assert isinstance(value, str)
    if not value or _TOPIC_NAME.fullmatch(value):
        return None
    return "must be empty or a topic's name: up to 249 letters, digits, dots, dashes and underscores, not two to begin"


_CLEANUP: Final = (
    ConfigKey(
        name="cleanup.policy",
        type=ConfigType.LIST,
        default="delete",
        check=some_of("compact", "delete"),
        broker_name="log.cleanup.policy",
        doc="What happens to old records. 'delete' drops whole segments past the retention limits; 'compact' asks that "
        "at least the last record of each key stays, and requires every record to have a key; both may be given; an "
        "empty list keeps everything.",
    ),
    ConfigKey(
        name="delete.retention.ms",
        type=ConfigType.LONG,
        default="86400000",
        check=between(0),
        broker_name="log.cleaner.delete.retention.ms",
        doc="How long compaction leaves a tombstone (a record without a value) in place, so that a consumer reading "
        "from the start still learns of the deletion.",
    ),
    ConfigKey(
        name="max.compaction.lag.ms",
        type=ConfigType.LONG,
        default=str(LONG_MAX),
        check=between(1),
        broker_name="log.cleaner.max.compaction.lag.ms",
        doc="The longest time that a record may stay out of reach of compaction: then the log is compacted, however "
        "little of it has not been yet, and the segment being written is closed for it.",
    ),
    ConfigKey(
        name="min.cleanable.dirty.ratio",
        type=ConfigType.DOUBLE,
        default="0.5",
        check=between(0, 1),
        broker_name="log.cleaner.min.cleanable.ratio",
        doc="Compact a log once more than this share of it has not been compacted yet.",
    ),
    ConfigKey(
        name="min.compaction.lag.ms",
        type=ConfigType.LONG,
        default="0",
        check=between(0),
        broker_name="log.cleaner.min.compaction.lag.ms",
        doc="How long at least a record stays as it was written before compaction may drop it.",
    ),
)

_COMPRESSION: Final = (
    ConfigKey(
        name="compression.gzip.level",
        type=ConfigType.INT,
        default="-1",
        check=between(1, 9, or_=-1),
        broker_name="compression.gzip.level",
        doc="The level used when compression.type is gzip; -1 is gzip's own default.",
    ),
    ConfigKey(
        name="compression.lz4.level",
        type=ConfigType.INT,
        default="9",
        check=between(1, 17),
        broker_name="compression.lz4.level",
        doc="The level used when compression.type is lz4.",
    ),
    ConfigKey(
        name="compression.type",
        type=ConfigType.STRING,
        default="producer",
        check=one_of("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
        broker_name="compression.type",
        doc="The codec in which batches are kept. 'producer' keeps each batch as it was sent, which costs the broker "
        "nothing; any other value rewrites batches that came in another codec.",
    ),
    ConfigKey(
        name="compression.zstd.level",
        type=ConfigType.INT,
        default="3",
        check=between(-131072, 22),
        broker_name="compression.zstd.level",
        doc="The level used when compression.type is zstd.",
    ),
)

_DELIVERY: Final = (
    ConfigKey(
        name="drave.dead.letter.topic",
        type=ConfigType.STRING,
        default="",
        check=topic_or_none,
        doc="Where a record goes that a share group gives up, because it was rejected or delivered too often, unless "
        "the group names a topic of its own (errors.deadletterqueue.topic.name). That topic is made if it is missing; "
        "one that is there has to have errors.deadletterqueue.group.enable=true. Empty: nowhere. Kafka has no such "
        "config of topics.",
    ),
    ConfigKey(
        name="drave.delivery.delay.ms",
        type=ConfigType.LONG,
        default="0",
        check=between(0),
        doc="How old a record must be before consumers see it: until then the high watermark stands before it. Its age "
        "counts from its timestamp, which message.timestamp.type=LogAppendTime makes the broker's own; records behind "
        "one that is younger wait for it. Retention and compaction begin when a record can be seen. Kafka has no such "
        "config.",
    ),
    ConfigKey(
        name="drave.redelivery.delay.ms",
        type=ConfigType.LONG,
        default="0",
        check=between(0, 7 * 24 * HOUR_MS),
        doc="How long a share group keeps a record back that a member has released, or has held for too long, before "
        "it comes again; at most a week. What waits counts as in flight, and a restart of the broker ends the wait. "
        "Kafka has no such config.",
    ),
    ConfigKey(
        name="errors.deadletterqueue.group.enable",
        type=ConfigType.BOOLEAN,
        default="false",
        doc="Whether share groups may write dead letters to this topic (Kafka 4.4). What is given up of such a topic "
        "goes without a dead letter.",
    ),
)

_MESSAGES: Final = (
    ConfigKey(
        name="max.message.bytes",
        type=ConfigType.INT,
        default="1048588",
        check=between(0),
        broker_name="message.max.bytes",
        doc="The largest record batch that is taken, measured as it arrives (compressed).",
    ),
    ConfigKey(
        name="message.timestamp.after.max.ms",
        type=ConfigType.LONG,
        default="3600000",
        check=between(0),
        broker_name="log.message.timestamp.after.max.ms",
        doc="How far a producer's timestamp may lie ahead of the broker's clock; a batch beyond is refused. Without "
        "effect under LogAppendTime.",
    ),
    ConfigKey(
        name="message.timestamp.before.max.ms",
        type=ConfigType.LONG,
        default=str(LONG_MAX),
        check=between(0),
        broker_name="log.message.timestamp.before.max.ms",
        doc="How far a producer's timestamp may lie behind the broker's clock; a batch beyond is refused. Without "
        "effect under LogAppendTime.",
    ),
    ConfigKey(
        name="message.timestamp.type",
        type=ConfigType.STRING,
        default="CreateTime",
        check=one_of("CreateTime", "LogAppendTime"),
        broker_name="log.message.timestamp.type",
        doc="Whose clock stamps the records: the producer's (CreateTime), or the broker's on arrival (LogAppendTime).",
    ),
)

_RETENTION: Final = (
    ConfigKey(
        name="file.delete.delay.ms",
        type=ConfigType.LONG,
        default="60000",
        check=between(0),
        broker_name="log.segment.delete.delay.ms",
        doc="How long the file of a segment that left the log stays on the disk, for reads that still use it. No read "
        "needs it here, so the file goes at once and any value is kept.",
    ),
    ConfigKey(
        name="retention.bytes",
        type=ConfigType.LONG,
        default="-1",
        broker_name="log.retention.bytes",
        doc="Under the delete policy, the oldest segments of a partition go while it is larger than this; a negative "
        "value sets no limit. It counts per partition, not per topic.",
    ),
    ConfigKey(
        name="retention.ms",
        type=ConfigType.LONG,
        default="604800000",
        check=between(-1),
        broker_name="log.retention.ms",
        broker_units=(("log.retention.minutes", MINUTE_MS), ("log.retention.hours", HOUR_MS)),
        doc="Under the delete policy, a segment goes once its newest record is older than this; -1 sets no limit.",
    ),
)

_SEGMENTS: Final = (
    ConfigKey(
        name="flush.messages",
        type=ConfigType.LONG,
        default=str(LONG_MAX),
        check=between(1),
        broker_name="log.flush.interval.messages",
        doc="Force written records to the disk at least every so many. With durability = fsync every write is forced "
        "before it is acknowledged, so any value is kept.",
    ),
    ConfigKey(
        name="flush.ms",
        type=ConfigType.LONG,
        default=str(LONG_MAX),
        check=between(0),
        broker_name="log.flush.interval.ms",
        broker_units=(("log.flush.scheduler.interval.ms", 1),),
        doc="Force written records to the disk after so long at most. With durability = fsync every write is forced "
        "before it is acknowledged, so any value is kept.",
    ),
    ConfigKey(
        name="index.interval.bytes",
        type=ConfigType.INT,
        default="4096",
        check=between(0),
        broker_name="log.index.interval.bytes",
        doc="How many bytes of log lie between two entries of the offset index.",
    ),
    ConfigKey(
        name="internal.segment.bytes",
        type=ConfigType.INT,
        default="0",
        check=between(1),
        hidden=True,
        doc="segment.bytes without its lower bound, for tests that need small segments.",
    ),
    ConfigKey(
        name="preallocate",
        type=ConfigType.BOOLEAN,
        default="false",
        check=only(False, "segments are not preallocated here (the journal is, by itself); leave it false"),
        broker_name="log.preallocate",
        doc="Whether a new segment file is given its full size at once.",
    ),
    ConfigKey(
        name="segment.bytes",
        type=ConfigType.INT,
        default="1073741824",
        check=between(1024 * 1024),
        broker_name="log.segment.bytes",
        doc="The size past which a partition starts a new segment file. Retention takes whole segments, so a smaller "
        "segment is kept more exactly and costs more files.",
    ),
    ConfigKey(
        name="segment.index.bytes",
        type=ConfigType.INT,
        default="10485760",
        check=between(4),
        broker_name="log.index.size.max.bytes",
        doc="The size that an index file may reach; a partition starts a new segment when it would pass it.",
    ),
    ConfigKey(
        name="segment.jitter.ms",
        type=ConfigType.LONG,
        default="0",
        check=between(0),
        broker_name="log.roll.jitter.ms",
        broker_units=(("log.roll.jitter.hours", HOUR_MS),),
        doc="The largest random time by which segment.ms is shortened, so that not all partitions roll at once.",
    ),
    ConfigKey(
        name="segment.ms",
        type=ConfigType.LONG,
        default="604800000",
        check=between(1),
        broker_name="log.roll.ms",
        broker_units=(("log.roll.hours", HOUR_MS),),
        doc="The age past which a partition starts a new segment even when the old one is not full, so that retention "
        "and compaction can reach its records.",
    ),
)

_REPLICATION: Final = (
    ConfigKey(
        name="follower.replication.throttled.replicas",
        type=ConfigType.LIST,
        default="",
        check=_throttled_replicas,
        doc="The replicas whose copying is throttled on the following side. Without effect while a partition has one "
        "copy.",
    ),
    ConfigKey(
        name="leader.replication.throttled.replicas",
        type=ConfigType.LIST,
        default="",
        check=_throttled_replicas,
        doc="The replicas whose copying is throttled on the leading side. Without effect while a partition has one "
        "copy.",
    ),
    ConfigKey(
        name="min.insync.replicas",
        type=ConfigType.INT,
        default="1",
        check=between(1),
        broker_name="min.insync.replicas",
        doc="How many copies must be in sync for a write with acks=all to be taken; never more than there are, and "
        "there is one copy of each partition, so it is always met.",
    ),
    ConfigKey(
        name="unclean.leader.election.enable",
        type=ConfigType.BOOLEAN,
        default="false",
        broker_name="unclean.leader.election.enable",
        doc="Whether a replica that lags behind may lead when no other is left. Without effect while a partition has "
        "one copy.",
    ),
)

_TIERED: Final = (
    ConfigKey(
        name="local.retention.bytes",
        type=ConfigType.LONG,
        default="-2",
        check=between(-2),
        broker_name="log.local.retention.bytes",
        doc="With tiered storage, how many bytes of a partition stay local; -2 follows retention.bytes. Without effect "
        "while remote.storage.enable is false.",
    ),
    ConfigKey(
        name="local.retention.ms",
        type=ConfigType.LONG,
        default="-2",
        check=between(-2),
        broker_name="log.local.retention.ms",
        doc="With tiered storage, how long records stay local; -2 follows retention.ms. Without effect while "
        "remote.storage.enable is false.",
    ),
    ConfigKey(
        name="remote.log.copy.disable",
        type=ConfigType.BOOLEAN,
        default="false",
        doc="With tiered storage, whether copying to the remote tier is stopped. Without effect while "
        "remote.storage.enable is false.",
    ),
    ConfigKey(
        name="remote.log.delete.on.disable",
        type=ConfigType.BOOLEAN,
        default="false",
        doc="With tiered storage, whether the remote data goes when it is switched off. Without effect while "
        "remote.storage.enable is false.",
    ),
    ConfigKey(
        name="remote.storage.enable",
        type=ConfigType.BOOLEAN,
        default="false",
        check=only(False, "there is no tiered storage here; leave it false"),
        doc="Whether old segments move to a remote tier.",
    ),
)

TOPIC_CONFIGS: Final[Mapping[str, ConfigKey]] = {
    key.name: key
    for key in sorted(
        (*_CLEANUP, *_COMPRESSION, *_DELIVERY, *_MESSAGES, *_RETENTION, *_SEGMENTS, *_REPLICATION, *_TIERED),
        key=lambda key: key.name,
    )
}
"""By name, in Kafka's order (alphabetical)."""
