"""How a setting of the broker is declared, and how its text is read.

    request_bytes_max: int = setting(100 * MiB, kafka="socket.request.max.bytes", low=1024)

The declaration is an ordinary dataclass field; `setting` adds Kafka's name and the bounds, which `check_bounds` holds
every instance to, however it was made. A field without `setting` is a setting too: it has no other name and no bounds.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from drave.model.config import INT_MAX, ConfigType, InvalidConfig, parse
from drave.model.quotas import canonical_address

KiB: Final = 1024
MiB: Final = 1024 * KiB


class Address(NamedTuple):
    """Where to listen, or where to be found. An empty host means every interface of the machine."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, key: str = "address") -> Address:
    """`HOST:PORT`, `[IPv6]:PORT`, `:PORT` for every interface, or Kafka's `PLAINTEXT://` before any of them."""
    scheme, found, rest = text.strip().rpartition("://")
    if found and scheme.upper() != "PLAINTEXT":
        raise InvalidConfig(key, text, f"{scheme}: only PLAINTEXT is served by this version")
    host, colon, port = rest.rpartition(":")
    if not colon:
        raise InvalidConfig(key, text, "must be HOST:PORT, such as 127.0.0.1:9092 or [::1]:9092")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InvalidConfig(key, text, f"an IPv6 address goes in brackets: [{host}]:{port}")
    if not (port.isascii() and port.isdigit() and int(port[:6]) <= 65535):
        raise InvalidConfig(key, text, "the port must be a number from 0 to 65535")
    return Address(host, int(port))


def parse_addresses(text: str, key: str = "listen") -> tuple[Address, ...]:
    """One or more addresses, with commas between them."""
    return tuple(parse_address(item, key) for item in text.split(","))


class AddressLimit(NamedTuple):
    """How much one IP address may have."""

    address: str
    most: int

    def __str__(self) -> str:
        return f"{self.address}:{self.most}"


def parse_address_limits(text: str, key: str) -> tuple[AddressLimit, ...]:
    """`ADDRESS:NUMBER`, with commas between; an IPv6 address without brackets, as in Kafka. May be empty."""
    limits: list[AddressLimit] = []
    for item in filter(None, map(str.strip, text.split(","))):
        address, _, most = item.rpartition(":")
        known = canonical_address(address)
        if known is None:
            raise InvalidConfig(
                key, text, f"{item!r} must be ADDRESS:NUMBER, such as 192.0.2.7:100; hosts are not looked up"
            )
        if not (most.isascii() and most.isdigit() and int(most[:11]) <= INT_MAX):
            raise InvalidConfig(key, text, f"{item!r} must end in a whole number from 0 to {INT_MAX}")
        limits.append(AddressLimit(known, int(most)))
    return tuple(limits)


def setting(
    default: Any,
    *,
    kafka: str | tuple[str, ...] = (),
    low: int | None = None,
    high: int | None = None,
    choices: tuple[str, ...] = (),
    dynamic: bool = False,
) -> Any:
    """A dataclass field with Kafka's name (or names) for it, what its values may be, and whether they may change while
    the broker runs."""
    names = (kafka,) if isinstance(kafka, str) else kafka
    metadata = {"kafka": names, "low": low, "high": high, "choices": choices, "dynamic": dynamic}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def check_bounds(settings: Any) -> None:
    """Hold an instance's fields to their declared bounds. Raises InvalidConfig."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        low, high, choices = (field.metadata.get(name) for name in ("low", "high", "choices"))
        if low is not None and value < low:
            raise InvalidConfig(field.name, str(value), f"must be at least {low}")
        if high is not None and value > high:
            raise InvalidConfig(field.name, str(value), f"must be at most {high}")
        if choices and value not in choices:
            raise InvalidConfig(field.name, str(value), f"must be one of {', '.join(choices)}")


def read_text(kind: Any, text: str, key: str) -> Any:
    """The value that `text` means for a field annotated with `kind`. Raises InvalidConfig."""
    if isinstance(kind, types.UnionType):  # `Address | None`, where nothing at all means None
        if not text.strip():
            return None
        (kind,) = (member for member in typing.get_args(kind) if member is not type(None))
    if typing.get_origin(kind) is typing.Literal:
        if text.strip() not in typing.get_args(kind):
            raise InvalidConfig(key, text, f"must be one of {', '.join(typing.get_args(kind))}")
        return text.strip()
    if kind is bool:
        return parse(key, ConfigType.BOOLEAN, text)
    if kind is int:
        return parse(key, ConfigType.LONG, text)
    if kind is float:
        return parse(key, ConfigType.DOUBLE, text)
    if kind is Path:
        return Path(text).expanduser()
    if kind is Address:
        return parse_address(text, key)
    if kind == tuple[Address, ...]:
        return parse_addresses(text, key)
    if kind == tuple[AddressLimit, ...]:
        return parse_address_limits(text, key)
    assert kind is str, f"no way to read a {kind} from text"
    return text.strip()


def as_text(value: Any) -> str | None:
    """A setting's value as it would be written."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Address):
        return f"PLAINTEXT://{value}"
    if isinstance(value, tuple) and not isinstance(value, AddressLimit):
        return ",".join(as_text(item) or "" for item in value)
    if isinstance(value, Path):
        return str(value.absolute())
    return str(value)


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that does not exist: the nearest one that does, if there is one."""
    import difflib  # only ever needed for a mistake

    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
