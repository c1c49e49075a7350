"""DescribeConfigs: checked against what Apache Kafka 4.3.1 answers."""

from __future__ import annotations

import dataclasses

import pytest

from drave.model.config import ConfigSource
from drave.model.dynamic_settings import SettingLayers
from drave.model.errors import ErrorCode
from drave.model.topic_configs import TOPIC_CONFIGS
from drave.wire.messages.k32_describe_configs import DescribeConfigsRequest, DescribeConfigsResource

SHOWN = sum(not key.hidden for key in TOPIC_CONFIGS.values())


TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
DYNAMIC_TOPIC, DYNAMIC_BROKER, DYNAMIC_DEFAULT, STATIC_BROKER, DEFAULT, LOGGER_CONFIG = 1, 2, 3, 4, 5, 6


def describe(*resources, synonyms=True, documentation=False) -> DescribeConfigsRequest:
    return DescribeConfigsRequest(
        resources=[
            DescribeConfigsResource(resource_type=type_, resource_name=name, configuration_keys=keys)
            for type_, name, keys in resources
        ],
        include_synonyms=synonyms,
        include_documentation=documentation,
    )


async def configs_of(see, *resource, version=None, **options):
    (result,) = (await see(describe(resource, **options), version)).results
    assert (result.error_code, result.error_message) == (0, "")
    return {config.name: config for config in result.configs}


def facts(config):
    return config.value, config.config_source, [(each.name, each.value, each.source) for each in config.synonyms]


@pytest.mark.parametrize("version", range(1, 5))
async def test_a_topic_has_every_config_of_kafka(see, asker, version):
    await asker.create_topic("rides")
    configs = await configs_of(see, TOPIC, "rides", None, version=version)
    assert set(configs) == {name for name, key in TOPIC_CONFIGS.items() if not key.hidden}
    for config in configs.values():
        key = TOPIC_CONFIGS[config.name]
        assert (config.value, config.config_source) == (key.default, DEFAULT)
        assert (config.read_only, config.is_sensitive) == (False, False)
        assert config.config_type == (key.type if version >= 3 else 0)
        named = key.broker_name if not key.broker_units else None
        assert [(each.name, each.source) for each in config.synonyms] == ([(named, DEFAULT)] if named else [])


async def test_a_value_has_its_source_and_what_else_would_give_it(see, asker, broker):
    defaults = {"retention.ms": "7", "retention.bytes": "8", "segment.bytes": "2000000"}
    broker.layers = SettingLayers.of(dataclasses.replace(broker.settings, topic_defaults=defaults))
    await asker.create_topic("rides", retention_ms=" 5 ", segment_bytes="1048576")
    configs = await configs_of(see, TOPIC, "rides", None)
    assert facts(configs["retention.ms"]) == (
        "5",
        DYNAMIC_TOPIC,
        [
            ("retention.ms", "5", DYNAMIC_TOPIC),
            ("log.retention.ms", "7", STATIC_BROKER),
            ("log.retention.hours", "168", DEFAULT),
        ],
    )
    assert facts(configs["retention.bytes"]) == (
        "8",
        STATIC_BROKER,
        [("log.retention.bytes", "8", STATIC_BROKER), ("log.retention.bytes", "-1", DEFAULT)],
    )
    assert facts(configs["segment.bytes"]) == (
        "1048576",
        DYNAMIC_TOPIC,
        [
            ("segment.bytes", "1048576", DYNAMIC_TOPIC),
            ("log.segment.bytes", "2000000", STATIC_BROKER),
            ("log.segment.bytes", "1073741824", DEFAULT),
        ],
    )


async def test_a_hidden_config_is_shown_where_it_is_set(see, asker):
    await asker.create_topic("small", internal_segment_bytes="100")
    configs = await configs_of(see, TOPIC, "small", None)
    assert facts(configs["internal.segment.bytes"])[:2] == ("100", DYNAMIC_TOPIC)
    assert configs["segment.bytes"].value == "1073741824"


@pytest.mark.parametrize("keys", [["retention.ms", "no.such"], ["retention.ms", "retention.ms"]])
async def test_only_the_named_configs_are_described_and_unknown_names_passed_over(see, asker, keys):
    await asker.create_topic("rides")
    assert list(await configs_of(see, TOPIC, "rides", keys)) == ["retention.ms"]


async def test_an_empty_list_of_names_asks_for_all(see, asker):
    await asker.create_topic("rides")
    assert len(await configs_of(see, TOPIC, "rides", [])) == SHOWN


async def test_synonyms_and_documentation_come_when_asked_for(see, asker):
    await asker.create_topic("rides")
    bare = await configs_of(see, TOPIC, "rides", ["retention.bytes"], synonyms=False)
    assert (bare["retention.bytes"].synonyms, bare["retention.bytes"].documentation) == ([], None)
    documented = await configs_of(see, TOPIC, "rides", None, documentation=True)
    assert all(config.documentation for config in documented.values())


