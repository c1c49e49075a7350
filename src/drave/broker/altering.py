"""Altering configs: what AlterConfigs and IncrementalAlterConfigs have in common.

    request ──▶ one Alteration for each resource ──▶ changed or refused, whole and by itself
                                                     catalog ──▶ logs and settings follow before the reply

    AlterConfigs               the resource has what the request says, and nothing else
    IncrementalAlterConfigs    SET, DELETE; APPEND and SUBTRACT change lists (KIP-339)

What is set is checked, and refused when it could not be honoured; what is deleted may be anything. As in Kafka, a list
that nobody has set counts as its default, whatever the broker has given it.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from drave.broker import loggers
from drave.broker.configs import ResourceType, check_is_here, check_named, unknown_type
from drave.broker.core import Broker, UnknownTopicOrPartition
from drave.catalog import NoSuchTopic, check_topic_name
from drave.model.config import ConfigType, InvalidConfig, parse
from drave.model.dynamic_settings import list_default, with_dynamic
from drave.model.errors import ErrorCode, ProtocolError, Refused
from drave.model.group_configs import check_group_configs
from drave.model.log_config import LogConfig, check_topic_configs
from drave.model.topic_configs import TOPIC_CONFIGS

Configs = Mapping[str, str]


class Operation(enum.IntEnum):
    """What is to be done with one config."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class Step(NamedTuple):
    """One config of an alteration."""

    name: str
    operation: int
    value: str | None


@dataclass(frozen=True, slots=True)
class Alteration:
    """What is to become of one resource's configs."""

    type: int
    name: str
    steps: Sequence[Step]
    replaces: bool = False
    """Whether what the steps do not name goes."""


class Outcome(NamedTuple):
    """What became of an alteration, in the words of the response."""

    resource_type: int
    resource_name: str
    error_code: ErrorCode = ErrorCode.NONE
    error_message: str | None = None


async def alter_configs(broker: Broker, alterations: Sequence[Alteration], *, validate_only: bool) -> list[Outcome]:
    """Carry out each alteration, or say why not. Durable, and in effect, when this returns."""
    times = Counter((each.type, each.name) for each in alterations)
    outcomes: list[Outcome] = []
    for each in alterations:
        outcome = Outcome(each.type, each.name)
        try:
            if times[each.type, each.name] > 1:
                raise Refused(ErrorCode.INVALID_REQUEST, "The request names this resource more than once.")
            await _alter(broker, each, validate_only)
        except ProtocolError as refusal:
            outcome = outcome._replace(error_code=refusal.code, error_message=str(refusal))
        outcomes.append(outcome)
    return outcomes


async def _alter(broker: Broker, alteration: Alteration, validate_only: bool) -> None:
    alter = ALTERED.get(alteration.type)
    if alter is None or (alteration.replaces and alteration.type == ResourceType.BROKER_LOGGER):
        raise unknown_type(alteration.type)
    _check_steps(alteration.steps)
    await alter(broker, alteration, validate_only)


def _check_steps(steps: Sequence[Step]) -> None:
    """What is wrong with steps on any resource."""
    for name, count in Counter(step.name for step in steps).items():
        if count > 1:
            raise Refused(ErrorCode.INVALID_REQUEST, f"The request names {name} more than once.")
    for step in steps:
        if step.operation not in Operation.__members__.values():
            raise Refused(ErrorCode.INVALID_REQUEST, f"{step.name}: there is no operation {step.operation}.")
        if step.value is None and step.operation != Operation.DELETE:
            raise Refused(ErrorCode.INVALID_REQUEST, f"{step.name} is given no value; DELETE gives it its default.")


def altered(configs: Configs, alteration: Alteration, default_of: Callable[[str], str | None]) -> dict[str, str]:
    """The configs after the steps. `default_of` is the default of a list; None for what is no list."""
    after = {} if alteration.replaces else dict(configs)
    for name, operation, value in alteration.steps:
        if operation == Operation.DELETE:
            after.pop(name, None)
            continue
        assert value is not None, "checked before"
        after[name] = value if operation == Operation.SET else _with_items(name, operation, value, after, default_of)
    return after


