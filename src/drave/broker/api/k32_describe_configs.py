"""DescribeConfigs: what topics and this broker are set to, and where each value comes from.

TOPIC             whole
BROKER            its settings, under Kafka's names where Kafka has them; read-only where it takes a new start
                  the empty name: what was set on all brokers while they ran
BROKER_LOGGER     the levels of the loggers
CLIENT_METRICS    nothing: there are no subscriptions
GROUP             what members of the new kinds of groups are told, whether there is such a group or not
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

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

TOGETHER: Final = 20
"""Resources that are described in one turn of the loop."""


def describe_configs(broker: Broker, context: Context, request: DescribeConfigsRequest) -> Any:
    """An error belongs to its resource alone. One that is named twice is described once."""
    resources = list({(each.resource_type, each.resource_name): each for each in request.resources}.values())
    describing = _Describing(broker, request)
    if len(resources) > TOGETHER:
        return _in_turns(describing, resources)
    return DescribeConfigsResponse(results=[describing.result(each) for each in resources])


async def _in_turns(describing: _Describing, resources: Sequence[DescribeConfigsResource]) -> DescribeConfigsResponse:
    """A resource takes a quarter of a millisecond: others have the loop between some and the next."""
    results = []
    for start in range(0, len(resources), TOGETHER):
        results += [describing.result(each) for each in resources[start : start + TOGETHER]]
        await asyncio.sleep(0)
    return DescribeConfigsResponse(results=results)


class _Describing:
    """One request. Topics and groups with the same configs of their own share what is said of them."""

    def __init__(self, broker: Broker, request: DescribeConfigsRequest) -> None:
        self._broker = broker
        self._documented = request.include_documentation
        self._synonyms = request.include_synonyms
        self._said: dict[tuple[object, ...], Described] = {}

    def result(self, resource: DescribeConfigsResource) -> DescribeConfigsResult:
        result = DescribeConfigsResult(
            error_message="", resource_type=resource.resource_type, resource_name=resource.resource_name, configs=[]
        )
        try:
            result.configs = self._configs(resource)
        except ProtocolError as refusal:
            result.error_code, result.error_message = refusal.code, str(refusal)
        return result

    def _configs(self, resource: DescribeConfigsResource) -> Described:
        own = OVERRIDES.get(resource.resource_type)
        if own is None:
            return self._described(resource)
        alike = (resource.resource_type, frozenset(own(self._broker, resource.resource_name).items()))
        key = (*alike, *(resource.configuration_keys or ()))
        if key not in self._said:
            self._said[key] = self._described(resource)
        return self._said[key]

    def _described(self, resource: DescribeConfigsResource) -> Described:
        configs = _describe(self._broker, resource, documented=self._documented)
        return list(_asked_for(configs, resource, synonyms=self._synonyms))


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
    return list(topic_configs(_overrides_of_topic(broker, name), broker.layers, documented=documented))


def _overrides_of_topic(broker: Broker, name: str) -> Mapping[str, str]:
    check_topic_name(name)
    return broker.topic(name).configs


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
    overrides = _overrides_of_group(broker, name)
    return [_config(key, group_synonyms(key, overrides, broker.layers), documented) for key in GROUP_CONFIGS.values()]


def _overrides_of_group(broker: Broker, name: str) -> Mapping[str, str]:
    check_named(name, "group")
    return broker.catalog.group_configs().get(name, {})


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

OVERRIDES: Final[Mapping[int, Callable[[Broker, str], Mapping[str, str]]]] = {
    ResourceType.TOPIC: _overrides_of_topic,
    ResourceType.GROUP: _overrides_of_group,
}
"""Where resources have configs of their own, which are all that tells one from another."""
