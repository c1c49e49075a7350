"""How keys and values become bytes and come back.

    Text    str                             utf-8
    Raw     bytes                           as they are
    Number  int                             decimal digits, as people write them
    Json    everything msgspec knows (Struct, dataclass, TypedDict, dict, list, …), and pydantic models
    Protobuf   the classes that protoc generates
    Avro    in avro.py, with a schema that is given in code

A format is two functions; `decode` raises BadRecord with what was wrong. Any object with the two will do.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from drave.streams.errors import BadRecord, BadTopology

V = TypeVar("V")
T_co = TypeVar("T_co", covariant=True)


class Format(Protocol[V]):
    """Bytes for values of one type."""

    @property
    def name(self) -> str:
        """As pictures of a topology show it."""
        ...

    def encode(self, value: V, /) -> bytes:
        """Raises BadRecord for what is no value of the type."""
        ...

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
        if not isinstance(value, bytes):
            raise BadRecord(f"{value!r} is no bytes; say its type, for instance type=str")
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


class Protobuf(Generic[V]):
    """Messages of a class that protoc generated, without a schema registry's prefix."""

    name: Final = "protobuf"

    def __init__(self, kind: type[V] | Any) -> None:
        self.kind = kind
        self._decode: Callable[[bytes], V] = getattr(kind, "FromString")  # noqa: B009 - a class made at run time

    def encode(self, value: V) -> bytes:
        message: Any = value
        return bytes(message.SerializeToString())

    def decode(self, data: bytes) -> V:
        try:
            return self._decode(data)
        except Exception as error:  # protobuf's own error class is a different one in each of its implementations
            raise BadRecord(f"{data[:80]!r} is no {type_name(self.kind)}: {error}") from None


class Packed(Generic[V]):
    """msgpack by msgspec: state that only the app reads."""

    name: Final = "msgpack"

    def __init__(self, kind: type[V] | Any) -> None:
        self.encode: Callable[[V], bytes] = msgspec.msgpack.Encoder(enc_hook=from_foreign).encode
        self.decode: Callable[[bytes], V] = msgspec.msgpack.Decoder(kind, dec_hook=to_foreign).decode


def format_for(kind: Any) -> Format[Any]:
    """The format that a type has unless another is named."""
    if kind is str:
        return Text()
    if kind is bytes:
        return Raw()
    return Protobuf(kind) if hasattr(kind, "FromString") else Json(kind)


def key_format_for(kind: Any) -> Format[Any]:
    """The same for keys: numbers are digits, and JSON is for what is neither."""
    return Number() if kind is int else format_for(kind)


def type_name(kind: Any) -> str:
    return getattr(kind, "__name__", None) or str(kind)


def from_foreign(value: Any) -> Any:
    """What msgspec can write of a pydantic model, or of a Protobuf message inside of something else."""
    if (dump := getattr(value, "model_dump", None)) is not None:
        return dump(mode="json")
    if (serialize := getattr(value, "SerializeToString", None)) is not None:
        return serialize()
    raise NotImplementedError(f"a {type(value).__name__} cannot be written as JSON")


def to_foreign(kind: type[Any], data: Any) -> Any:
    """The same back from what msgspec has read."""
    if (validate := getattr(kind, "model_validate", None)) is not None:
        return validate(data)
    if (parse := getattr(kind, "FromString", None)) is not None:
        return parse(base64.b64decode(data) if isinstance(data, str) else data)
    raise NotImplementedError(f"a {type_name(kind)} cannot be read")
