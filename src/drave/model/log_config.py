"""The effective configs of one topic, parsed once: what a partition's log acts on.

    LogConfig.of(overrides, defaults)
        overrides   what somebody set on the topic
        defaults    what somebody set on the broker, under the topic's names
        the rest    `TOPIC_CONFIGS`

A field is the Kafka config of the same name with underscores; what it means stands in `TOPIC_CONFIGS`. Only
`cleanup.policy` became two questions with yes or no, `internal.segment.bytes` is a `segment_bytes`, and what Kafka does
not have loses its `drave.`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drave.model.config import LONG_MAX, InvalidConfig
from drave.model.setting import nearest
from drave.model.topic_configs import TOPIC_CONFIGS

__all__ = ["TOPIC_CONFIGS", "InvalidConfig", "LogConfig", "check_topic_configs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """One topic's configs, as numbers and booleans. Times in milliseconds, sizes in bytes."""

    cleanup_compact: bool = False
    cleanup_delete: bool = True
    compression_gzip_level: int = -1
    compression_lz4_level: int = 9
    compression_type: str = "producer"
    compression_zstd_level: int = 3
    dead_letter_topic: str = ""
    delete_retention_ms: int = 86_400_000
    delivery_delay_ms: int = 0
    errors_deadletterqueue_group_enable: bool = False
    file_delete_delay_ms: int = 60_000
    flush_messages: int = LONG_MAX
    flush_ms: int = LONG_MAX
    follower_replication_throttled_replicas: tuple[str, ...] = ()
    index_interval_bytes: int = 4096
    leader_replication_throttled_replicas: tuple[str, ...] = ()
    local_retention_bytes: int = -2
    local_retention_ms: int = -2
    max_compaction_lag_ms: int = LONG_MAX
    max_message_bytes: int = 1_048_588
    message_timestamp_after_max_ms: int = 3_600_000
    message_timestamp_before_max_ms: int = LONG_MAX
    message_timestamp_type: str = "CreateTime"
    min_cleanable_dirty_ratio: float = 0.5
    min_compaction_lag_ms: int = 0
    min_insync_replicas: int = 1
    preallocate: bool = False
    redelivery_delay_ms: int = 0
    remote_log_copy_disable: bool = False
    remote_log_delete_on_disable: bool = False
    remote_storage_enable: bool = False
    retention_bytes: int = -1
    retention_ms: int = 604_800_000
    segment_bytes: int = 1024 * 1024 * 1024
    segment_index_bytes: int = 10 * 1024 * 1024
    segment_jitter_ms: int = 0
    segment_ms: int = 604_800_000
    unclean_leader_election_enable: bool = False

    @classmethod
    def of(cls, overrides: Mapping[str, str], defaults: Mapping[str, str] | None = None) -> LogConfig:
        """The configs of a topic with these overrides. Raises InvalidConfig."""
        given = {**(defaults or {}), **overrides}
        fields: dict[str, Any] = {}
        for name, text in given.items():
            key = TOPIC_CONFIGS.get(name)
            if key is None:
                raise InvalidConfig(name, text, "a topic has no such config" + nearest(name, _shown()))
            fields[key.field] = key.parse(text)
        if (policy := fields.pop("cleanup_policy", None)) is not None:
            fields |= {"cleanup_compact": "compact" in policy, "cleanup_delete": "delete" in policy}
        if (small := fields.pop("internal_segment_bytes", None)) is not None:
            fields["segment_bytes"] = small
        if fields.get("retention_bytes", 0) < 0:
            fields["retention_bytes"] = -1  # Kafka takes any negative number for 'no limit'
        config = cls(**fields)
        if config.min_compaction_lag_ms > config.max_compaction_lag_ms:
            raise InvalidConfig(
                "min.compaction.lag.ms",
                str(config.min_compaction_lag_ms),
                f"must not be above max.compaction.lag.ms = {config.max_compaction_lag_ms}",
            )
        if config.dead_letter_topic and config.errors_deadletterqueue_group_enable:
            raise InvalidConfig(
                "drave.dead.letter.topic",
                config.dead_letter_topic,
                "a topic that takes dead letters (errors.deadletterqueue.group.enable=true) sends none",
            )
        return config


def check_topic_configs(overrides: Mapping[str, str], *, durability: str, topic: str | None = None) -> None:
    """Refuse valid values that a broker of this durability could not honour, or this topic. Raises InvalidConfig."""
    if topic is not None and overrides.get("drave.dead.letter.topic", "").strip() == topic:
        raise InvalidConfig("drave.dead.letter.topic", topic, "a topic cannot take its own dead letters; name another")
    if durability == "fsync":
        return
    for name in ("flush.messages", "flush.ms"):
        if name in overrides and int(overrides[name]) != LONG_MAX:
            raise InvalidConfig(
                name,
                overrides[name],
                'under durability = "os" the operating system decides when to write; serve with durability = "fsync", '
                "which forces every write to the disk before it is acknowledged",
            )


def _shown() -> list[str]:
    return [key.name for key in TOPIC_CONFIGS.values() if not key.hidden]
