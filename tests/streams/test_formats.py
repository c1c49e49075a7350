"""Keys and values as bytes: what comes back is what went in, and what is no such thing says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drave.streams import App, BadRecord, BadTopology
from drave.streams.formats import Json, Number, Packed, Protobuf, Raw, Text, format_for, key_format_for


class Point(msgspec.Struct):
    x: int
    y: str | None = None


@dataclass
class Plain:
    x: int


SCHEMA = {
    "type": "record",
    "name": "Point",
    "fields": [{"name": "x", "type": "long"}, {"name": "y", "type": ["null", "string"]}],
}


@given(st.text(), st.binary(), st.integers(), st.integers(-(2**62), 2**62))
def test_what_is_encoded_is_decoded_to_the_same(text: str, data: bytes, number: int, x: int):
    point = Point(x, text)
    assert Text().decode(Text().encode(text)) == text
    assert Raw().decode(Raw().encode(data)) == data
    assert Number().decode(Number().encode(number)) == number
    for form in (Json(Point), Packed(Point)):
        assert form.decode(form.encode(point)) == point


@pytest.mark.parametrize(
    ("form", "data", "said"),
    [
        (Text(), b"\xff", "is no utf-8"),
        (Number(), b"1.5", "is no whole number"),
        (Json(Point), b'{"x": "no"}', "is no Point: Expected `int`, got `str`"),
        (Json(Point), b"{", "is no Point"),
    ],
)
def test_bytes_that_are_no_such_value_say_so(form: Any, data: bytes, said: str):
    with pytest.raises(BadRecord, match=said):
        form.decode(data)


@pytest.mark.parametrize("form", [Text(), Raw()])
def test_a_value_of_another_type_is_refused_with_the_remedy(form: Any):
    with pytest.raises(BadRecord, match="say its type"):
        form.encode(5)


def test_a_type_has_its_format_and_numbers_are_digits_only_as_keys():
    assert isinstance(format_for(str), Text)
    assert isinstance(format_for(bytes), Raw)
    assert isinstance(format_for(Plain), Json)
    assert key_format_for(int).encode(42) == b"42"
    assert format_for(int).encode(42) == b"42"


def test_a_type_that_json_cannot_say_is_refused_when_the_app_is_built():
    with pytest.raises(BadTopology, match="cannot be read from JSON"):
        Json(dict[Point, int] | dict[str, int])


def test_avro_writes_and_reads_by_a_schema_that_is_given_in_code():
    pytest.importorskip("fastavro")
    from drave.streams.avro import Avro

    form = Avro(Point, SCHEMA)
    assert form.encode(Point(1)) == b"\x02\x00"
    assert form.decode(form.encode(Point(-7, "å"))) == Point(-7, "å")
    for data in (b"", b"\x02", b"\x02\x07", b"\x02\x00\x00"):
        with pytest.raises(BadRecord, match="is no Point"):
            form.decode(data)
    with pytest.raises(BadRecord, match="does not fit the schema"):
        form.encode(Point("x"))  # type: ignore[arg-type]
    with pytest.raises(BadTopology, match="no Avro schema"):
        Avro(Point, {"type": "record", "name": "Point", "fields": [{"name": "x", "type": "nothing"}]})


def test_an_app_reads_and_writes_avro():
    pytest.importorskip("fastavro")
    from drave.streams.avro import Avro

    app = App("app")
    form = Avro(Point, SCHEMA)
    app.topic("in", Point, format=form).group_by("x").reduce(lambda one, other: other, name="last").to(
        "out", format=form
    )
    with app.test() as t:
        t.send("in", Point(1, "a"), Point(1, "b"))
        assert t.read("out") == [Point(1, "a"), Point(1, "b")]
        assert t.cluster.topics["out"][0][0].value() == form.encode(Point(1, "a"))


def test_avro_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    import sys

    from drave.streams.avro import Avro

    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(BadTopology, match=r"pip install 'drave\[avro\]'"):
        Avro(Point, SCHEMA)


def test_protobuf_messages_are_values_also_in_state_and_beside_others():
    pytest.importorskip("google.protobuf")
    from google.protobuf.wrappers_pb2 import Int64Value

    assert isinstance(format_for(Int64Value), Protobuf)
    app = App("app")
    numbers = app.topic("in", Int64Value)
    last = numbers.group_by("value", key_type=int).reduce(lambda one, other: other, name="last")
    last.to("out")
    with app.test() as t:
        t.send("in", Int64Value(value=5))
        t.crash()
        t.lose_state()
        t.recover()
        t.send("in", Int64Value(value=5))
        assert [each.value for each in t.read("out")] == [5, 5]
    with pytest.raises(BadRecord, match="is no Int64Value"):
        Protobuf(Int64Value).decode(b"\xff")


def test_a_pydantic_model_checks_what_it_reads():
    import pydantic

    class Model(pydantic.BaseModel):
        x: int = pydantic.Field(gt=0)

    form = Json(Model)
    assert form.decode(form.encode(Model(x=1))) == Model(x=1)
    with pytest.raises(BadRecord, match="greater than 0"):
        form.decode(b'{"x": 0}')
    packed = Packed(list[Model])
    assert packed.decode(packed.encode([Model(x=1)])) == [Model(x=1)]
