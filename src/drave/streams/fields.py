"""What a step does with a record: a field's name or a function, and the types that annotations tell."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterable, Iterator
from operator import attrgetter, itemgetter
from typing import Any, Final

from drave.streams.errors import BadTopology
from drave.streams.formats import type_name

Selector = str | Callable[[Any], Any]

_MANY: Final = (Iterable, Iterator, Generator, list, tuple, AsyncIterator)
_MAPPINGS: Final = (dict, typing.Any)


def getter(selector: Selector, kind: Any) -> Callable[[Any], Any]:
    """The function that takes a field, or a field of a field ("value.riders"), out of a value of type `kind`."""
    if not isinstance(selector, str):
        return selector
    if "." in selector:
        name, rest = selector.split(".", 1)
        outer, inner = getter(name, kind), getter(rest, selected_type(name, kind))
        return lambda value: inner(outer(value))
    known = field_types(kind)
    if known is not None and selector not in known:
        raise BadTopology(f"{type_name(kind)} has no field {selector!r}; it has {', '.join(known) or 'none'}")
    if known is None and (kind in _MAPPINGS or typing.get_origin(kind) is dict or typing.is_typeddict(kind)):
        return itemgetter(selector)
    return attrgetter(selector)


def selected_type(selector: Selector, kind: Any) -> Any:
    """The type of what `getter` gives, or Any where nothing says."""
    if isinstance(selector, str):
        name, _, rest = selector.partition(".")
        taken = (field_types(kind) or {}).get(name, Any)
        return selected_type(rest, taken) if rest else taken
    return returned_type(selector)


def selector_name(selector: Selector) -> str | None:
    """A name for people and topics; None for a lambda."""
    return selector.replace(".", "-") if isinstance(selector, str) else function_name(selector)


def function_name(function: Callable[..., Any]) -> str | None:
    """The function's name in kebab-case; None where it has none of its own."""
    name = getattr(function, "__name__", type(function).__name__)
    return None if name == "<lambda>" else name.strip("_").replace("_", "-").lower()


def field_types(kind: Any) -> dict[str, Any] | None:
    """The fields of a class and their types; None for what is no class with fields."""
    origin = typing.get_origin(kind) or kind
    if not isinstance(origin, type) or origin in (dict, list, str, bytes, int, float, bool, tuple, object):
        return None
    if typing.is_typeddict(origin):
        return None
    if (declared := getattr(origin, "model_fields", None)) is not None:  # pydantic, whose classes have other hints too
        return {name: field.annotation for name, field in declared.items()} or None
    try:
        hints = typing.get_type_hints(origin)
    except NameError:
        return None
    arguments = dict(zip(getattr(origin, "__parameters__", ()), typing.get_args(kind), strict=False))
    return {name: arguments.get(hint, hint) for name, hint in hints.items() if not name.startswith("_")} or None


def returned_type(function: Callable[..., Any]) -> Any:
    """What the annotation says that a function returns, awaited if it is a coroutine; Any where it says nothing."""
    try:
        return typing.get_type_hints(_called(function)).get("return", Any)
    except (NameError, TypeError):
        return Any


def mapped_type(function: Callable[..., Any]) -> Any:
    """`returned_type` without the None of a function that may drop a record."""
    kind = returned_type(function)
    if typing.get_origin(kind) in (Awaitable, Coroutine):
        kind = typing.get_args(kind)[-1]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        rest = [each for each in typing.get_args(kind) if each is not type(None)]
        return rest[0] if len(rest) == 1 else Any if not rest else kind
    return kind


def item_type(function: Callable[..., Any]) -> Any:
    """What a function that returns many returns many of."""
    kind = mapped_type(function)
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    return arguments[0] if arguments and origin in {*_MANY, *(typing.get_origin(each) for each in _MANY)} else Any


def is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(_called(function))


def is_generator(function: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(_called(function))


def _called(function: Callable[..., Any]) -> Callable[..., Any]:
    """What runs when it is called: an object's `__call__`, or itself."""
    return function if inspect.isroutine(function) or isinstance(function, type) else type(function).__call__
