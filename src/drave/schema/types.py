"""The types a field can have, as annotations that a type checker reads as plain Python types.

    int32                 4 bytes, big-endian; likewise the other widths
    uuid                  16 raw bytes
    str, bytes            a length, then that many bytes
    records               like bytes, but never copied: decoded as a view, encoded as a part of its own
    record_slices         the same; to be encoded it may also be a list of buffers, which are not joined
    list[X]               a count, then the elements
    X | None              may be null (a struct has a presence byte before it)

In flexible versions (KIP-482) lengths and counts are unsigned varints of length + 1, where 0 means null; before them
they are int16 (strings) or int32 (the rest), where a negative number means null.
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Scalar:
    """A type of fixed width: one code of the `struct` module."""

    code: str
    size: int


@dataclass(frozen=True, slots=True)
class Text:
    """A UTF-8 string."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that are copied into the message."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """Bytes that are passed on without a copy; `sliced` where a message may hold them as a list of buffers."""

    sliced: bool


@dataclass(frozen=True, slots=True)
class Array:
    """A sequence of one type."""

    element: FieldType


@dataclass(frozen=True, slots=True)
class Nested:
    """Another struct."""

    struct: type[Any]


FieldType: TypeAlias = Scalar | Text | Blob | Opaque | Array | Nested

UUID: Final = Scalar("16s", 16)

int8: TypeAlias = Annotated[int, Scalar("b", 1)]
int16: TypeAlias = Annotated[int, Scalar("h", 2)]
int32: TypeAlias = Annotated[int, Scalar("i", 4)]
int64: TypeAlias = Annotated[int, Scalar("q", 8)]
uint16: TypeAlias = Annotated[int, Scalar("H", 2)]
uint32: TypeAlias = Annotated[int, Scalar("I", 4)]
float64: TypeAlias = Annotated[float, Scalar("d", 8)]
boolean: TypeAlias = Annotated[bool, Scalar("?", 1)]
uuid: TypeAlias = Annotated[bytes, UUID]
records: TypeAlias = Annotated[Buffer, Opaque(sliced=False)]
record_slices: TypeAlias = Annotated[Buffer | list[memoryview], Opaque(sliced=True)]

ZERO_UUID: Final = bytes(16)

_PLAIN: Final[dict[Any, FieldType]] = {
    str: Text(),
    bytes: Blob(),
    bool: Scalar("?", 1),
    float: Scalar("d", 8),
}


def resolve(annotation: Any) -> tuple[FieldType, bool]:
    """The field type that an evaluated annotation stands for, and whether it may be null."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return annotation.__metadata__[0], False
    if origin in (typing.Union, types.UnionType):
        some = [part for part in typing.get_args(annotation) if part is not types.NoneType]
        if metadata := [part for part in some if typing.get_origin(part) is Annotated]:
            return resolve(metadata[0])[0], True
        (only,) = some
        return resolve(only)[0], True
    if origin is list:
        element, nullable = resolve(typing.get_args(annotation)[0])
        if nullable:
            raise TypeError(f"{annotation}: an array's elements cannot be null")
        return Array(element), False
    if annotation in _PLAIN:
        return _PLAIN[annotation], False
    if isinstance(annotation, type) and hasattr(annotation, "__declaration__"):
        return Nested(annotation), False
    raise TypeError(f"{annotation!r} is not a type that a field can have")
