"""What the handlers of configs share: whose configs there are, and where a topic's values come from.

value of a config    DYNAMIC_TOPIC_CONFIG             set on the topic
                     DYNAMIC_BROKER_CONFIG            set on this broker while it ran, for all topics
                     DYNAMIC_DEFAULT_BROKER_CONFIG    set on all brokers while they ran
                     STATIC_BROKER_CONFIG             what the broker was started with
                     DEFAULT_CONFIG                   Kafka's default

What a broker says about topics is shown under its own name for it: `retention.ms` is `log.retention.ms` there.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from drave.model.config import ConfigKey, ConfigSource, ConfigSynonym
from drave.model.dynamic_settings import SettingLayers
from drave.model.errors import ErrorCode, Refused
from drave.model.group_configs import GroupConfigKey, broker_text
from drave.model.topic_configs import TOPIC_CONFIGS

if TYPE_CHECKING:
    from drave.broker.core import Broker

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,10}")
"""As Java reads one; Python's own reading takes more."""


class ResourceType(enum.IntEnum):
    """What a config may belong to; the numbers are the protocol's."""

    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


def config_synonyms(key: ConfigKey, overrides: Mapping[str, str], layers: SettingLayers) -> list[ConfigSynonym]:
    """The places that give a topic's config its value, the one that does first.

    Empty where only Kafka's default is left and Kafka has no broker-level name that carries it.
    """
    found = layers.synonyms_of_topics(key)
    if key.name in overrides:
        text = key.normal(overrides[key.name])
        found.insert(0, ConfigSynonym(key.name, text, ConfigSource.DYNAMIC_TOPIC_CONFIG))
    return found


def group_synonyms(key: GroupConfigKey, overrides: Mapping[str, str], layers: SettingLayers) -> list[ConfigSynonym]:
    """The places that give a group's config its value, the one that does first."""
    found = []
    if key.name in overrides:
        found.append(ConfigSynonym(key.name, key.normal(overrides[key.name]), ConfigSource.GROUP_CONFIG))
    if key.broker_name is not None:
        said = broker_text(key, layers.settings)
        if said != key.default:
            found.append(ConfigSynonym(key.broker_name, said, ConfigSource.STATIC_BROKER_CONFIG))
    found.append(ConfigSynonym(key.broker_name or key.name, key.default, ConfigSource.DEFAULT_CONFIG))
    return found


def shown_configs(overrides: Mapping[str, str]) -> Iterator[ConfigKey]:
    """The configs that a topic with these overrides is shown with, in the order of their names."""
    return (key for key in TOPIC_CONFIGS.values() if not key.hidden or key.name in overrides)


def unknown_type(type_: int) -> Refused:
    """A resource of a type that has no configs."""
    return Refused(ErrorCode.INVALID_REQUEST, f"There are no configs for resources of type {type_}.")


def check_named(name: str, what: str) -> None:
    """That a resource which needs a name has one. Raises Refused."""
    if not name:
        raise Refused(ErrorCode.INVALID_REQUEST, f"The {what} has no name.")


def check_is_here(broker: Broker, name: str) -> None:
    """That `name` is this broker's id. Raises Refused."""
    if not _NUMBER.fullmatch(name):
        raise Refused(ErrorCode.INVALID_REQUEST, f"A broker's id is a whole number, not {name!r}.")
    node_id = int(name)
    if node_id != broker.node_id:
        raise Refused(ErrorCode.INVALID_REQUEST, f"This is broker {broker.node_id}, not {node_id}.")
