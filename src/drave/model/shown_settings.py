"""The broker's settings as people and DescribeConfigs see them: Kafka's name, the value as text, and what it is for.

    settings ──▶ one row per setting, those of the topics' defaults among them

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

from drave.model.config import INT_MAX, ConfigType
from drave.model.setting import Address
from drave.model.settings import BrokerSettings, StorageSettings
from drave.model.topic_configs import TOPIC_CONFIGS

COPIES: Final = ("default.replication.factor", "offsets.topic.replication.factor")


@dataclasses.dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting of a broker."""

    name: str
    type: ConfigType
    value: str | None
    default: str | None
    doc: str

    @property
    def is_default(self) -> bool:
        """Whether it is what it would be if nobody had said anything."""
        return self.value == self.default


def shown_settings(settings: BrokerSettings) -> list[ShownSetting]:
    """All settings in the order of their names."""
    rows = [*_own(settings), *_own(settings.storage), *_of_topics(settings.topic_defaults)]
    rows += [
        ShownSetting(name, ConfigType.INT, "1", "1", "A broker keeps one copy of each partition.") for name in COPIES
    ]
    return sorted(rows, key=lambda row: row.name)


def _own(settings: BrokerSettings | StorageSettings) -> Iterator[ShownSetting]:
    owner: type[Any] = type(settings)
    kinds = typing.get_type_hints(owner)
    for field in dataclasses.fields(owner):
        if field.name not in ("topic_defaults", "storage"):
            name = next(iter(field.metadata.get("kafka", ())), field.name)
            value, default = as_text(getattr(settings, field.name)), as_text(field.default)
            yield ShownSetting(name, _type(kinds[field.name], field), value, default, documentation()[field.name])


def _of_topics(defaults: Mapping[str, str]) -> Iterator[ShownSetting]:
    for key in TOPIC_CONFIGS.values():
        if key.broker_name is not None:
            value = key.normal(defaults.get(key.name, key.default))
            yield ShownSetting(key.broker_name, key.type, value, key.default, key.doc)


def as_text(value: Any) -> str | None:
    """A setting's value as it would be written."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Address):
        return f"PLAINTEXT://{value}"
    if isinstance(value, tuple):
        return ",".join(as_text(item) or "" for item in value)
    if isinstance(value, Path):
        return str(value.absolute())
    return str(value)


def _type(kind: Any, field: dataclasses.Field[Any]) -> ConfigType:
    if kind is bool:
        return ConfigType.BOOLEAN
    if kind is float:
        return ConfigType.DOUBLE
    if kind is int:
        high = field.metadata.get("high")
        return ConfigType.INT if high is not None and high <= INT_MAX else ConfigType.LONG
    lists = typing.get_origin(kind) is tuple or isinstance(kind, types.UnionType)
    return ConfigType.LIST if lists else ConfigType.STRING


@functools.cache
def documentation() -> Mapping[str, str]:
    """What each setting is for, by our own name: the docstring below its field, where the source is at hand."""
    return {**_docstrings(BrokerSettings), **_docstrings(StorageSettings)}


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
