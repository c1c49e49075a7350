"""What was seen, without what differs from run to run.

    response ──▶ view ──▶ JSON

A field that has its default is left out. What differs by nature becomes a symbol that keeps identity: the first topic
id that appears is `uuid#1` wherever it appears again. Structs in lists are sorted, for Kafka takes many of its orders
from hash tables; records keep theirs. Of a sentence for people it is compared whether there is one, not its words.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from typing import Any, Final

from drave.model.errors import ErrorCode
from drave.records import BatchHeader, parse_header, read_records
from drave.schema.declaration import Field, fields_of
from drave.schema.types import UUID, Array, Nested, Opaque

Json = Any
"""None, bool, int, float, str, or lists and dicts of them."""

LONGEST_BYTES: Final = 80
HOUR_MS: Final = 3_600_000
_CODES: Final = frozenset(ErrorCode)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_KAFKA_ID: Final = re.compile(r"[0-9A-Za-z_-]{22}")
"""The same in Kafka's own form, which it gives to members of consumer groups."""
_BYTES_OF_A_DISK: Final = ("total_bytes", "usable_bytes")
_SETS: Final = frozenset({("TopicData", "partitions"), ("Member", "subscribed_topic_names")})
"""Lists of plain values whose order says nothing: a transaction's partitions, what a member subscribes to."""
_NAMES: Final = ("name", "topic", "topic_name", "group_id", "transactional_id", "resource_name", "key")


