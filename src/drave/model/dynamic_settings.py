"""The settings that may change while a broker runs (KIP-226), and what its settings are then.

    set on this broker  ▶  set on all brokers  ▶  what it was started with  ▶  default        the left one wins

They are those of Kafka's dynamic configs that act here: what topics inherit (`log.retention.ms`, `message.max.bytes`),
and the fields that are declared `dynamic`. Each goes by one name only, Kafka's; all other settings need a new start.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from drave.model.config import ConfigKey, ConfigSource, ConfigSynonym, ConfigType, InvalidConfig
from drave.model.setting import as_text, nearest, read_text
from drave.model.settings import ONLY_ONE_COPY, BrokerSettings, setting_names
from drave.model.topic_configs import TOPIC_CONFIGS

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SettingLayers:
    """Whatever gives one broker its settings."""

    started: BrokerSettings
    """What the command line, the environment and the file said."""
    shared: Mapping[str, str]
    """What was set on all brokers while they ran."""
    own: Mapping[str, str]
    """What was set on this one while it ran."""
    settings: BrokerSettings
    """What counts."""

    @classmethod
    def of(
        cls,
        started: BrokerSettings,
        shared: Mapping[str, str] = NOTHING,
        own: Mapping[str, str] = NOTHING,
        *,
        ignored: Callable[[InvalidConfig], None] | None = None,
    ) -> SettingLayers:
        """The layers together. What cannot be honoured (any more) is left out and `ignored`, or nothing would start."""
        shared, own = _honoured(started, shared, ignored), _honoured(started, own, ignored)
        return cls(started, shared, own, with_dynamic(started, {**shared, **own}))

    def synonyms(self, name: str) -> list[ConfigSynonym]:
        """The places where somebody has set `name`, the one that counts first."""
        layers = (
            (self.own, ConfigSource.DYNAMIC_BROKER_CONFIG),
            (self.shared, ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG),
        )
        return [ConfigSynonym(name, normal(name, texts[name]), source) for texts, source in layers if name in texts]

    def synonyms_of_topics(self, key: ConfigKey) -> list[ConfigSynonym]:
        """The places that give a topic's config its default: none where only a default without a name of its own does.

        `log.retention.ms` is not set until somebody sets it; what counts until then are Kafka's hours.
        """
        name = key.broker_name or key.name
        found = self.synonyms(name)
        if (text := self.started.topic_defaults.get(key.name)) is not None:
            found.append(ConfigSynonym(name, key.normal(text), ConfigSource.STATIC_BROKER_CONFIG))
        if key.broker_name is not None and not key.broker_units:
            found.append(ConfigSynonym(name, key.default, ConfigSource.DEFAULT_CONFIG))
        elif found and key.broker_units:
            unit, default = coarsest_unit(key)
            found.append(ConfigSynonym(unit, default, ConfigSource.DEFAULT_CONFIG))
        return found


def coarsest_unit(key: ConfigKey) -> tuple[str, str]:
    """The spelling of a topic's default that has a value in Kafka when nobody sets any, and that value."""
    name, multiplier = key.broker_units[-1]
    return name, str(int(key.default) // multiplier)


def with_dynamic(settings: BrokerSettings, texts: Mapping[str, str]) -> BrokerSettings:
    """The settings with these laid over them. Raises InvalidConfig."""
    for name, text in texts.items():
        settings = _with_one(settings, name, text)
    return settings


def normal(name: str, text: str) -> str | None:
    """The text of a dynamic setting as Kafka shows it back. Raises InvalidConfig."""
    place = setting_names()[name]
    if place.topic_config:
        return TOPIC_CONFIGS[place.topic_config].normal(text)
    return as_text(read_text(place.kind, text, name))


def list_default(name: str) -> str | None:
    """The default of a dynamic setting that is a list; None for all others."""
    place = setting_names().get(name)
    key = TOPIC_CONFIGS.get(place.topic_config) if place is not None and place.dynamic == name else None
    return key.default if key is not None and key.type is ConfigType.LIST else None


def _with_one(settings: BrokerSettings, name: str, text: str) -> BrokerSettings:
    place = setting_names().get(name)
    if place is None or place.dynamic != name:
        raise InvalidConfig(name, text, _why_not(name))
    try:
        if place.topic_config:
            TOPIC_CONFIGS[place.topic_config].parse(text)
            defaults = {**settings.topic_defaults, place.topic_config: text}
            return dataclasses.replace(settings, topic_defaults=defaults)
        value = {place.field: read_text(place.kind, text, name)}
        if place.in_storage:
            return dataclasses.replace(settings, storage=dataclasses.replace(settings.storage, **value))
        return dataclasses.replace(settings, **value)
    except InvalidConfig as error:
        raise InvalidConfig(name, text, error.why) from None


def _why_not(name: str) -> str:
    place = setting_names().get(name)
    if place is None and name not in ONLY_ONE_COPY:
        return "a broker has no such setting" + nearest(name, setting_names())
    remedy = f"{place.dynamic} can" if place is not None and place.dynamic else "give it at its start"
    return f"cannot change while the broker runs; {remedy}"


def _honoured(
    started: BrokerSettings, texts: Mapping[str, str], ignored: Callable[[InvalidConfig], None] | None
) -> Mapping[str, str]:
    good: dict[str, str] = {}
    for name, text in texts.items():
        try:
            with_dynamic(started, {name: text})
            good[name] = text
        except InvalidConfig as error:
            if ignored is not None:
                ignored(error)
    return good
