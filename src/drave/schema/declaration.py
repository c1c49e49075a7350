"""How a message is declared: one class for all its versions.

    class FetchPartition(Struct):
        partition: int32
        current_leader_epoch: int32 = since(9, default=-1)
        fetch_offset: int64

The order of the fields is their order on the wire. A field that some version lacks has a default: decoding such a
version yields it, encoding such a version drops the field. A top-level message names its versions:

    class FetchRequest(Struct, versions=(4, 18), flexible=12):

Underneath, the class becomes a `msgspec.Struct` that the garbage collector does not track: constructing one costs a
fifth of what a slotted class with an `__init__` does, and messages are what the broker constructs most. A message must
therefore never refer to itself.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, dataclass_transform, overload

import msgspec

from drave.schema.errors import UndeclaredVersion
from drave.schema.types import FieldType, resolve

T = TypeVar("T")

NO_LIMIT: Final = 1 << 15
"""Past any version: versions travel as int16."""

_StructMeta: Final[Any] = type(msgspec.Struct)


@dataclass(frozen=True, slots=True)
class _Specifier:
    """What `since`, `until`, `tagged` and `nullable` leave in the class body."""

    low: int = 0
    high: int = NO_LIMIT
    tag: int | None = None
    nullable_since: int = 0
    default: Any = msgspec.NODEFAULT


def since(version: int, *, default: T, until: int = NO_LIMIT, nullable: int = 0) -> T:
    """A field that exists from `version` on (through `until`); null only from version `nullable` on."""
    return typing.cast("T", _Specifier(version, until, nullable_since=nullable, default=default))


def until(version: int, *, default: T, nullable: int = 0) -> T:
    """A field that exists through `version`; null only from version `nullable` on."""
    return typing.cast("T", _Specifier(high=version, nullable_since=nullable, default=default))


@overload
def nullable(since: int) -> Any: ...
@overload
def nullable(since: int, *, default: T) -> T: ...
def nullable(since: int, *, default: Any = msgspec.NODEFAULT) -> Any:
    """A field of every version that may be null only from version `since` on."""
    return _Specifier(nullable_since=since, default=default)


def tagged(tag: int, *, since: int = 0, default: T) -> T:
    """A field that travels, from version `since` on, only where it is not its default (KIP-482).

    A struct's default is None: Kafka takes an absent one for one whose fields have all their defaults.
    """
    return typing.cast("T", _Specifier(since, tag=tag, default=default))


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field: its type, and the versions that have it."""

    name: str
    type: FieldType
    nullable_since: int | None
    low: int
    high: int
    tag: int | None
    default: Any

    def exists_in(self, version: int) -> bool:
        return self.low <= version <= self.high

    def is_nullable_in(self, version: int) -> bool:
        return self.nullable_since is not None and version >= self.nullable_since


@dataclass(slots=True)
class Declaration:
    """What a struct class declares, and what has been compiled from it."""

    versions: tuple[int, int]
    flexible_since: int
    specifiers: dict[str, _Specifier]
    decoders: dict[int, Callable[..., Any]] = field(default_factory=dict)
    encoders: dict[int, Callable[..., Any]] = field(default_factory=dict)
    resolved: tuple[Field, ...] | None = None

    def is_flexible(self, version: int) -> bool:
        return version >= self.flexible_since


class Message(msgspec.Struct, gc=False):
    """What every declared class really is. Declare with `Struct`."""

    def __repr__(self) -> str:
        declaration: Declaration = type(self).__declaration__  # type: ignore[attr-defined]  # set by _Declaring
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in declaration.specifiers)
        return f"{type(self).__name__}({shown})"


@dataclass_transform(kw_only_default=True, field_specifiers=(since, until, nullable, tagged))
class _Declaring(type):
    """Turns the body of a class that names `Struct` as its base into a `Message`.

    It cannot be msgspec's metaclass with a twist: a class made by a Python subclass of that loses its quick call.
    """

    def __new__(
        cls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        versions: tuple[int, int] = (0, NO_LIMIT),
        flexible: int = NO_LIMIT,
    ) -> Any:
        if not bases:
            return super().__new__(cls, name, bases, namespace)
        annotations = namespace.get("__annotations__", {})
        specifiers = {each: _specifier(namespace.pop(each, msgspec.NODEFAULT)) for each in annotations}
        for each, specifier in specifiers.items():
            if specifier.default is not msgspec.NODEFAULT:
                namespace[each] = specifier.default
        # msgspec takes arguments by position only where the required ones come first.
        namespace["__annotations__"] = dict(sorted(annotations.items(), key=lambda item: item[0] in namespace))
        made = _StructMeta(name, (Message,), namespace, gc=False)
        made.__declaration__ = Declaration(versions, flexible, specifiers)
        return made

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Message)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, Message)


def _specifier(default: Any) -> _Specifier:
    return default if isinstance(default, _Specifier) else _Specifier(default=default)


class Struct(metaclass=_Declaring):
    """The base of every declared struct."""


def declaration_of(struct: type[Any]) -> Declaration:
    """The declaration behind a class made with `Struct`."""
    return typing.cast("Declaration", struct.__declaration__)


def fields_of(struct: type[Any]) -> tuple[Field, ...]:
    """The fields of `struct` in the order of the wire, their types resolved. The first call resolves them."""
    declaration = declaration_of(struct)
    if declaration.resolved is None:
        hints = typing.get_type_hints(struct, include_extras=True)
        declaration.resolved = tuple(
            _field(name, hints[name], specifier) for name, specifier in declaration.specifiers.items()
        )
    return declaration.resolved


def _field(name: str, hint: Any, specifier: _Specifier) -> Field:
    kind, may_be_null = resolve(hint)
    return Field(
        name=name,
        type=kind,
        nullable_since=specifier.nullable_since if may_be_null else None,
        low=specifier.low,
        high=specifier.high,
        tag=specifier.tag,
        default=specifier.default,
    )


def check_version(struct: type[Any], version: int) -> None:
    """Raises UndeclaredVersion where `struct` has no such version."""
    low, high = declaration_of(struct).versions
    if not low <= version <= high:
        raise UndeclaredVersion(struct.__name__, version, (low, high))