class Symbols:
    """Names for what differs from run to run, given in the order of first appearance."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Any], str] = {}
        self._counts: dict[str, int] = {}

    def peek(self, kind: str, value: Any) -> str | None:
        return self._known.get((kind, value))

    def of(self, kind: str, value: Any) -> str:
        """The symbol, a new one where there is none."""
        if (known := self._known.get((kind, value))) is not None:
            return known
        number = self._counts[kind] = self._counts.get(kind, 0) + 1
        return self.give(kind, value, f"{kind}#{number}")

    def give(self, kind: str, value: Any, symbol: str) -> str:
        self._known[kind, value] = symbol
        return symbol


class _Unnamed:
    """A value that may yet have to be named: lists are sorted before their new symbols are numbered."""

    def __init__(self, kind: str, value: Any, write: Callable[[str], str] = str) -> None:
        self.kind = kind
        self.value = value
        self.write = write

    def text(self, symbols: Symbols) -> str:
        return self.write(symbols.peek(self.kind, self.value) or "?")

    def named(self, symbols: Symbols) -> str:
        return self.write(symbols.of(self.kind, self.value))


class Eye:
    """Looks at the answers of one broker to one scenario. `mark` is what its names begin with."""

    def __init__(self, mark: str, host: str, port: int) -> None:
        self.mark = mark
        self.symbols = Symbols()
        self._host = host
        self._port = port

    def see(self, response: Any, version: int, *, mine: bool = False) -> Json:
        """A response as data. `mine`: only what has the scenario's own names, of lists of all that there is."""
        return self._name(self._struct(self._own(response) if mine else response, version))

    def _own(self, message: Any) -> Any:
        """The same without structs of others' names, however deep. One without a name is kept, and looked into."""
        for field in fields_of(type(message)):
            if isinstance(field.type, Array) and isinstance(field.type.element, Nested):
                items = getattr(message, field.name) or []
                setattr(message, field.name, [self._own(item) for item in items if self._is_own(item)])
        return message

    def _is_own(self, item: Any) -> bool:
        names = [name for field in _NAMES if isinstance(name := getattr(item, field, None), str)]
        return not names or any(self.mark in name for name in names)

    # -- what a struct holds

    def _struct(self, message: Any, version: int) -> dict[str, Any]:
        view = {}
        for field in fields_of(type(message)):
            value = getattr(message, field.name)
            if field.exists_in(version) and not _is_default(value, field.default):
                view[field.name] = self._field(field, value, version, type(message).__name__)
        return view

    def _field(self, field: Field, value: Any, version: int, struct: str) -> Any:
        if value is None:
            return None
        match field.type:
            case Array(Nested()):
                return self._sorted([self._struct(item, version) for item in value])
            case Array(element):
                items = [self._item(item, element) for item in value]
                return sorted(items) if (struct, field.name) in _SETS else items
            case Nested():
                return self._struct(value, version)
            case Opaque():
                return self._batches(b"".join(value) if isinstance(value, list) else bytes(value))
        if field.type == UUID:
            return _Unnamed("uuid", bytes(value)) if any(value) else "zero"
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._bytes(bytes(value))
        if isinstance(value, str):
            return self._string(field.name, value)
        if isinstance(value, bool):
            return value
        return self._number(field.name, value, struct)

    def _item(self, value: Any, element: Any) -> Any:
        if element == UUID:
            return bytes(value).hex()
        return self.plain(value) if isinstance(value, str) else value

    def _number(self, name: str, value: Any, struct: str) -> Any:
        if name.endswith("error_code"):
            return ErrorCode(value).name if value in _CODES else value
        if name == "port" and value == self._port:
            return "PORT"
        if name in _BYTES_OF_A_DISK and value > 0:
            return "some"
        if name == "throttle_time_ms":
            return "some"
        if name == "session_id" and value > 0:
            return _Unnamed("session", value)
        if name == "producer_id":
            return self._producer(value, is_new=struct == "InitProducerIdResponse")
        return _now(value)

    def _producer(self, value: int, *, is_new: bool) -> Any:
        """Ids that the broker gave are symbols; those that a scenario made up are themselves."""
        if value >= 0 and (is_new or self.symbols.peek("producer", value)):
            return _Unnamed("producer", value)
        return value

    def _string(self, name: str, value: str) -> Any:
        if name == "cluster_id":
            return "CLUSTER"
        if name == "log_dir" and value:
            return "FOLDER"
        if name == "host" and value == self._host:
            return "HOST"
        if name.endswith(("error_message", "documentation", "status_detail")):
            return "..." if value else value
        if (found := _UUID.search(value)) is not None:
            before, after = value[: found.start()], value[found.end() :]
            return _Unnamed("member", found.group(), lambda symbol: self.plain(f"{before}{symbol}{after}"))
        if name == "member_id" and _KAFKA_ID.fullmatch(value):
            return _Unnamed("member", value)
        return self.plain(value)

    def plain(self, value: str) -> str:
        """A string without what its names begin with."""
        return value.replace(self.mark, "")

    def _bytes(self, value: bytes) -> str:
        """Text where it is short; else its length and a digest."""
        value = value.replace(self.mark.encode(), b"")
        if len(value) > LONGEST_BYTES:
            return f"{len(value)} bytes, {hashlib.sha256(value).hexdigest()[:16]}"
        return value.decode("latin-1")

    # -- record batches

    def _batches(self, data: bytes) -> list[Any]:
        """Every whole batch. Kafka may cut off the last one, which every client ignores."""
        seen, at = [], 0
        while len(data) - at >= 61:
            header = parse_header(data, at)
            if at + header.size > len(data):
                break
            seen.append(self._batch(header, data[at : at + header.size]))
            at += header.size
        return seen

    def _batch(self, header: BatchHeader, data: bytes) -> dict[str, Any]:
        view: dict[str, Any] = {
            "offsets": [header.base_offset, header.last_offset],
            "epoch": header.leader_epoch,
            "times": [_now(header.base_timestamp), _now(header.max_timestamp)],
        }
        if header.attributes:
            view["attributes"] = header.attributes
        if (header.producer_id, header.producer_epoch, header.base_sequence) != (-1, -1, -1):
            view["producer"] = [self._producer(header.producer_id, is_new=False), header.producer_epoch]
            view["sequence"] = header.base_sequence
        if not header.is_control:
            view["records"] = [
                [record.offset, _now(record.timestamp), self._maybe(record.key), self._maybe(record.value)]
                + [[[key, self._maybe(value)] for key, value in record.headers]] * bool(record.headers)
                for record in read_records(data, header)
            ]
        return view

    def _maybe(self, value: bytes | None) -> str | None:
        return None if value is None else self._bytes(value)

    # -- order and names

    def _sorted(self, items: list[Any]) -> list[Any]:
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True, default=self._text))

    def _text(self, unnamed: _Unnamed) -> str:
        return unnamed.text(self.symbols)

    def _name(self, view: Any) -> Json:
        """Give the symbols, now that the order no longer depends on what they stand for."""
        if isinstance(view, _Unnamed):
            return view.named(self.symbols)
        if isinstance(view, dict):
            return {key: self._name(value) for key, value in view.items()}
        if isinstance(view, list):
            return [self._name(item) for item in view]
        return view


def _is_default(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _now(value: Any) -> Any:
    """Times of this hour are the clock's; scenarios give times of long ago."""
    return "now" if isinstance(value, int) and abs(value - time.time() * 1000) < HOUR_MS else value
