"""A record as one line: as JSON, which loses nothing and is read back by `drave produce --json`, or by a template.

    {"topic":"rides","partition":0,"offset":7,"timestamp":1553372469000,"key":"Soho","value":"…","headers":[["k","v"]]}

Bytes that are not UTF-8 stand in base64 under `key_base64` and `value_base64`; such a header's value is
{"base64": "…"}. A record without a timestamp has -1, and null is Kafka's null.
"""

from __future__ import annotations

import base64
import binascii
import string
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from drave.client.publishing import Headers
from drave.client.times import time_text

if TYPE_CHECKING:
    from confluent_kafka import Message

_NULL: Final = "null"
_NO_TIME: Final = -1

_encode: Final = msgspec.json.Encoder().encode


class ParsedRecord(NamedTuple):
    """What `drave produce --json` sends. Topic, partition and offset of the line are left aside."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int | None


def record_json(message: Message) -> bytes:
    """One line, without its end."""
    _, timestamp = message.timestamp()
    fields: dict[str, Any] = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": timestamp,
    }
    _put(fields, "key", _raw(message.key()))
    _put(fields, "value", _raw(message.value()))
    fields["headers"] = [[name, _header_json(value)] for name, value in _header_pairs(message)]
    return _encode(fields)


def parse_record(line: bytes) -> ParsedRecord:
    """A line of `record_json`, or one that a person wrote: only `value` is needed, and a value that is no text is sent
    as JSON. Raises ValueError with the reason."""
    try:
        fields = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(fields, dict) or not {"value", "value_base64"} & fields.keys():
        raise ValueError('a record is an object with a value: {"key": "k", "value": "v"}')
    timestamp = fields.get("timestamp", _NO_TIME)
    if not isinstance(timestamp, int):
        raise ValueError(f"timestamp {timestamp!r} is not a number of milliseconds")
    return ParsedRecord(
        _take(fields, "key"),
        _take(fields, "value"),
        _headers(fields.get("headers") or []),
        None if timestamp == _NO_TIME else timestamp,
    )


class Template:
    """Renders records by a format string such as `{time} {key} {value}`. Raises ValueError for one that cannot work."""

    FIELDS: Final = ("topic", "partition", "offset", "timestamp", "time", "key", "value", "headers")

    def __init__(self, text: str) -> None:
        self._text = text.replace("\\t", "\t").replace("\\n", "\n")
        for _, field, _, _ in string.Formatter().parse(self._text):
            if field is not None and field not in self.FIELDS:
                raise ValueError(f"{{{field}}} is not a field: there are {', '.join(self.FIELDS)}")
        self._format("", 0, 0, 0, "", "", "", "")

    def render(self, message: Message) -> bytes:
        _, timestamp = message.timestamp()
        return self._format(
            message.topic(),
            message.partition(),
            message.offset(),
            timestamp,
            time_text(timestamp),
            _text(_raw(message.key())),
            _text(_raw(message.value())),
            ",".join(f"{name}={_text(value)}" for name, value in _header_pairs(message)),
        ).encode(errors="backslashreplace")

    def _format(self, *values: object) -> str:
        return self._text.format(**dict(zip(self.FIELDS, values, strict=True)))


def value_line(message: Message) -> bytes:
    """The record's value as it is."""
    value = _raw(message.value())
    return _NULL.encode() if value is None else value


def _header_pairs(message: Message) -> list[tuple[str, bytes | None]]:
    pairs: Any = message.headers()  # typed for what may be sent; what comes is always a list of pairs
    return pairs or []


def _raw(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _text(value: str | bytes | None) -> str:
    if value is None:
        return _NULL
    return value if isinstance(value, str) else value.decode(errors="backslashreplace")


def _put(fields: dict[str, Any], name: str, value: bytes | None) -> None:
    try:
        fields[name] = None if value is None else value.decode()
    except UnicodeDecodeError:
        fields[f"{name}_base64"] = base64.b64encode(value or b"").decode()


def _take(fields: dict[str, Any], name: str) -> bytes | None:
    encoded = fields.get(f"{name}_base64")
    if encoded is not None:
        return _from_base64(encoded)
    value = fields.get(name)
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else _encode(value)


def _header_json(value: str | bytes | None) -> Any:
    if value is None or isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _headers(pairs: Any) -> Headers:
    if isinstance(pairs, dict):  # as a person writes them
        pairs = list(pairs.items())
    if not isinstance(pairs, list):
        raise ValueError(f"{pairs!r} are not headers: write [[name, value], …]")
    headers: list[tuple[str, bytes | None]] = []
    for pair in pairs:
        match pair:
            case [str(name), None] | (str(name), None):
                headers.append((name, None))
            case [str(name), str(text)] | (str(name), str(text)):
                headers.append((name, text.encode()))
            case [str(name), {"base64": str(encoded)}]:
                headers.append((name, _from_base64(encoded)))
            case _:
                raise ValueError(f"{pair!r} is not a header: write [name, value]")
    return headers


def _from_base64(encoded: Any) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise ValueError(f"{encoded!r} is not base64") from None
