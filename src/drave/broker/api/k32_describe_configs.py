"""DescribeConfigs: what topics and this broker are set to, and where each value comes from.

Topics are described whole. The broker is described with the settings that it has, under Kafka's names where Kafka has
them, all read-only: nothing can be altered while it runs. Groups, loggers and client metrics have no configs here.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from drave.broker.context import Context
from drave.broker.core import Broker
from drave.broker.topics import ConfigSource, config_synonyms, shown_configs
from drave.catalog import check_topic_name
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.shown_settings import ShownSetting, shown_settings
from drave.wire.messages.k32_describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)


class ResourceType(enum.IntEnum):
    """What a config may belong to."""

    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


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
        names = {int(each): each.name for each in ResourceType}
        what = names.get(resource.resource_type, f"type {resource.resource_type}")
        raise Refused(ErrorCode.INVALID_REQUEST, f"This broker has no configs for resources of {what}.")
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
    topic = broker.topic(name)
    return list(topic_configs(topic.configs, broker.settings.topic_defaults, documented=documented))


def topic_configs(
    overrides: Mapping[str, str], defaults: Mapping[str, str], *, documented: bool
) -> Iterable[DescribeConfigsResourceResult]:
    """The configs of a topic with these overrides on a broker with these defaults."""
    for key in shown_configs(overrides):
        synonyms = config_synonyms(key, overrides, defaults)
        yield DescribeConfigsResourceResult(
            name=key.name,
            value=synonyms[0].value if synonyms else key.default,
            read_only=False,
            config_source=synonyms[0].source if synonyms else ConfigSource.DEFAULT_CONFIG,
            is_sensitive=False,
            synonyms=[DescribeConfigsSynonym(name=name, value=text, source=source) for name, text, source in synonyms],
            config_type=key.type,
            documentation=key.doc if documented else None,
        )


def _broker(broker: Broker, name: str, documented: bool) -> Described:
    """By its id; the empty name asks for what was set on all brokers while they ran, which is nothing here."""
    if not name:
        return []
    if name != str(broker.node_id):
        raise Refused(ErrorCode.INVALID_REQUEST, f"This is broker {broker.node_id}, not {name!r}.")
    return [_setting(row, documented=documented) for row in shown_settings(broker.settings)]


def _setting(row: ShownSetting, *, documented: bool) -> DescribeConfigsResourceResult:
    places = [(row.value, ConfigSource.STATIC_BROKER_CONFIG)] if not row.is_default else []
    places += [(row.default, ConfigSource.DEFAULT_CONFIG)] if row.default is not None else []
    return DescribeConfigsResourceResult(
        name=row.name,
        value=row.value,
        read_only=True,
        config_source=ConfigSource.DEFAULT_CONFIG if row.is_default else ConfigSource.STATIC_BROKER_CONFIG,
        is_sensitive=False,
        synonyms=[DescribeConfigsSynonym(name=row.name, value=value, source=source) for value, source in places],
        config_type=row.type,
        documentation=row.doc if documented else None,
    )


DESCRIBED: Final[Mapping[int, Callable[[Broker, str, bool], Described]]] = {
    ResourceType.TOPIC: _topic,
    ResourceType.BROKER: _broker,
}
