"""DescribeConfigs: what topics and this broker are set to, and where each value comes from.

TOPIC             whole
BROKER            its settings, under Kafka's names where Kafka has them; read-only where it takes a new start
                  the empty name: what was set on all brokers while they ran
BROKER_LOGGER     the levels of the loggers
CLIENT_METRICS    nothing: there are no subscriptions
GROUP             what members of the new kinds of groups are told, whether there is such a group or not
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from drave.broker import loggers
from drave.broker.configs import (
    ResourceType,
    check_is_here,
    check_named,
    config_synonyms,
    group_synonyms,
    shown_configs,
    unknown_type,
)
from drave.broker.context import Context
from drave.broker.core import Broker
from drave.catalog import check_topic_name
from drave.model.config import ConfigKey, ConfigSource, ConfigSynonym, ConfigType
from drave.model.dynamic_settings import SettingLayers
from drave.model.errors import ProtocolError
from drave.model.group_configs import GROUP_CONFIGS
from drave.model.shown_settings import ShownSetting, shown_settings
from drave.wire.messages.k32_describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

Described = list[DescribeConfigsResourceResult]


def describe_configs(broker: Broker, context: Context, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
    """An error belongs to its resource alone."""
    results: list[DescribeConfigsResult] = []
    for resource in request.resources:
        result = DescribeConfigsResult(
            error_message="", resource_type=resource.resource_type, resource_name=resource.resource_name, configs=[]
        )
        try:
            configs = _describe(broker, resource, documented=request.include_documentation)
            result.configs = list(_asked_for(configs, resource, synonyms=request.include_synonyms))
        except ProtocolError as refusal:
            result.error_code, result.error_message = refusal.code, str(refusal)
        results.append(result)
    return DescribeConfigsResponse(results=results)


def _describe(broker: Broker, resource: DescribeConfigsResource, *, documented: bool) -> Described:
    describe = DESCRIBED.get(resource.resource_type)
    if describe is None:
        raise unknown_type(resource.resource_type)
    return describe(broker, resource.resource_name, documented)


def _asked_for(
    configs: Described, resource: DescribeConfigsResource, *, synonyms: bool
) -> Iterable[DescribeConfigsResourceResult]:
    """No keys at all, or an empty list of them, asks for every config."""
    wanted = set(resource.configuration_keys or ())
    for config in configs:
        if not wanted or config.name in wanted:
            if not synonyms:
                config.synonyms = []
            yield config


def _topic(broker: Broker, name: str, documented: bool) -> Described:
    check_topic_name(name)
    return list(topic_configs(broker.topic(name).configs, broker.layers, documented=documented))


def topic_configs(
    overrides: Mapping[str, str], layers: SettingLayers, *, documented: bool
) -> Iterable[DescribeConfigsResourceResult]:
    """The configs of a topic with these overrides on a broker with these settings."""
    for key in shown_configs(overrides):
        yield _config(key, config_synonyms(key, overrides, layers), documented)


def _broker(broker: Broker, name: str, documented: bool) -> Described:
    rows = shown_settings(broker.layers)
    if not name:
        return [_shared(row, broker.layers.shared, documented) for row in rows if row.name in broker.layers.shared]
    check_is_here(broker, name)
    return [_setting(row, documented) for row in rows]


def _setting(row: ShownSetting, documented: bool) -> DescribeConfigsResourceResult:
    return DescribeConfigsResourceResult(
        name=row.name,
        value=row.value,
        read_only=row.read_only,
        config_source=row.source,
        is_sensitive=False,
        synonyms=_synonyms(row.synonyms),
        config_type=row.type,
        documentation=row.doc if documented else None,
    )


def _shared(row: ShownSetting, shared: Mapping[str, str], documented: bool) -> DescribeConfigsResourceResult:
    """A setting of all brokers, as it was written."""
    source = ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG
    only = dataclasses.replace(row, synonyms=(ConfigSynonym(row.name, shared[row.name], source),))
    return _setting(only, documented)


def _broker_logger(broker: Broker, name: str, documented: bool) -> Described:
    check_is_here(broker, name)
    return [
        DescribeConfigsResourceResult(
            name=logger,
            value=level,
            read_only=False,
            config_source=ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG,
            is_sensitive=False,
            synonyms=[],
            config_type=ConfigType.STRING,
            documentation=LOGGER_DOC if documented else None,
        )
        for logger, level in loggers.levels().items()
    ]


def _client_metrics(broker: Broker, name: str, documented: bool) -> Described:
    check_named(name, "subscription")
    return []


def _group(broker: Broker, name: str, documented: bool) -> Described:
    check_named(name, "group")
    overrides = broker.catalog.group_configs().get(name, {})
    return [_config(key, group_synonyms(key, overrides, broker.layers), documented) for key in GROUP_CONFIGS.values()]


def _config(key: ConfigKey, synonyms: Sequence[ConfigSynonym], documented: bool) -> DescribeConfigsResourceResult:
    return DescribeConfigsResourceResult(
        name=key.name,
        value=synonyms[0].value if synonyms else key.default,
        read_only=False,
        config_source=synonyms[0].source if synonyms else ConfigSource.DEFAULT_CONFIG,
        is_sensitive=False,
        synonyms=_synonyms(synonyms),
        config_type=key.type,
        documentation=key.doc if documented else None,
    )


def _synonyms(synonyms: Sequence[ConfigSynonym]) -> list[DescribeConfigsSynonym]:
    return [DescribeConfigsSynonym(name=name, value=value, source=source) for name, value, source in synonyms]


LOGGER_DOC: Final = "How much this logger says: nothing below the level. It lasts until the broker stops."

DESCRIBED: Final[Mapping[int, Callable[[Broker, str, bool], Described]]] = {
    ResourceType.TOPIC: _topic,
    ResourceType.BROKER: _broker,
    ResourceType.BROKER_LOGGER: _broker_logger,
    ResourceType.CLIENT_METRICS: _client_metrics,
    ResourceType.GROUP: _group,
}
