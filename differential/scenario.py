"""Scenarios: how they are declared, and the cases that come of one.

    @scenario(ApiKey.PRODUCE, acks=(0, 1, -1))
    def what_is_appended_can_be_read(stage, version, acks): ...

is one case for each version of Produce that both brokers serve and each of the three `acks`. A case's name says its
module, its scenario and its parameters: `k00_produce/what_is_appended_can_be_read(v9, acks=1)`. Where there are many
scenarios the module is a folder, whose parts count as one.
"""

from __future__ import annotations

import enum
import importlib
import itertools
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from differential import scenarios
from differential.client import HIGHEST
from differential.stage import Stage
from drave.wire.api import API, ApiKey

Play = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One scenario with its parameters."""

    name: str
    play: Play


_found: Final[dict[str, list[Case]]] = {}


def versions_of(key: ApiKey, since: int = 0, until: int = 1 << 15) -> range:
    """The versions that both brokers serve."""
    return range(max(API[key].versions[0], since), min(HIGHEST[key], until) + 1)


def scenario(
    key: ApiKey | None = None, /, *, since: int = 0, until: int = 1 << 15, **parameters: Iterable[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """One case for each combination of the parameters, and for each version of `key` from `since` through `until`."""

    def declare(function: Callable[..., None]) -> Callable[..., None]:
        module = function.__module__.removeprefix(f"{scenarios.__name__}.").partition(".")[0]
        given = ({"version": versions_of(key, since, until)} if key is not None else {}) | parameters
        for values in itertools.product(*given.values()):
            chosen = dict(zip(given, values, strict=True))
            name = f"{module}/{function.__name__}{_shown(chosen)}"
            _found.setdefault(module, []).append(Case(name, partial(function, **chosen)))
        return function

    return declare


def _shown(chosen: dict[str, Any]) -> str:
    if not chosen:
        return ""
    parts = (f"v{value}" if name == "version" else f"{name}={_word(value)}" for name, value in chosen.items())
    return f"({', '.join(parts)})"


def _word(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return value.name
    return getattr(value, "__name__", None) or str(value)


def modules() -> list[str]:
    """The names of the modules with scenarios."""
    return sorted(module.name for module in pkgutil.iter_modules(scenarios.__path__))


def cases(module: str) -> list[Case]:
    """The cases of one module, in the order of their declaration."""
    room = importlib.import_module(f"{scenarios.__name__}.{module}")
    for part in pkgutil.iter_modules(getattr(room, "__path__", ()), f"{room.__name__}."):
        importlib.import_module(part.name)
    return _found.get(module, [])


def matching(only: str) -> Iterator[tuple[str, list[Case]]]:
    """The modules, each with its cases whose name contains `only`."""
    for module in modules():
        if chosen := [case for case in cases(module) if only in case.name]:
            yield module, chosen
