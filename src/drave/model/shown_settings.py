"""The broker's settings as people and DescribeConfigs see them: Kafka's name, the value as text, and what it is for.

    layers of settings ──▶ one row per setting, those of the topics' defaults among them

A setting that Kafka does not have is shown under our own name. What a setting is for stands once, in the docstring
below its field; it is read from the source on the first request for it.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from drave.model.config import INT_MAX, ConfigKey, ConfigSource, ConfigSynonym, ConfigType
from drave.model.dynamic_settings import SettingLayers, coarsest_unit
from drave.model.group_settings import GroupSettings
from drave.model.setting import as_text
from drave.model.settings import BrokerSettings, StorageSettings
from drave.model.topic_configs import TOPIC_CONFIGS

COPIES: Final = {"default.replication.factor": ConfigType.INT, "offsets.topic.replication.factor": ConfigType.SHORT}


@dataclasses.dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting of a broker."""

    name: str
    type: ConfigType
    synonyms: tuple[ConfigSynonym, ...]
    """The places that could give it its value, the one that does first; none where nothing does."""
    doc: str
    read_only: bool = True

    @property
    def value(self) -> str | None:
        """What it is."""
        return self.synonyms[0].value if self.synonyms else None

    @property
    def source(self) -> ConfigSource:
        """Who says so."""
        return self.synonyms[0].source if self.synonyms else ConfigSource.DEFAULT_CONFIG


def shown_settings(layers: SettingLayers) -> list[ShownSetting]:
    """All settings in the order of their names."""
    rows = [*_own(layers, layers.started), *_own(layers, layers.started.storage)]
    for key in TOPIC_CONFIGS.values():
        if key.broker_name is not None:
            synonyms = tuple(layers.synonyms_of_topics(key))
            rows.append(ShownSetting(key.broker_name, key.type, synonyms, key.doc, read_only=False))
            rows += _units(key)
    rows += [
        ShownSetting(name, type_, _default(name, "1"), "A broker keeps one copy of each partition.")
        for name, type_ in COPIES.items()
    ]
    return sorted(rows, key=lambda row: row.name)


def _own(layers: SettingLayers, started: BrokerSettings | StorageSettings) -> Iterator[ShownSetting]:
    owner: type[Any] = type(started)
    kinds = typing.get_type_hints(owner)
    for field in dataclasses.fields(owner):
        if field.name not in ("topic_defaults", "storage"):
            name = next(iter(field.metadata.get("kafka", ())), field.name)
            value, default = as_text(getattr(started, field.name)), as_text(field.default)
            synonyms = layers.synonyms(name)
            if value != default:
                synonyms.append(ConfigSynonym(name, value, ConfigSource.STATIC_BROKER_CONFIG))
            read_only = not field.metadata.get("dynamic", False)
            places = (*synonyms, *_default(name, default))
            yield ShownSetting(name, _type(kinds[field.name], field), places, documentation()[field.name], read_only)


def _units(key: ConfigKey) -> Iterator[ShownSetting]:
    """The other spellings of a topic's default. What was given in one of them is shown in the finest, which counts."""
    for name, multiplier in key.broker_units:
        coarsest, default = coarsest_unit(key)
        type_ = ConfigType.LONG if multiplier == 1 else ConfigType.INT
        doc = f"Another spelling of {key.broker_name}, which wins over it, and under which it is shown when it is set."
        yield ShownSetting(name, type_, _default(name, default if name == coarsest else None), doc)


def _default(name: str, value: str | None) -> tuple[ConfigSynonym, ...]:
    return () if value is None else (ConfigSynonym(name, value, ConfigSource.DEFAULT_CONFIG),)


def _type(kind: Any, field: dataclasses.Field[Any]) -> ConfigType:
    if kind is bool:
        return ConfigType.BOOLEAN
    if kind is float:
        return ConfigType.DOUBLE
    if kind is int:
        high = field.metadata.get("high")
        return ConfigType.INT if high is not None and high <= INT_MAX else ConfigType.LONG
    lists = typing.get_origin(kind) is tuple or isinstance(kind, types.UnionType) or kind is Path  # log.dirs
    return ConfigType.LIST if lists else ConfigType.STRING


@functools.cache
def documentation() -> Mapping[str, str]:
    """What each setting is for, by our own name: the docstring below its field, where the source is at hand."""
    return {**_docstrings(BrokerSettings), **_docstrings(GroupSettings), **_docstrings(StorageSettings)}


def _docstrings(owner: type[Any]) -> dict[str, str]:
    import ast
    import inspect
    import itertools

    texts = dict.fromkeys((field.name for field in dataclasses.fields(owner)), "")
    try:
        (declaration,) = ast.parse(inspect.getsource(owner)).body
    except OSError:
        return texts
    assert isinstance(declaration, ast.ClassDef)
    for field, doc in itertools.pairwise(declaration.body):
        match field, doc:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = " ".join(text.split())
    return texts
