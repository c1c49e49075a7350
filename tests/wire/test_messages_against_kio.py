"""Every message of Kafka 4.3 against kio, an independent implementation: the same bytes both ways.

kio has one class per version, and richer types: dates, durations, UUIDs and error codes. The mapping here goes by the
order of the fields, which is the protocol's.
"""

from __future__ import annotations

import dataclasses
import datetime
import io
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kio.index import UnknownAPIKey, UnknownEntity, load_payload_module
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader, entity_writer
from kio.serial._introspect import classify_field
from kio.static.constants import EntityType

from drave.schema import decoder, encoder
from drave.schema.declaration import Field, fields_of

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MILLISECOND = datetime.timedelta(milliseconds=1)

RENAMED = {
    "generation_id": "generation_id_or_member_epoch",
    "acceptable_recovery_lag": "acceptable_recovery_lag_legacy",
}
"""Names that Kafka 4.4 has changed."""

# kio's dates and durations pass through floats, which are exact for some decades only.
NARROW = {
    "error_code": st.sampled_from([int(code) for code in ErrorCode]),
    "datetime_i64": st.integers(0, 2**41),
    "timedelta_i64": st.integers(0, 2**41),
}


def oracle_of(key: int, cls: type[Any], version: int) -> type[Any]:
    kind = EntityType.request if cls.__name__.endswith("Request") else EntityType.response
    try:
        return getattr(load_payload_module(key, version, kind), cls.__name__)
    except (UnknownAPIKey, UnknownEntity):
        pytest.skip("Kafka 4.4 added it: see test_messages_of_kafka_4_4")


class Oracle:
    """One of kio's classes beside ours, and the way from our messages to its."""

    def __init__(self, cls: type[Any], theirs: type[Any], version: int) -> None:
        self.theirs = theirs
        self.pairs: list[tuple[Field, dataclasses.Field[Any]]] = []
        self.nested: dict[str, Oracle] = {}
        ours = [field for field in fields_of(cls) if field.exists_in(version)]
        for mine, other in zip(ours, dataclasses.fields(theirs), strict=True):
            assert mine.name.removesuffix("_ms") in (other.name.removesuffix("_ms"), RENAMED.get(other.name))
            self.pairs.append((mine, other))
            kind = classify_field(other)
            if dataclasses.is_dataclass(kind.type_):
                inner = getattr(mine.type, "element", mine.type)
                self.nested[mine.name] = Oracle(inner.struct, kind.type_, version)

    def each(self) -> Any:
        yield self
        for nested in self.nested.values():
            yield from nested.each()

    def convert(self, message: Any) -> Any:
        return self.theirs(
            **{other.name: self.value(mine, other, getattr(message, mine.name)) for mine, other in self.pairs}
        )

    def value(self, mine: Field, other: dataclasses.Field[Any], value: Any) -> Any:
        if value is None:
            return other.default if mine.tag is not None else None
        if isinstance(value, list):
            return tuple(self.single(mine, other, each) for each in value)
        return self.single(mine, other, value)

    def single(self, mine: Field, other: dataclasses.Field[Any], value: Any) -> Any:
        if mine.name in self.nested:
            return self.nested[mine.name].convert(value)
        match other.metadata["kafka_type"]:
            case "uuid":
                return None if value == bytes(16) else uuid.UUID(bytes=value)
            case "error_code":
                return ErrorCode(value)
            case "datetime_i64":
                return None if value == -1 else EPOCH + value * MILLISECOND
            case "timedelta_i32" | "timedelta_i64":
                return value * MILLISECOND
        return value


def test_bytes_are_the_same_both_ways(declared: tuple[int, type[Any], int], messages: Any) -> None:
    """Encoded by us as by kio; decoded from its bytes to what we encoded; read by it as what we meant."""
    key, cls, version = declared
    oracle = Oracle(cls, oracle_of(key, cls, version), version)
    kafka_types = {
        (id(mine), mine.name): other.metadata.get("kafka_type") for part in oracle.each() for mine, other in part.pairs
    }

    def narrow(_: type[Any], field: Field) -> st.SearchStrategy[Any] | None:
        return NARROW.get(kafka_types[id(field), field.name])

    encode, decode = encoder(cls, version), decoder(cls, version)
    write, read = entity_writer(oracle.theirs), entity_reader(oracle.theirs)

    @settings(settings.get_profile("wire"))
    @given(message=messages(version, narrow).of(cls))
    def check(message: Any) -> None:
        encoded = b"".join(encode(message))
        buffer = io.BytesIO()
        converted = oracle.convert(message)
        write(buffer, converted)
        assert encoded == buffer.getvalue()
        decoded, end = decode(buffer.getvalue(), 0)
        assert end == len(encoded)
        assert decoded == message
        assert b"".join(encode(decoded)) == encoded
        assert read(encoded, 0) == (converted, len(encoded))

    check()
