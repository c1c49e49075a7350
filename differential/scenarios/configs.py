"""Configs of topics, brokers, loggers, groups and client metrics: described, altered, replaced, listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from differential.calls import (
    APPEND,
    BROKER,
    DELETE,
    GROUP,
    LOGGER,
    METRICS,
    SET,
    SUBTRACT,
    TOPIC,
    ConfigStep,
    alter_configs,
    batch,
    describe_configs,
    produce,
)
from differential.scenario import scenario
from differential.stage import Stage, Topic
from drave.model.config import ConfigType
from drave.model.topic_configs import TOPIC_CONFIGS
from drave.wire.api import ApiKey
from drave.wire.messages import k33_alter_configs as replacing
from drave.wire.messages.k74_list_config_resources import ListConfigResourcesRequest

KAFKAS = tuple(name for name in TOPIC_CONFIGS if not name.startswith(("drave.", "errors.")))


def _replace(
    *resources: tuple[int, str, Sequence[tuple[str, str | None]]], **more: Any
) -> replacing.AlterConfigsRequest:
    asked = [
        replacing.AlterConfigsResource(
            resource_type=type_,
            resource_name=name,
            configs=[replacing.AlterableConfig(name=config, value=value) for config, value in configs],
        )
        for type_, name, configs in resources
    ]
    return replacing.AlterConfigsRequest(**{"resources": asked, "validate_only": False} | more)


def _settle(stage: Stage, topic: Topic) -> None:
    """Wait until what was altered can be seen: one more alteration, which comes after it, can be."""
    stage.quietly(alter_configs((TOPIC, topic.name, [("index.interval.bytes", SET, "4097")])))
    asked = describe_configs(TOPIC, topic.name, ["index.interval.bytes"])
    stage.wait(asked, lambda answer: answer.results[0].configs[0].value == "4097")


# -- described


@scenario(ApiKey.DESCRIBE_CONFIGS, synonyms=(False, True), documentation=(False, True))
def all_configs_of_a_topic(stage: Stage, version: int, synonyms: bool, documentation: bool) -> None:
    topic = stage.topic(retention_ms=" 5 ", cleanup_policy="compact, delete", max_message_bytes="2000")
    stage.ask(
        describe_configs(TOPIC, topic.name, include_synonyms=synonyms, include_documentation=documentation), version
    )


@scenario(ApiKey.DESCRIBE_CONFIGS, keys=([], ["retention.ms"], ["no.such", "retention.ms"], ["flush.ms", "flush.ms"]))
def some_configs_of_a_topic(stage: Stage, version: int, keys: Sequence[str]) -> None:
    stage.ask(describe_configs(TOPIC, stage.topic().name, keys), version)


@scenario(
    ApiKey.DESCRIBE_CONFIGS,
    kind=(TOPIC, BROKER, LOGGER, METRICS, GROUP, 0, 3, 99),
    name=("", "nowhere", "a b", "7", "-1"),
)
def resources_without_configs(stage: Stage, version: int, kind: int, name: str) -> None:
    stage.ask(describe_configs(kind, name, ["no.such"]), version)


SETTINGS: Final = (
    "log.retention.ms",
    "log.retention.minutes",
    "log.retention.hours",
    "log.roll.ms",
    "log.roll.hours",
    "log.cleanup.policy",
    "message.max.bytes",
    "num.partitions",
    "group.max.size",
    "group.min.session.timeout.ms",
    "producer.id.expiration.ms",
    "offsets.topic.num.partitions",
    "default.replication.factor",
    "auto.create.topics.enable",
    "log.segment.bytes",
    "log.flush.interval.ms",
    "log.flush.scheduler.interval.ms",
    "compression.type",
)


@scenario(ApiKey.DESCRIBE_CONFIGS, name=("1", "01"))
def settings_of_a_broker(stage: Stage, version: int, name: str) -> None:
    stage.ask(describe_configs(BROKER, name, SETTINGS), version)


# -- altered


STEPS: Final[Sequence[Sequence[ConfigStep]]] = (
    [("retention.ms", SET, " 7 ")],
    [("retention.ms", SET, None)],
    [("retention.ms", SET, "")],
    [("retention.ms", SET, "x")],
    [("retention.ms", SET, "-2")],
    [("retention.ms", SET, "9223372036854775808")],
    [("retention.ms", DELETE, None)],
    [("retention.ms", DELETE, "x")],
    [("retention.ms", APPEND, "5")],
    [("retention.ms", SUBTRACT, "5")],
    [("retention.ms", SET, "7"), ("retention.ms", DELETE, None)],
    [("retention.ms", SET, "7"), ("flush.ms", SET, "x")],
    [("retention.ms", SET, "7"), ("segment.ms", DELETE, None)],
    [("flush.ms", DELETE, None)],
    [("no.such", SET, "x")],
    [("no.such", DELETE, None)],
    [("no.such", APPEND, "x")],
    [("", SET, "x")],
    [("cleanup.policy", APPEND, "compact")],
    [("cleanup.policy", APPEND, "compact,delete")],
    [("cleanup.policy", APPEND, " compact ")],
    [("cleanup.policy", APPEND, None)],
    [("cleanup.policy", APPEND, "shred")],
    [("cleanup.policy", SUBTRACT, "delete")],
    [("cleanup.policy", SUBTRACT, "compact")],
    [("cleanup.policy", SUBTRACT, None)],
    [("cleanup.policy", SET, "")],
    [("cleanup.policy", SET, "compact,compact")],
    [("cleanup.policy", SET, "compact,,delete")],
    [("message.timestamp.type", SET, "logappendtime")],
    [("unclean.leader.election.enable", SET, "TRUE")],
    [("min.insync.replicas", SET, "0")],
    [("min.cleanable.dirty.ratio", SET, "1.5")],
    [("leader.replication.throttled.replicas", SET, "0:1, 1:1")],
    [("leader.replication.throttled.replicas", APPEND, "*")],
    [("remote.storage.enable", SET, "true")],
    [("retention.ms", 9, "5")],
    [],
)


@scenario(ApiKey.INCREMENTAL_ALTER_CONFIGS, steps=STEPS)
def steps_on_a_topic(stage: Stage, version: int, steps: Sequence[ConfigStep]) -> None:
    topic = stage.topic(retention_ms="5000", segment_ms="9000")
    stage.ask(alter_configs((TOPIC, topic.name, steps)), version)
    _settle(stage, topic)
    stage.ask(describe_configs(TOPIC, topic.name, ["retention.ms", "segment.ms", *(name for name, _, _ in steps)]))


@scenario(policy=("", "compact", "delete", "compact,delete"), operation=(APPEND, SUBTRACT), items=("compact", "delete"))
def lists_that_grow_and_shrink(stage: Stage, policy: str, operation: int, items: str) -> None:
    topic = stage.topic(cleanup_policy=policy)
    stage.ask(alter_configs((TOPIC, topic.name, [("cleanup.policy", operation, items)])))
    _settle(stage, topic)
    stage.ask(describe_configs(TOPIC, topic.name, ["cleanup.policy"]))


@scenario(config=KAFKAS, value=("0", "1", "-1", "-3", "true", "x", "2147483648"))
def a_value_of_each_config(stage: Stage, config: str, value: str) -> None:
    if TOPIC_CONFIGS[config].type is ConfigType.LIST:
        value = {"0": "0:1", "1": "*", "-1": "delete"}.get(value, value)
    topic = stage.topic()
    stage.ask(alter_configs((TOPIC, topic.name, [(config, SET, value)]), validate_only=True))


@scenario(
    ApiKey.INCREMENTAL_ALTER_CONFIGS,
    kind=(0, 1, TOPIC, 3, BROKER, LOGGER, METRICS, GROUP, 99),
    name=("", "nowhere", "a b", "7"),
    config=("no.such", "retention.ms"),
)
def steps_on_what_is_not_there(stage: Stage, version: int, kind: int, name: str, config: str) -> None:
    stage.ask(alter_configs((kind, name, [(config, SET, "x")]), validate_only=True), version)
    stage.ask(alter_configs((kind, name, [(config, SET, None)]), validate_only=True), version)


@scenario(ApiKey.INCREMENTAL_ALTER_CONFIGS, validate_only=(False, True))
def several_resources(stage: Stage, version: int, validate_only: bool) -> None:
    first, second = stage.topic("a"), stage.topic("b")
    five, bad = [("retention.ms", SET, "5")], [("retention.ms", SET, "x")]
    nowhere = stage.name("nowhere")
    stage.ask(
        alter_configs(
            (TOPIC, first.name, five), (TOPIC, nowhere, five), (TOPIC, second.name, bad), validate_only=validate_only
        ),
        version,
    )
    stage.ask(alter_configs((TOPIC, first.name, bad), (TOPIC, first.name, five), (TOPIC, second.name, five)), version)
    _settle(stage, second)
    stage.ask(describe_configs(TOPIC, first.name, ["retention.ms"]))
    stage.ask(describe_configs(TOPIC, second.name, ["retention.ms"]))
    stage.ask(alter_configs(), version)


@scenario(
    ApiKey.INCREMENTAL_ALTER_CONFIGS,
    name=("1", ""),
    step=(
        ("max.connections", SET, "x"),
        ("max.connections", SET, "500"),
        ("max.connections", SET, "-1"),
        ("max.connections", APPEND, "1"),
        ("max.connections.per.ip", SET, "0"),
        ("max.connections.per.ip", SET, "-1"),
        ("max.connections.per.ip.overrides", SET, "127.0.0.1:500,::1:5"),
        ("max.connections.per.ip.overrides", SET, "127.0.0.1"),
        ("max.connections.per.ip.overrides", SET, ""),
        ("max.connection.creation.rate", SET, "100"),
        ("max.connection.creation.rate", SET, "0"),
        ("quota.window.num", SET, "5"),
        ("log.retention.hours", SET, "5"),
        ("log.retention.ms", SET, "x"),
        ("log.segment.bytes", SET, "3"),
        ("log.cleanup.policy", APPEND, "compact"),
        ("log.cleanup.policy", APPEND, "shred"),
        ("num.partitions", SET, "3"),
        ("num.partitions", DELETE, None),
        ("node.id", SET, "1"),
        ("no.such", DELETE, None),
    ),
)
def steps_on_a_broker(stage: Stage, version: int, name: str, step: ConfigStep) -> None:
    stage.ask(alter_configs((BROKER, name, [step]), validate_only=True), version)


@scenario(ApiKey.INCREMENTAL_ALTER_CONFIGS)
def a_topic_that_takes_smaller_batches(stage: Stage, version: int) -> None:
    topic = stage.topic()
    stage.ask(alter_configs((TOPIC, topic.name, [("max.message.bytes", SET, "100")])), version)
    _settle(stage, topic)
    stage.settle()
    stage.ask(produce(topic, {0: batch("x" * 100)}))
    stage.ask(alter_configs((TOPIC, topic.name, [("max.message.bytes", DELETE, None)])), version)
    _settle(stage, topic)
    stage.settle()
    stage.ask(produce(topic, {0: batch("x" * 100)}))


# -- replaced


@scenario(
    ApiKey.ALTER_CONFIGS,
    configs=(
        [],
        [("retention.ms", "7")],
        [("segment.ms", "7")],
        [("retention.ms", None)],
        [("retention.ms", "x")],
        [("no.such", "7")],
        [("retention.ms", "7"), ("retention.ms", "8")],
        [("cleanup.policy", "")],
    ),
    validate_only=(False, True),
)
def a_topic_s_configs_are_replaced(
    stage: Stage, version: int, configs: Sequence[tuple[str, str | None]], validate_only: bool
) -> None:
    topic = stage.topic(retention_ms="5000", segment_ms="9000")
    stage.ask(_replace((TOPIC, topic.name, configs), validate_only=validate_only), version)
    _settle(stage, topic)
    stage.ask(describe_configs(TOPIC, topic.name, ["retention.ms", "segment.ms", "cleanup.policy"]))


@scenario(ApiKey.ALTER_CONFIGS, kind=(0, TOPIC, BROKER, LOGGER, METRICS, GROUP, 99), name=("", "nowhere", "a b", "7"))
def what_is_not_there_is_replaced(stage: Stage, version: int, kind: int, name: str) -> None:
    stage.ask(_replace((kind, name, [("no.such", "x")]), validate_only=True), version)


# -- listed


@scenario(ApiKey.LIST_CONFIG_RESOURCES, types=([BROKER], [LOGGER], [METRICS], [GROUP], [BROKER, BROKER], [0], [99]))
def types_of_resources(stage: Stage, version: int, types: Sequence[int]) -> None:
    stage.ask(ListConfigResourcesRequest(resource_types=list(types) if version else []), version)


# -- groups


@scenario(
    step=(
        ("consumer.session.timeout.ms", SET, "50000"),
        ("consumer.session.timeout.ms", SET, "44999"),
        ("consumer.session.timeout.ms", SET, "60001"),
        ("consumer.session.timeout.ms", SET, "soon"),
        ("consumer.session.timeout.ms", SET, ""),
        ("consumer.session.timeout.ms", APPEND, "50000"),
        ("consumer.session.timeout.ms", DELETE, None),
        ("consumer.heartbeat.interval.ms", SET, "4999"),
        ("consumer.heartbeat.interval.ms", SET, "15000"),
        ("consumer.assignment.interval.ms", SET, "5"),
        ("consumer.assignment.interval.ms", SET, "-1"),
        ("consumer.assignment.interval.ms", SET, "15001"),
        ("share.auto.offset.reset", SET, "earliest"),
        ("share.auto.offset.reset", SET, "by_duration:PT1H"),
        ("share.auto.offset.reset", SET, "by_duration:-PT1H"),
        ("share.auto.offset.reset", SET, "never"),
        ("share.isolation.level", SET, "read_committed"),
        ("share.isolation.level", SET, "serializable"),
        ("share.renew.acknowledge.enable", SET, "false"),
        ("share.renew.acknowledge.enable", SET, "perhaps"),
        ("share.delivery.count.limit", SET, "2"),
        ("share.delivery.count.limit", SET, "1"),
        ("share.delivery.count.limit", SET, "11"),
        ("share.record.lock.duration.ms", SET, "15000"),
        ("share.record.lock.duration.ms", SET, "60001"),
        ("streams.num.standby.replicas", SET, "2"),
        ("streams.num.standby.replicas", SET, "3"),
        ("streams.num.standby.replicas", SET, "-1"),
    )
)
def a_config_of_a_group(stage: Stage, step: ConfigStep) -> None:
    group, (name, _, value) = stage.name("group"), step
    altered = stage.ask(alter_configs((GROUP, group, [step])))
    asked = describe_configs(GROUP, group, [name, "consumer.session.timeout.ms"])
    listed = ListConfigResourcesRequest(resource_types=[GROUP])
    if value is not None and not altered.responses[0].error_code:
        stage.wait(asked, lambda answer: any(each.config_source == 8 for each in answer.results[0].configs))
        stage.wait(listed, lambda answer: any(each.resource_name == group for each in answer.config_resources))
    stage.ask(asked)
    stage.ask(listed, 1, mine=True)
    stage.quietly(alter_configs((GROUP, group, [(name, DELETE, None)])))
