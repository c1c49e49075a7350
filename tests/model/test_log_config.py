"""A topic's configs: Kafka's names, defaults and checks, and what this version refuses."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.model.config import LONG_MAX, ConfigType, InvalidConfig
from drave.model.errors import ErrorCode
from drave.model.log_config import LogConfig, check_topic_configs
from drave.model.topic_configs import TOPIC_CONFIGS

KAFKA_4_3_1 = """
cleanup.policy                          LIST     delete               log.cleanup.policy
compression.gzip.level                  INT      -1                   compression.gzip.level
compression.lz4.level                   INT      9                    compression.lz4.level
compression.type                        STRING   producer             compression.type
compression.zstd.level                  INT      3                    compression.zstd.level
delete.retention.ms                     LONG     86400000             log.cleaner.delete.retention.ms
file.delete.delay.ms                    LONG     60000                log.segment.delete.delay.ms
flush.messages                          LONG     9223372036854775807  log.flush.interval.messages
flush.ms                                LONG     9223372036854775807  log.flush.interval.ms
follower.replication.throttled.replicas LIST     -                    -
index.interval.bytes                    INT      4096                 log.index.interval.bytes
leader.replication.throttled.replicas   LIST     -                    -
local.retention.bytes                   LONG     -2                   log.local.retention.bytes
local.retention.ms                      LONG     -2                   log.local.retention.ms
max.compaction.lag.ms                   LONG     9223372036854775807  log.cleaner.max.compaction.lag.ms
max.message.bytes                       INT      1048588              message.max.bytes
message.timestamp.after.max.ms          LONG     3600000              log.message.timestamp.after.max.ms
message.timestamp.before.max.ms         LONG     9223372036854775807  log.message.timestamp.before.max.ms
message.timestamp.type                  STRING   CreateTime           log.message.timestamp.type
min.cleanable.dirty.ratio               DOUBLE   0.5                  log.cleaner.min.cleanable.ratio
min.compaction.lag.ms                   LONG     0                    log.cleaner.min.compaction.lag.ms
min.insync.replicas                     INT      1                    min.insync.replicas
preallocate                             BOOLEAN  false                log.preallocate
remote.log.copy.disable                 BOOLEAN  false                -
remote.log.delete.on.disable            BOOLEAN  false                -
remote.storage.enable                   BOOLEAN  false                -
retention.bytes                         LONG     -1                   log.retention.bytes
retention.ms                            LONG     604800000            log.retention.ms
segment.bytes                           INT      1073741824           log.segment.bytes
segment.index.bytes                     INT      10485760             log.index.size.max.bytes
segment.jitter.ms                       LONG     0                    log.roll.jitter.ms
segment.ms                              LONG     604800000            log.roll.ms
unclean.leader.election.enable          BOOLEAN  false                unclean.leader.election.enable
"""
"""What Apache Kafka 4.3.1 answers to DescribeConfigs of a fresh topic; a dash is nothing."""


def test_every_config_of_kafka_is_here_with_its_type_its_default_and_its_broker_level_name():
    ours = {
        key.name: (key.name, key.type.name, key.default or "-", key.broker_name or "-")
        for key in TOPIC_CONFIGS.values()
        if not key.hidden and not key.name.startswith(("drave.", "errors."))
    }
    assert list(ours.values()) == [tuple(line.split()) for line in KAFKA_4_3_1.strip().splitlines()]


def test_what_kafka_does_not_have_begins_with_drave_and_stands_among_the_others_by_name():
    assert list(TOPIC_CONFIGS) == sorted(TOPIC_CONFIGS)
    assert LogConfig.of({"drave.delivery.delay.ms": "60000"}).delivery_delay_ms == 60_000


@pytest.mark.parametrize("key", [key for key in TOPIC_CONFIGS.values() if not key.hidden], ids=lambda key: key.name)
def test_a_default_is_a_value_that_can_be_set_and_changes_nothing(key):
    assert LogConfig.of({key.name: key.default}) == LogConfig()
    assert key.doc


def test_every_config_has_a_field():
    fields = {field.name for field in dataclasses.fields(LogConfig)}
    for key in TOPIC_CONFIGS.values():
        if key.name not in ("cleanup.policy", "internal.segment.bytes"):
            assert key.field in fields


@pytest.mark.parametrize(
    ("key", "text", "field", "value"),
    [
        ("retention.ms", " 5 ", "retention_ms", 5),
        ("retention.ms", "+5", "retention_ms", 5),
        ("retention.bytes", "-5", "retention_bytes", -1),
        ("min.cleanable.dirty.ratio", "0.25f", "min_cleanable_dirty_ratio", 0.25),
        ("unclean.leader.election.enable", "TRUE", "unclean_leader_election_enable", True),
        ("compression.type", " lz4 ", "compression_type", "lz4"),
        ("compression.zstd.level", "-131072", "compression_zstd_level", -131072),
        ("leader.replication.throttled.replicas", "1:2,3:4", "leader_replication_throttled_replicas", ("1:2", "3:4")),
        ("follower.replication.throttled.replicas", "*", "follower_replication_throttled_replicas", ("*",)),
        ("internal.segment.bytes", "100", "segment_bytes", 100),
    ],
)
def test_a_value_is_read_as_kafka_reads_it(key, text, field, value):
    assert getattr(LogConfig.of({key: text}), field) == value


@pytest.mark.parametrize(
    ("policy", "compact", "delete"),
    [("", False, False), ("compact", True, False), (" delete , compact ", True, True), ("delete,delete", False, True)],
)
def test_a_cleanup_policy_is_a_list_that_may_be_empty(policy, compact, delete):
    config = LogConfig.of({"cleanup.policy": policy})
    assert (config.cleanup_compact, config.cleanup_delete) == (compact, delete)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("cleanup.policy", "none"),
        ("cleanup.policy", "Delete"),
        ("cleanup.policy", "delete,"),
        ("compression.type", "LZ4"),
        ("compression.type", "none"),
        ("compression.gzip.level", "0"),
        ("retention.ms", ""),
        ("retention.ms", "-2"),
        ("retention.ms", "1_000"),
        ("retention.ms", "0x10"),
        ("retention.ms", "9223372036854775808"),
        ("max.message.bytes", "2147483648"),
        ("segment.bytes", "1048575"),
        ("unclean.leader.election.enable", "yes"),
        ("min.cleanable.dirty.ratio", "2"),
        ("min.cleanable.dirty.ratio", "NaN"),
        ("message.timestamp.type", "createtime"),
        ("min.insync.replicas", "0"),
        ("leader.replication.throttled.replicas", "x"),
        ("leader.replication.throttled.replicas", "*,1:2"),
    ],
)
def test_what_kafka_refuses_is_refused_and_the_message_names_key_and_value(key, text):
    with pytest.raises(InvalidConfig) as refusal:
        LogConfig.of({key: text})
    assert refusal.value.code is ErrorCode.INVALID_CONFIG
    assert str(refusal.value).startswith(f"{key} = {text!r}: ")


@pytest.mark.parametrize(("key", "text"), [("remote.storage.enable", "true"), ("preallocate", "true")])
def test_what_this_version_could_not_honour_is_refused(key, text):
    with pytest.raises(InvalidConfig):
        LogConfig.of({key: text})


def test_an_unknown_config_is_refused_with_the_nearest_name():
    with pytest.raises(InvalidConfig, match=r"retention\.mss.*did you mean retention\.ms\?"):
        LogConfig.of({"retention.mss": "5"})


def test_a_topics_own_value_wins_over_the_brokers_and_that_over_kafkas():
    config = LogConfig.of({"retention.ms": "1"}, {"retention.ms": "2", "retention.bytes": "3"})
    assert (config.retention_ms, config.retention_bytes, config.segment_ms) == (1, 3, 604_800_000)


def test_a_flush_interval_is_kept_by_syncing_always_and_refused_where_nothing_syncs():
    overrides = {"flush.messages": "1"}
    check_topic_configs(overrides, durability="fsync")
    with pytest.raises(InvalidConfig, match="durability"):
        check_topic_configs(overrides, durability="os")
    check_topic_configs({"flush.ms": str(LONG_MAX)}, durability="os")


@given(st.sampled_from(sorted(TOPIC_CONFIGS)), st.text(max_size=20))
def test_any_text_gives_a_config_or_a_refusal(name, text):
    with contextlib.suppress(InvalidConfig):
        LogConfig.of({name: text})


@given(st.integers(-(2**70), 2**70))
def test_a_whole_number_is_taken_exactly_within_its_type(number):
    key = TOPIC_CONFIGS["retention.bytes"]
    assert key.type is ConfigType.LONG
    if -(2**63) <= number < 2**63:
        assert key.parse(str(number)) == number
    else:
        with pytest.raises(InvalidConfig):
            key.parse(str(number))