@pytest.mark.parametrize(
    ("type_", "name", "code"),
    [
        (TOPIC, "nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "a b", ErrorCode.INVALID_TOPIC_EXCEPTION),
        (TOPIC, "", ErrorCode.INVALID_TOPIC_EXCEPTION),
        (BROKER, "2", ErrorCode.INVALID_REQUEST),
        (BROKER, "x", ErrorCode.INVALID_REQUEST),
        (LOGGER, "2", ErrorCode.INVALID_REQUEST),
        (LOGGER, "", ErrorCode.INVALID_REQUEST),
        (METRICS, "", ErrorCode.INVALID_REQUEST),
        (GROUP, "", ErrorCode.INVALID_REQUEST),
        (99, "x", ErrorCode.INVALID_REQUEST),
    ],
)
async def test_what_cannot_be_described_is_refused_by_itself(see, asker, type_, name, code):
    await asker.create_topic("rides")
    refused, found = (await see(describe((type_, name, None), (TOPIC, "rides", None)))).results
    assert (refused.error_code, refused.resource_type, refused.resource_name) == (code, type_, name)
    assert refused.configs == []
    assert refused.error_message
    assert found.error_code == 0


async def test_the_broker_tells_its_settings_under_kafkas_names(see, broker):
    configs = await configs_of(see, BROKER, "1", None, documentation=True)
    assert facts(configs["durability"]) == (
        "os",
        STATIC_BROKER,
        [("durability", "os", STATIC_BROKER), ("durability", "fsync", DEFAULT)],
    )
    assert facts(configs["log.dirs"])[0] == str(broker.settings.data_folder)
    assert facts(configs["num.partitions"]) == ("1", DEFAULT, [("num.partitions", "1", DEFAULT)])
    assert facts(configs["log.retention.ms"]) == (None, DEFAULT, [])
    assert facts(configs["log.retention.hours"])[:2] == ("168", DEFAULT)
    assert facts(configs["default.replication.factor"])[:2] == ("1", DEFAULT)
    assert facts(configs["advertised.listeners"]) == (None, DEFAULT, [])
    assert all(config.documentation for config in configs.values())
    assert (configs["num.partitions"].read_only, configs["message.max.bytes"].read_only) == (True, False)


async def test_the_empty_name_tells_only_what_was_set_on_all_brokers(see, broker):
    assert await configs_of(see, BROKER, "", None) == {}
    await broker.catalog.alter_broker_configs(None, lambda _: {"max.connections": " 7"})
    await broker.catalog.alter_broker_configs(1, lambda _: {"log.retention.ms": "8"})
    configs = await configs_of(see, BROKER, "", None)
    assert {name: facts(config) for name, config in configs.items()} == {
        "max.connections": (" 7", DYNAMIC_DEFAULT, [("max.connections", " 7", DYNAMIC_DEFAULT)])
    }


@pytest.mark.parametrize("name", ["1", "01"])
async def test_a_broker_tells_where_each_of_its_settings_comes_from(see, broker, name):
    await broker.catalog.alter_broker_configs(None, lambda _: {"log.retention.ms": "7"})
    await broker.catalog.alter_broker_configs(1, lambda _: {"log.retention.ms": "8"})
    configs = await configs_of(see, BROKER, name, ["log.retention.ms"])
    assert facts(configs["log.retention.ms"]) == (
        "8",
        DYNAMIC_BROKER,
        [
            ("log.retention.ms", "8", DYNAMIC_BROKER),
            ("log.retention.ms", "7", DYNAMIC_DEFAULT),
            ("log.retention.hours", "168", DEFAULT),
        ],
    )


async def test_a_topic_tells_what_it_inherits_from_brokers(see, asker, broker):
    await broker.catalog.alter_broker_configs(None, lambda _: {"log.segment.bytes": "3000000"})
    await asker.create_topic("rides", segment_bytes="2000000")
    configs = await configs_of(see, TOPIC, "rides", ["segment.bytes"])
    assert facts(configs["segment.bytes"]) == (
        "2000000",
        DYNAMIC_TOPIC,
        [
            ("segment.bytes", "2000000", DYNAMIC_TOPIC),
            ("log.segment.bytes", "3000000", DYNAMIC_DEFAULT),
            ("log.segment.bytes", "1073741824", DEFAULT),
        ],
    )


async def test_loggers_tell_their_levels_under_kafkas_names(see):
    configs = await configs_of(see, LOGGER, "1", None, documentation=True)
    assert {"drave", "drave.broker", "drave.log"} <= set(configs)
    assert all(facts(config)[1:] == (LOGGER_CONFIG, []) for config in configs.values())
    assert {config.value for config in configs.values()} <= {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}


async def test_client_metrics_have_no_configs(see):
    assert await configs_of(see, METRICS, "any", None) == {}


async def test_a_group_that_is_not_there_has_what_the_broker_says_to_all(see):
    configs = await configs_of(see, GROUP, "any", None)
    assert facts(configs["consumer.session.timeout.ms"]) == (
        "45000",
        DEFAULT,
        [("group.consumer.session.timeout.ms", "45000", DEFAULT)],
    )


async def test_a_groups_config_that_no_broker_has_keeps_its_default_under_its_own_name(see, broker):
    await broker.catalog.alter_group_configs("workers", lambda _: {"share.auto.offset.reset": "earliest"})
    default = ("share.auto.offset.reset", "latest", DEFAULT)
    own = ("share.auto.offset.reset", "earliest", ConfigSource.GROUP_CONFIG)
    configs = {name: await configs_of(see, GROUP, name, None) for name in ("workers", "others")}
    assert facts(configs["others"]["share.auto.offset.reset"]) == (*default[1:], [default])
    assert facts(configs["workers"]["share.auto.offset.reset"]) == (*own[1:], [own, default])


async def test_what_is_set_on_a_group_is_the_groups_own(see, broker):
    await broker.catalog.alter_group_configs("readers", lambda _: {"consumer.session.timeout.ms": "50000"})
    assert facts((await configs_of(see, GROUP, "readers", None))["consumer.session.timeout.ms"]) == (
        "50000",
        ConfigSource.GROUP_CONFIG,
        [
            ("consumer.session.timeout.ms", "50000", ConfigSource.GROUP_CONFIG),
            ("group.consumer.session.timeout.ms", "45000", DEFAULT),
        ],
    )
    assert facts((await configs_of(see, GROUP, "others", None))["consumer.session.timeout.ms"])[0] == "45000"


async def test_nothing_asked_is_nothing_answered(see):
    assert (await see(describe())).results == []
