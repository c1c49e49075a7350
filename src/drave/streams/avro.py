"""Avro: values by a schema that is given in code. Needs the extra `drave[avro]`.

    app.topic("rides", Ride, format=Avro(Ride, {"type": "record", "name": "Ride", "fields": [...]}))

A record is Avro's binary encoding and nothing before it: no registry's prefix, no schema in the data.
"""

from __future__ import annotations

import io
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import msgspec

from drave.streams.errors import BadRecord, BadTopology
from drave.streams.formats import from_foreign, to_foreign, type_name

V = TypeVar("V")

_AS_THEY_ARE: Final = (bytes, datetime, date, time, Decimal, UUID)
"""What Avro's logical types write themselves."""


class Avro(Generic[V]):
    """A `Format` for what msgspec knows as a record, and for dicts. Raises BadTopology for a schema that is none."""

    name: Final = "avro"

    def __init__(self, kind: type[V] | Any, schema: dict[str, Any] | list[Any] | str) -> None:
        try:
            import fastavro
        except ImportError:
            raise BadTopology("Avro needs fastavro: pip install 'drave[avro]'") from None
        self.kind = kind
        try:
            self._schema = fastavro.parse_schema(schema)
        except (fastavro.schema.SchemaParseException, fastavro.schema.UnknownType, KeyError, ValueError) as error:
            raise BadTopology(f"{type_name(kind)}: that is no Avro schema: {error}") from None
        self._read, self._write = fastavro.schemaless_reader, fastavro.schemaless_writer

    def encode(self, value: V) -> bytes:
        data = msgspec.to_builtins(value, builtin_types=_AS_THEY_ARE, enc_hook=from_foreign)
        buffer = io.BytesIO()
        try:
            self._write(buffer, self._schema, data)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadRecord(f"{value!r} does not fit the schema: {error}") from None
        return buffer.getvalue()

    def decode(self, data: bytes) -> V:
        buffer = io.BytesIO(data)
        try:
            found = self._read(buffer, self._schema, None)
            value: V = msgspec.convert(found, self.kind, builtin_types=_AS_THEY_ARE, dec_hook=to_foreign)
        except (ValueError, TypeError, LookupError, EOFError, msgspec.ValidationError) as error:
            raise BadRecord(f"{data[:80]!r} is no {type_name(self.kind)}: {error or 'it ends too early'}") from None
        if buffer.tell() < len(data):
            raise BadRecord(f"{data[:80]!r} is no {type_name(self.kind)}: {len(data) - buffer.tell()} bytes too long")
        return value
