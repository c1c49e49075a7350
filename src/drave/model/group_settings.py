"""What groups can be told, of every kind, and where they are kept; a part of `BrokerSettings`.

group.consumer.session.timeout.ms                what a group has that is not set otherwise (`group_configs.py`)
group.consumer.min.… ─ group.consumer.max.…      between what it can be set
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from drave.model.config import INT_MAX
from drave.model.setting import MiB, setting

MigrationPolicy: TypeAlias = Literal["bidirectional", "upgrade", "downgrade", "disabled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """How groups come together, what their members may ask for, and what is kept of them."""

    # -- classic groups

    group_session_timeout_ms_min: int = setting(6_000, kafka="group.min.session.timeout.ms", low=0, high=INT_MAX)
    """The shortest session that a group's member may ask for. Kafka: `group.min.session.timeout.ms`."""

    group_session_timeout_ms_max: int = setting(1_800_000, kafka="group.max.session.timeout.ms", low=0, high=INT_MAX)
    """The longest session that a group's member may ask for. Kafka: `group.max.session.timeout.ms`."""

    group_size_max: int = setting(INT_MAX, kafka="group.max.size", low=1, high=INT_MAX)
    """Members in one group. Kafka: `group.max.size`."""

    group_initial_rebalance_delay_ms: int = setting(0, kafka="group.initial.rebalance.delay.ms", low=0, high=INT_MAX)
    """How long an empty group waits for more members before its first rebalance. Kafka:
    `group.initial.rebalance.delay.ms` (3 seconds there, which makes a first consumer look broken)."""

    # -- consumer groups (KIP-848)

    group_consumer_session_timeout_ms: int = setting(
        45_000, kafka="group.consumer.session.timeout.ms", low=1, high=INT_MAX
    )
    """How long a member of a consumer group may be silent. Kafka: `group.consumer.session.timeout.ms`."""

    group_consumer_session_timeout_ms_min: int = setting(
        45_000, kafka="group.consumer.min.session.timeout.ms", low=1, high=INT_MAX
    )
    """The shortest such time that a group may be set to. Kafka: `group.consumer.min.session.timeout.ms`."""

    group_consumer_session_timeout_ms_max: int = setting(
        60_000, kafka="group.consumer.max.session.timeout.ms", low=1, high=INT_MAX
    )
    """The longest such time that a group may be set to. Kafka: `group.consumer.max.session.timeout.ms`."""

    group_consumer_heartbeat_interval_ms: int = setting(
        5_000, kafka="group.consumer.heartbeat.interval.ms", low=1, high=INT_MAX
    )
    """How often members of consumer groups are asked to send heartbeats. Kafka:
    `group.consumer.heartbeat.interval.ms`."""

    group_consumer_heartbeat_interval_ms_min: int = setting(
        5_000, kafka="group.consumer.min.heartbeat.interval.ms", low=1, high=INT_MAX
    )
    """The shortest such interval that a group may be set to. Kafka: `group.consumer.min.heartbeat.interval.ms`."""

    group_consumer_heartbeat_interval_ms_max: int = setting(
        15_000, kafka="group.consumer.max.heartbeat.interval.ms", low=1, high=INT_MAX
    )
    """The longest such interval that a group may be set to. Kafka: `group.consumer.max.heartbeat.interval.ms`."""

    group_consumer_assignment_interval_ms: int = setting(
        1_000, kafka="group.consumer.assignment.interval.ms", low=0, high=INT_MAX
    )
    """The least time between two assignments of a consumer group: members that come together share one. Kafka:
    `group.consumer.assignment.interval.ms`."""

    group_consumer_assignment_interval_ms_min: int = setting(
        0, kafka="group.consumer.min.assignment.interval.ms", low=0, high=INT_MAX
    )
    """The shortest such time that a group may be set to. Kafka: `group.consumer.min.assignment.interval.ms`."""

    group_consumer_assignment_interval_ms_max: int = setting(
        15_000, kafka="group.consumer.max.assignment.interval.ms", low=0, high=INT_MAX
    )
    """The longest such time that a group may be set to. Kafka: `group.consumer.max.assignment.interval.ms`."""

    group_consumer_size_max: int = setting(INT_MAX, kafka="group.consumer.max.size", low=1, high=INT_MAX)
    """Members in one consumer group. Kafka: `group.consumer.max.size`."""

    group_consumer_migration_policy: MigrationPolicy = setting(  # noqa: RUF009  # makes a field
        "bidirectional", kafka="group.consumer.migration.policy"
    )
    """Which way a group with members may change between the classic and the consumer protocol. Kafka:
    `group.consumer.migration.policy`."""

    # -- share groups (KIP-932): members

    group_share_session_timeout_ms: int = setting(45_000, kafka="group.share.session.timeout.ms", low=1, high=INT_MAX)
    """How long a member of a share group may be silent. Kafka: `group.share.session.timeout.ms`."""

    group_share_session_timeout_ms_min: int = setting(
        45_000, kafka="group.share.min.session.timeout.ms", low=1, high=INT_MAX
    )
    """The shortest such time that a group may be set to. Kafka: `group.share.min.session.timeout.ms`."""

    group_share_session_timeout_ms_max: int = setting(
        60_000, kafka="group.share.max.session.timeout.ms", low=1, high=INT_MAX
    )
    """The longest such time that a group may be set to. Kafka: `group.share.max.session.timeout.ms`."""

    group_share_heartbeat_interval_ms: int = setting(
        5_000, kafka="group.share.heartbeat.interval.ms", low=1, high=INT_MAX
    )
    """How often members of share groups are asked to send heartbeats. Kafka: `group.share.heartbeat.interval.ms`."""

    group_share_heartbeat_interval_ms_min: int = setting(
        5_000, kafka="group.share.min.heartbeat.interval.ms", low=1, high=INT_MAX
    )
    """The shortest such interval that a group may be set to. Kafka: `group.share.min.heartbeat.interval.ms`."""

    group_share_heartbeat_interval_ms_max: int = setting(
        15_000, kafka="group.share.max.heartbeat.interval.ms", low=1, high=INT_MAX
    )
    """The longest such interval that a group may be set to. Kafka: `group.share.max.heartbeat.interval.ms`."""

    group_share_assignment_interval_ms: int = setting(
        1_000, kafka="group.share.assignment.interval.ms", low=0, high=INT_MAX
    )
    """The least time between two assignments of a share group: members that come together share one. Kafka:
    `group.share.assignment.interval.ms`."""

    group_share_assignment_interval_ms_min: int = setting(
        0, kafka="group.share.min.assignment.interval.ms", low=0, high=INT_MAX
    )
    """The shortest such time that a group may be set to. Kafka: `group.share.min.assignment.interval.ms`."""

    group_share_assignment_interval_ms_max: int = setting(
        15_000, kafka="group.share.max.assignment.interval.ms", low=0, high=INT_MAX
    )
    """The longest such time that a group may be set to. Kafka: `group.share.max.assignment.interval.ms`."""

    group_share_size_max: int = setting(200, kafka="group.share.max.size", low=1, high=1_000)
    """Members in one share group. Kafka: `group.share.max.size`."""

    # -- what share groups are given

    group_share_record_lock_duration_ms: int = setting(
        30_000, kafka="group.share.record.lock.duration.ms", low=1_000, high=3_600_000
    )
    """How long a member of a share group may keep a record without a word. Kafka:
    `group.share.record.lock.duration.ms`."""

    group_share_record_lock_duration_ms_min: int = setting(
        15_000, kafka="group.share.min.record.lock.duration.ms", low=1_000, high=30_000
    )
    """The shortest such time that a group may be set to. Kafka: `group.share.min.record.lock.duration.ms`."""

    group_share_record_lock_duration_ms_max: int = setting(
        60_000, kafka="group.share.max.record.lock.duration.ms", low=30_000, high=3_600_000
    )
    """The longest such time that a group may be set to. Kafka: `group.share.max.record.lock.duration.ms`."""

    group_share_delivery_count_limit: int = setting(5, kafka="group.share.delivery.count.limit", low=2, high=10)
    """How often a share group is given a record before it is given up. Kafka: `group.share.delivery.count.limit`."""

    group_share_delivery_count_limit_min: int = setting(2, kafka="group.share.min.delivery.count.limit", low=2, high=5)
    """The least such number that a group may be set to. Kafka: `group.share.min.delivery.count.limit`."""

    group_share_delivery_count_limit_max: int = setting(
        10, kafka="group.share.max.delivery.count.limit", low=5, high=25
    )
    """The greatest such number that a group may be set to. Kafka: `group.share.max.delivery.count.limit`."""

    group_share_partition_record_locks_max: int = setting(
        2_000, kafka="group.share.partition.max.record.locks", low=100, high=10_000
    )
    """Records of one partition that may be on their way to a share group's members: from the oldest that is not over
    to the newest that was given. Kafka: `group.share.partition.max.record.locks`."""

    group_share_partition_record_locks_max_min: int = setting(
        100, kafka="group.share.min.partition.max.record.locks", low=100, high=2_000
    )
    """The least such number that a group may be set to. Kafka: `group.share.min.partition.max.record.locks`."""

    group_share_partition_record_locks_max_max: int = setting(
        4_000, kafka="group.share.max.partition.max.record.locks", low=2_000, high=10_000
    )
    """The greatest such number that a group may be set to. Kafka: `group.share.max.partition.max.record.locks`."""

    group_share_sessions_max: int = setting(2_000, kafka="group.share.max.share.sessions", low=1, high=INT_MAX)
    """Members of share groups that may fetch at a time. Kafka: `group.share.max.share.sessions`."""

    # -- where that is kept

    share_state_topic_partitions: int = setting(
        50, kafka="share.coordinator.state.topic.num.partitions", low=1, high=10_000
    )
    """Partitions of `__share_group_state`; it counts once, when the topic is created. Kafka:
    `share.coordinator.state.topic.num.partitions`."""

    share_state_segment_bytes: int = setting(
        100 * MiB, kafka="share.coordinator.state.topic.segment.bytes", low=1 * MiB, high=INT_MAX
    )
    """Segment size of `__share_group_state`. Kafka: `share.coordinator.state.topic.segment.bytes`."""

    share_state_updates_per_snapshot: int = setting(
        500, kafka="share.coordinator.snapshot.update.records.per.snapshot", low=0, high=500
    )
    """After so many updates all that is known of a share-partition is written anew. Kafka:
    `share.coordinator.snapshot.update.records.per.snapshot`."""

    # -- streams groups (KIP-1071)

    group_streams_session_timeout_ms: int = setting(
        45_000, kafka="group.streams.session.timeout.ms", low=1, high=INT_MAX
    )
    """How long a member of a streams group may be silent. Kafka: `group.streams.session.timeout.ms`."""

    group_streams_session_timeout_ms_min: int = setting(
        45_000, kafka="group.streams.min.session.timeout.ms", low=1, high=INT_MAX
    )
    """The shortest such time that a group may be set to. Kafka: `group.streams.min.session.timeout.ms`."""

    group_streams_session_timeout_ms_max: int = setting(
        60_000, kafka="group.streams.max.session.timeout.ms", low=1, high=INT_MAX
    )
    """The longest such time that a group may be set to. Kafka: `group.streams.max.session.timeout.ms`."""

    group_streams_heartbeat_interval_ms: int = setting(
        5_000, kafka="group.streams.heartbeat.interval.ms", low=1, high=INT_MAX
    )
    """How often members of streams groups are asked to send heartbeats. Kafka:
    `group.streams.heartbeat.interval.ms`."""

    group_streams_heartbeat_interval_ms_min: int = setting(
        5_000, kafka="group.streams.min.heartbeat.interval.ms", low=1, high=INT_MAX
    )
    """The shortest such interval that a group may be set to. Kafka: `group.streams.min.heartbeat.interval.ms`."""

    group_streams_heartbeat_interval_ms_max: int = setting(
        15_000, kafka="group.streams.max.heartbeat.interval.ms", low=1, high=INT_MAX
    )
    """The longest such interval that a group may be set to. Kafka: `group.streams.max.heartbeat.interval.ms`."""

    group_streams_assignment_interval_ms: int = setting(
        1_000, kafka="group.streams.assignment.interval.ms", low=0, high=INT_MAX
    )
    """The least time between two assignments of a streams group. Kafka: `group.streams.assignment.interval.ms`."""

    group_streams_assignment_interval_ms_min: int = setting(
        0, kafka="group.streams.min.assignment.interval.ms", low=0, high=INT_MAX
    )
    """The shortest such time that a group may be set to. Kafka: `group.streams.min.assignment.interval.ms`."""

    group_streams_assignment_interval_ms_max: int = setting(
        15_000, kafka="group.streams.max.assignment.interval.ms", low=0, high=INT_MAX
    )
    """The longest such time that a group may be set to. Kafka: `group.streams.max.assignment.interval.ms`."""

    group_streams_initial_rebalance_delay_ms: int = setting(
        0, kafka="group.streams.initial.rebalance.delay.ms", low=0, high=INT_MAX
    )
    """How long an empty streams group waits for more members before its first assignment. Kafka:
    `group.streams.initial.rebalance.delay.ms` (3 seconds there)."""

    group_streams_standby_replicas: int = setting(0, kafka="group.streams.num.standby.replicas", low=0, high=INT_MAX)
    """How many copies of its state a streams group keeps beside each task's own. Kafka:
    `group.streams.num.standby.replicas`."""

    group_streams_standby_replicas_max: int = setting(
        2, kafka="group.streams.max.standby.replicas", low=0, high=INT_MAX
    )
    """The most copies that a group may be set to. Kafka: `group.streams.max.standby.replicas`."""

    group_streams_size_max: int = setting(INT_MAX, kafka="group.streams.max.size", low=1, high=INT_MAX)
    """Members in one streams group. Kafka: `group.streams.max.size`."""

    # -- dead letters (KIP-1191)

    dead_letters_topic_prefix: str = setting("", kafka="errors.deadletterqueue.topic.name.prefix", dynamic=True)
    """What the name of each topic for dead letters has to begin with; here any name will do. Kafka:
    `errors.deadletterqueue.topic.name.prefix` (`dlq.` there)."""

    dead_letters_create_topics: bool = setting(
        True, kafka="errors.deadletterqueue.auto.create.topics.enable", dynamic=True
    )
    """Whether a topic for dead letters that is missing is made; not in Kafka.
    Kafka: `errors.deadletterqueue.auto.create.topics.enable`."""

    # -- offsets

    offsets_topic_partitions: int = setting(50, kafka="offsets.topic.num.partitions", low=1, high=10_000)
    """Partitions of `__consumer_offsets`; it counts once, when the topic is created. Kafka's own number, so that each
    group lies in the partition in which Kafka would keep it and folders move between the two; a partition that no
    group uses has no file. Kafka: `offsets.topic.num.partitions`."""

    offsets_segment_bytes: int = setting(100 * MiB, kafka="offsets.topic.segment.bytes", low=1 * MiB, high=INT_MAX)
    """Segment size of `__consumer_offsets`. Kafka: `offsets.topic.segment.bytes`."""

    offset_metadata_bytes_max: int = setting(4096, kafka="offset.metadata.max.bytes", low=0, high=INT_MAX)
    """The longest note that may come with a committed offset. Kafka: `offset.metadata.max.bytes`."""

    offsets_retention_minutes: int = setting(10_080, kafka="offsets.retention.minutes", low=1, high=INT_MAX)
    """How long the offsets of a group without members are kept. Kafka: `offsets.retention.minutes`."""

    offsets_retention_check_interval_ms: int = setting(600_000, kafka="offsets.retention.check.interval.ms", low=1)
    """How often expired offsets are looked for. Kafka: `offsets.retention.check.interval.ms`."""
