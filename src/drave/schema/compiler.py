"""Compiles declarations: on first use, once per class, version and direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

from drave.schema.code import Code
from drave.schema.declaration import check_version, declaration_of
from drave.schema.decode import write_decoder
from drave.schema.encode import write_encoder
from drave.schema.types import Buffer

M = TypeVar("M")
Direction = Literal["encode", "decode"]


def decoder(cls: type[M], version: int) -> Callable[[Buffer, int], tuple[M, int]]:
    """The function that reads `version` of `cls`: from a buffer and a position, the message and where it ends.

    It raises SchemaError, and nothing else, where the bytes are not such a message. Fields of type `records` are views
    into the buffer, everything else is a copy. Tagged fields that the declaration does not know are passed over.

    A message without records is read from `bytes`: give it those, or a buffer that is little more than the message,
    for another kind of buffer is copied whole.
    """
    compiled = declaration_of(cls).decoders
    if version not in compiled:
        compiled[version] = _compile(cls, version, "decode")
    return cast("Callable[[Buffer, int], tuple[M, int]]", compiled[version])


def encoder(cls: type[M], version: int) -> Callable[[M], list[Buffer]]:
    """The function that writes `version` of `cls`, as parts to be sent one after another.

    A message without records is one part. It raises SchemaError where the version cannot carry the message: null
    where there is none, a number out of its range.
    """
    compiled = declaration_of(cls).encoders
    if version not in compiled:
        compiled[version] = _compile(cls, version, "encode")
    return cast("Callable[[M], list[Buffer]]", compiled[version])


def source(cls: type[Any], version: int, direction: Direction) -> str:
    """The generated code, to be read by people."""
    return _write(cls, version, direction).text


def _compile(cls: type[Any], version: int, direction: Direction) -> Callable[..., Any]:
    return _write(cls, version, direction).function(direction, f"<{direction} {cls.__name__} version {version}>")


def _write(cls: type[Any], version: int, direction: Direction) -> Code:
    check_version(cls, version)
    return write_encoder(cls, version) if direction == "encode" else write_decoder(cls, version)
