"""How keys and values become bytes and come back.

    Text    str                             utf-8
    Raw     bytes                           as they are
    Number  int                             decimal digits, as people write them
    Json    everything msgspec knows (Struct, dataclass, TypedDict, dict, list, …), and pydantic models

A format is two functions; `decode` raises BadRecord with what was wrong. Avro and Protobuf stand behind the same two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from drave.streams.errors import BadRecord, BadTopology

V = TypeVar("V")
T_co = TypeVar("T_co", covariant=True)


class Format(Protocol[V]):
    """Bytes for values of one type."""

    @property
    def name(self) -> str: ...
    def encode(self, value: V, /) -> bytes: ...
    def decode(self, data: bytes, /) -> V:
        """Raises BadRecord."""
        ...


class Text:
    """str as utf-8."""

    name: Final = "text"

    def encode(self, value: str) -> bytes:
        try:
            return value.encode()
        except AttributeError:
            raise BadRecord(f"{value!r} is no str; say its type, for instance key_type=int") from None

    def decode(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise BadRecord(f"{data[:40]!r} is no utf-8: {error.reason}") from None


class Raw:
    """bytes as they are."""

    name: Final = "bytes"

    def encode(self, value: bytes) -> bytes:
        return value

    def decode(self, data: bytes) -> bytes:
        return data


class Number:
    """int in decimal digits, so that every tool shows it."""

    name: Final = "number"

    def encode(self, value: int) -> bytes:
        return b"%d" % value

    def decode(self, data: bytes) -> int:
        try:
            return int(data)
        except ValueError:
            raise BadRecord(f"{data[:40]!r} is no whole number") from None


class Json(Generic[V]):
    """JSON by msgspec, which checks what it reads against the type; pydantic models by pydantic."""

    name: Final = "json"

    def __init__(self, kind: type[V] | Any = Any) -> None:
        self.kind = kind
        self.encode: Callable[[V], bytes] = msgspec.json.Encoder(enc_hook=from_foreign).encode
        try:
            self._decode: Callable[[bytes], V] = msgspec.json.Decoder(kind, dec_hook=to_foreign).decode
        except TypeError as error:
            raise BadTopology(f"{kind!r} cannot be read from JSON: {error}") from None

    def decode(self, data: bytes) -> V:
        try:
            return self._decode(data)
        except (msgspec.DecodeError, ValueError) as error:
            raise BadRecord(f"{data[:80]!r} is no {type_name(self.kind)}: {error}") from None


class Packed(Generic[V]):
    """msgpack by msgspec: state that only the app reads."""

    name: Final = "msgpack"

    def __init__(self, kind: type[V] | Any) -> None:
        self.encode: Callable[[V], bytes] = msgspec.msgpack.Encoder(enc_hook=from_foreign).encode
        self.decode: Callable[[bytes], V] = msgspec.msgpack.Decoder(kind, dec_hook=to_foreign).decode


def format_for(kind: Any) -> Format[Any]:
    """The format that a type has unless another is named."""
    plain: dict[Any, Callable[[], Format[Any]]] = {str: Text, bytes: Raw}
    return plain[kind]() if kind in plain else Json(kind)


def key_format_for(kind: Any) -> Format[Any]:
    """The same for keys: numbers are digits, and JSON is for what is neither."""
    return Number() if kind is int else format_for(kind)


def type_name(kind: Any) -> str:
    return getattr(kind, "__name__", None) or str(kind)


def from_foreign(value: Any) -> Any:
    """What msgspec can write of a pydantic model."""
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise NotImplementedError(f"a {type(value).__name__} cannot be written as JSON")
    return dump(mode="json")


def to_foreign(kind: type[Any], data: Any) -> Any:
    """A pydantic model of what msgspec has read."""
    validate = getattr(kind, "model_validate", None)
    if validate is None:
        raise NotImplementedError(f"a {type_name(kind)} cannot be read")
    return validate(data)