def _with_items(
    name: str, operation: int, value: str, configs: Configs, default_of: Callable[[str], str | None]
) -> str:
    """A list with more items, or fewer; none comes twice."""
    default = default_of(name)
    if default is None:
        raise InvalidConfig(name, value, f"{Operation(operation).name} is for lists, and this is none")
    now = _items(name, configs.get(name, default))
    given = _items(name, value)
    if operation == Operation.APPEND:
        return ",".join(dict.fromkeys((*now, *given)))
    gone = frozenset(given)
    return ",".join(item for item in now if item not in gone)


def _items(name: str, text: str) -> tuple[str, ...]:
    items = parse(name, ConfigType.LIST, text)
    assert isinstance(items, tuple)
    return items


def _set_by(alteration: Alteration, after: Configs) -> dict[str, str]:
    """What the alteration sets, as it comes out."""
    return {step.name: after[step.name] for step in alteration.steps if step.name in after}


# -- whose configs


async def _topic(broker: Broker, alteration: Alteration, validate_only: bool) -> None:
    check_named(alteration.name, "topic")
    check_topic_name(alteration.name)

    def alter(configs: Configs) -> Configs:
        after = altered(configs, alteration, _default_of_topics)
        LogConfig.of(after)
        check_topic_configs(
            _set_by(alteration, after), durability=broker.settings.storage.durability, topic=alteration.name
        )
        return after

    topic = broker.catalog.topic(alteration.name)
    if topic is None or validate_only:
        alter({} if topic is None else topic.configs)
    if topic is None:
        raise UnknownTopicOrPartition(alteration.name)
    if not validate_only:
        try:
            await broker.catalog.alter_topic_configs(topic.topic_id, alter)
        except NoSuchTopic:  # somebody has deleted it meanwhile
            raise UnknownTopicOrPartition(alteration.name) from None


def _default_of_topics(name: str) -> str | None:
    key = TOPIC_CONFIGS.get(name)
    return key.default if key is not None and key.type is ConfigType.LIST else None


async def _broker(broker: Broker, alteration: Alteration, validate_only: bool) -> None:
    """By its id, or all brokers under the empty name."""
    if alteration.name:
        check_is_here(broker, alteration.name)
    node_id = broker.node_id if alteration.name else None

    def alter(configs: Configs) -> Configs:
        after = altered(configs, alteration, list_default)
        try:
            with_dynamic(broker.layers.started, _set_by(alteration, after))
        except InvalidConfig as error:  # Kafka's code for a broker's configs is another than for a topic's
            raise Refused(ErrorCode.INVALID_REQUEST, str(error)) from None
        return after

    if validate_only:
        alter(broker.catalog.broker_configs(node_id))
    else:
        await broker.catalog.alter_broker_configs(node_id, alter)


async def _broker_logger(broker: Broker, alteration: Alteration, validate_only: bool) -> None:
    check_is_here(broker, alteration.name)
    for name, operation, value in alteration.steps:
        if operation not in (Operation.SET, Operation.DELETE):
            raise Refused(ErrorCode.INVALID_REQUEST, f"{name}: a logger's level is no list.")
        loggers.check_logger(name)
        if operation == Operation.SET:
            loggers.check_level(name, value or "")
    if not validate_only:
        for name, operation, value in alteration.steps:
            loggers.set_level(name, value if operation == Operation.SET else None)


async def _client_metrics(broker: Broker, alteration: Alteration, validate_only: bool) -> None:
    check_named(alteration.name, "subscription")
    for step in alteration.steps:
        if step.operation != Operation.DELETE:
            raise Refused(ErrorCode.INVALID_REQUEST, f"{step.name}: this broker takes no metrics from clients.")


async def _group(broker: Broker, alteration: Alteration, validate_only: bool) -> None:
    check_named(alteration.name, "group")

    def alter(configs: Configs) -> Configs:
        after = altered(configs, alteration, _no_list)
        check_group_configs(after, broker.settings)
        return after

    if validate_only:
        alter(broker.catalog.group_configs().get(alteration.name, {}))
    else:
        await broker.catalog.alter_group_configs(alteration.name, alter)


def _no_list(name: str) -> None:
    """Nothing that a group can be set to is a list."""


ALTERED: Final[Mapping[int, Callable[[Broker, Alteration, bool], Awaitable[None]]]] = {
    ResourceType.TOPIC: _topic,
    ResourceType.BROKER: _broker,
    ResourceType.BROKER_LOGGER: _broker_logger,
    ResourceType.CLIENT_METRICS: _client_metrics,
    ResourceType.GROUP: _group,
}
